//! What a review would send to a model. Nothing is sent, and nothing kept.

use std::{ops::ControlFlow, sync::Arc};

use convergio_contract::{
    RpcError,
    model::Preview,
    review::{Blob, ReviewStartParams},
};
use convergio_ledger::{Denied, Rates};
use convergio_models_api::{ModelRequest, Provider};
use convergio_models_remote::Remote;
use convergio_review::{
    Review,
    model::{Effect, Input, ModelReview, Plan},
};

use crate::{
    daemon::Daemon,
    dispatch::Call,
    failure,
    providers::{self, routes},
    run_kinds::{
        calls::input_ceiling,
        request, review, review_model,
        review_route::{self, Asked, Guess, Looks, Routed},
    },
};

/// What a request adds to its text: the dialect's words and the schema.
const REQUEST_TOKENS: u64 = 64 + 16 + 1_024;

/// The calls of a plan, as far as they are known before the first one.
#[derive(Default)]
struct Calls {
    first: Vec<ModelRequest>,
    /// Those that depend on what the first ones find.
    later: u64,
    /// Bytes of these at most.
    later_bytes: u64,
    output_tokens_max: u64,
    redactions: u32,
}

impl Calls {
    fn of(plan: Plan) -> Self {
        let estimate = plan.estimate();
        let find = plan.chunks().iter().map(|chunk| chunk.find_tokens);
        let find: u64 = find.sum();
        let redactions = plan.redactions().iter().map(|redacted| redacted.count);
        let redactions = redactions.sum();
        let mut machine = ModelReview::new(plan);
        let effects = machine.step(Input::Start);
        let first: Vec<ModelRequest> = effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Ask(call) => machine.prompt(call),
                Effect::Emit(_) | Effect::Done(_) => None,
            })
            .map(review_model::request)
            .collect();
        let later = u64::from(estimate.calls_max).saturating_sub(first.len() as u64);
        Self {
            first,
            later,
            // A token is counted for every two bytes where a diff is cut.
            later_bytes: estimate.input_tokens_max.saturating_sub(find) * 2,
            output_tokens_max: estimate.output_tokens_max,
            redactions,
        }
    }
}

impl Daemon {
    /// What a review would send, to whom, at what cost.
    pub(super) async fn review_preview(
        &self,
        call: &Call,
        params: ReviewStartParams,
    ) -> Result<Preview, RpcError> {
        self.check_start(&params)?;
        let settings = self.configuration.settings(&call.conn.variables())?;
        let rules = Self::rules(&settings, &params);
        let client = call.conn.client().map(|client| client.client.name.clone());
        let mut asked = Asked::new(settings, client, &params);
        // Nothing is spent here.
        asked.options.can_ask = false;
        let policy = routes::policy_of(&asked.settings, &asked.options)?;
        let mut preview = Preview {
            nothing_sent: None,
            model: None,
            local: false,
            destination: None,
            calls: 0,
            bytes: 0,
            input_tokens_max: 0,
            output_tokens_max: 0,
            cost_max_nano_usd: None,
            cost_expected_nano_usd: None,
            policy: routes::to_wire(policy),
            redactions: 0,
            refusal: None,
        };
        let looks = match review_route::route(self, &asked, true).await {
            Ok(Routed::Looks(looks)) => looks,
            Ok(Routed::Rules(why)) => {
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                preview.nothing_sent = Some(format!("the rules alone look{why}"));
                return Ok(preview);
            }
            Ok(Routed::Unable { error, .. }) | Err(error) => {
                preview.nothing_sent = Some(error.message.clone());
                preview.refusal = Some(error);
                return Ok(preview);
            }
        };
        let options = review::options(&params, &rules);
        let settings = review_route::plan_settings(&looks, params.focus.clone(), &params.options)?;
        let blob = Blob {
            encoding: params.diff.encoding,
            data: params.diff.data,
        };
        let work = move || {
            let diff = request::decode(blob)?;
            let review =
                Review::new(&diff, options).map_err(|error| failure::invalid(error.to_string()))?;
            let (_, plan) = review.run_planned(&settings, |_| ControlFlow::Continue(()));
            let bytes = diff.len() as u64;
            Ok::<_, RpcError>(plan.map(|plan| (Calls::of(plan), bytes)))
        };
        match self.background.run("plan a review", work).await?? {
            None => {
                preview.nothing_sent = Some("there is nothing to read".to_owned());
                Ok(preview)
            }
            Some((calls, bytes)) => self.estimate(&asked, &looks, calls, bytes, preview).await,
        }
    }
}

impl Daemon {
    async fn estimate(
        &self,
        asked: &Asked,
        looks: &Looks,
        calls: Calls,
        diff_bytes: u64,
        mut preview: Preview,
    ) -> Result<Preview, RpcError> {
        let Some(route) = looks.plan.routes.first() else {
            return Ok(preview);
        };
        let target = &route.target;
        let provider = self.provider(&asked.settings, &target.provider)?;
        let endpoint = provider.endpoint(None)?;
        preview.model = Some(target.to_string());
        preview.local = endpoint.is_local_model(&target.model);
        preview.destination = Some(endpoint.origin());
        preview.redactions = calls.redactions;
        preview.output_tokens_max = calls.output_tokens_max;
        let remote = Remote::new(endpoint, self.models.egress.clone()).map_err(|error| {
            failure::internal("the provider cannot be asked", error.to_string())
        })?;
        let remote: Arc<dyn Provider> = Arc::new(remote);
        let count = u32::try_from(calls.first.len() as u64 + calls.later);
        preview.calls = count.unwrap_or(u32::MAX);
        let first_input: u64 = calls.first.iter().map(input_ceiling).sum();
        for mut request in calls.first {
            request.provider.clone_from(&target.provider);
            request.model.clone_from(&target.model);
            preview.bytes += remote.wire_bytes(&request);
        }
        preview.bytes += calls.later_bytes;
        preview.input_tokens_max = first_input + calls.later_bytes + calls.later * REQUEST_TOKENS;
        if preview.local {
            preview.cost_max_nano_usd = Some(0);
            preview.cost_expected_nano_usd = Some(0);
            return Ok(preview);
        }
        let prices = provider.facts(&target.model).prices;
        let rates = prices
            .as_ref()
            .and_then(|sheet| Rates::from_sheet(sheet, &target.provider, &target.model));
        let Some(rates) = rates else {
            preview.refusal = Some(providers::failure::denied(&Denied::PriceUnknown {
                provider: target.provider.clone(),
                model: target.model.clone(),
            }));
            return Ok(preview);
        };
        let output = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
        let most = rates.hold(preview.input_tokens_max, output(preview.output_tokens_max));
        preview.cost_max_nano_usd = most.ok();
        let likely = Guess::of(asked, looks, diff_bytes).likely(&rates).ok();
        // What is left out of the diff, and not read, is in the guess.
        preview.cost_expected_nano_usd = likely
            .zip(preview.cost_max_nano_usd)
            .map(|(likely, most)| likely.min(most));
        preview.refusal = self
            .budget_refusal(&asked.settings, preview.cost_max_nano_usd)
            .await?;
        Ok(preview)
    }
}
