//! Why which model would answer.

use convergio_contract::{
    RpcError,
    route::{
        Need as WireNeed, RouteExplain, RouteExplainParams, RouteExplainResponse, RouteLeftOut,
        RouteStep,
    },
    secret::SecretText,
};
use convergio_engine::{Causes, LeftOut, Route, State};
use convergio_ledger::Rates;
use convergio_models_api::ModelRequest;

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    providers::{
        configured, failure,
        routes::{self, What},
    },
    run_kinds::{
        chat::{self, Asked},
        confirm::{likely, usual_output},
    },
};

fn needs(what: &What) -> Vec<WireNeed> {
    let has = what.needs.capabilities;
    [
        (has.tools, WireNeed::Tools),
        (has.vision, WireNeed::Vision),
        (has.reasoning, WireNeed::Reasoning),
    ]
    .into_iter()
    .filter(|(needed, _)| *needed)
    .map(|(_, need)| need)
    .collect()
}

fn health(state: &State) -> String {
    match state {
        State::Ready => "ready".to_owned(),
        State::Probing => "failed a moment ago; tried again".to_owned(),
        State::Cooling(cooling) => convergio_engine::Unfit::Cooling(cooling.clone()).to_string(),
    }
}

impl Daemon {
    /// One route as it travels; `first` is tried whatever happened.
    async fn step(
        &self,
        asked: &Asked,
        request: &ModelRequest,
        route: &Route,
        first: bool,
    ) -> Result<RouteStep, RpcError> {
        let (settings, target) = (&asked.settings, &route.target);
        let provider = self.provider(settings, &target.provider)?;
        let endpoint = provider.endpoint(None);
        let mut problem = endpoint.as_ref().err().map(|error| error.message.clone());
        if problem.is_none() {
            let keys = &asked.params.options.keys;
            let looked = self
                .models
                .look_for_key(&provider, keys, settings.secrets_file());
            let missing = looked.await.err();
            problem = missing.map(|missing| failure::key(&missing).message);
        }
        let hold = route.facts.hold_nano_usd;
        if problem.is_none() && !route.local {
            problem = match hold {
                None => Some("nobody says what it costs".to_owned()),
                Some(_) => {
                    let refused = self.budget_refusal(settings, hold).await?;
                    refused.map(|error| error.message)
                }
            };
        }
        let facts = provider.facts(&target.model);
        let sheet = facts.prices.as_ref().filter(|_| !route.local);
        let rates =
            sheet.and_then(|sheet| Rates::from_sheet(sheet, &target.provider, &target.model));
        let expected_nano_usd = match rates {
            Some(rates) => {
                let most = facts.max_output.and_then(|most| u32::try_from(most).ok());
                let max_output =
                    most.map_or(request.max_output, |most| most.min(request.max_output));
                let usual = usual_output(self, target).await?;
                likely(&rates, request, max_output, usual).ok()
            }
            None => route.facts.expected_nano_usd,
        };
        let on = match first || route.on == Causes::ALL {
            true => Vec::new(),
            false => route.on.iter().map(|cause| cause.to_string()).collect(),
        };
        Ok(RouteStep {
            model: target.to_string(),
            local: route.local,
            destination: endpoint.ok().map(|endpoint| endpoint.origin()),
            reason: route.reason.clone(),
            on,
            expected_nano_usd,
            hold_nano_usd: hold,
            context: route.facts.context,
            health: health(&route.facts.state),
            problem,
        })
    }
}

fn left_out(left: &LeftOut) -> RouteLeftOut {
    RouteLeftOut {
        model: left.target.to_string(),
        local: left.local,
        reason: left.why.to_string(),
    }
}

impl Handle<RouteExplain> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: RouteExplainParams,
    ) -> Result<RouteExplainResponse, RpcError> {
        self.check_question(&params.question)?;
        let mut asked = self.asked(&call, params.question)?;
        let all = configured(&asked.settings, &self.models.lists);
        for name in all.into_values().flat_map(|provider| provider.key_env) {
            // Nobody is asked for keys here: one that was not sent is looked for elsewhere.
            let keys = &mut asked.params.options.keys;
            keys.entry(name).or_insert_with(|| SecretText::new(""));
        }
        let ready = chat::prepare(self, &asked).await?;
        let model = &mut asked.params.options.model;
        *model = model.take().or_else(|| ready.model.clone());
        let mut what = What::of(&ready.request);
        for need in params.needs {
            let needed = &mut what.needs.capabilities;
            match need {
                WireNeed::Tools => needed.tools = true,
                WireNeed::Vision => needed.vision = true,
                WireNeed::Reasoning => needed.reasoning = true,
            }
        }
        let (settings, options) = (&asked.settings, &asked.params.options);
        let mut explained = RouteExplainResponse {
            policy: routes::to_wire(routes::policy_of(settings, options)?),
            needs: needs(&what),
            input_tokens_min: what.needs.tokens_at_least,
            input_tokens_max: what.input_ceiling,
            routes: Vec::new(),
            left_out: Vec::new(),
            refusal: None,
        };
        let named = settings.models().default;
        let plan = match self.plan_for(settings, options, named, &what).await {
            Ok(plan) => plan,
            Err(error) => {
                explained.refusal = Some(error);
                return Ok(explained);
            }
        };
        for (place, route) in plan.routes.iter().enumerate() {
            let step = self.step(&asked, &ready.request, route, place == 0).await?;
            explained.routes.push(step);
        }
        explained.left_out = plan.left_out.iter().map(left_out).collect();
        Ok(explained)
    }
}
