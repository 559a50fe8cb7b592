//! Which models may answer a run, in which order, and why: what is named, else what is found.

use std::{collections::BTreeMap, str::FromStr};

use convergio_config::{ModelPolicy, ModelRef, Settings};
use convergio_contract::{
    ErrorCode, RpcError, model::Policy as WirePolicy, run::RunOptions, secret::SecretText,
};
use convergio_engine::{
    Candidate, Cause, Causes, Facts, Fallback, Ladder, LeftOut, Needs, NoModel, Plan, Selection,
    State, Target, Unfit,
};
use convergio_ledger::{Rates, expected_cost};
use convergio_models_api::{Capabilities, ModelRequest, Policy};

use super::{Configured, failure, health::Breakers};
use crate::{
    daemon::Daemon,
    failure::invalid,
    run_kinds::calls::{input_ceiling, tokens_at_least},
};

/// The settings' policy as the engine has it.
pub(crate) fn policy(policy: ModelPolicy) -> Policy {
    match policy {
        ModelPolicy::LocalFirst => Policy::LocalFirst,
        ModelPolicy::CloudFirst => Policy::CloudFirst,
        ModelPolicy::LocalOnly => Policy::LocalOnly,
        ModelPolicy::Cheapest => Policy::Cheapest,
    }
}

fn from_wire(policy: WirePolicy) -> Policy {
    match policy {
        WirePolicy::LocalFirst => Policy::LocalFirst,
        WirePolicy::CloudFirst => Policy::CloudFirst,
        WirePolicy::LocalOnly => Policy::LocalOnly,
        WirePolicy::Cheapest => Policy::Cheapest,
    }
}

/// The engine's policy as it travels.
pub(crate) fn to_wire(policy: Policy) -> WirePolicy {
    match policy {
        Policy::LocalFirst => WirePolicy::LocalFirst,
        Policy::CloudFirst => WirePolicy::CloudFirst,
        Policy::LocalOnly => WirePolicy::LocalOnly,
        Policy::Cheapest => WirePolicy::Cheapest,
    }
}

/// The policy of a run. `local-only` is a hard line: a request may draw it, never cross it.
pub(crate) fn policy_of(settings: &Settings, options: &RunOptions) -> Result<Policy, RpcError> {
    let set = policy(settings.models().policy);
    match options.policy.map(from_wire) {
        Some(wanted) if set == Policy::LocalOnly && wanted != Policy::LocalOnly => {
            Err(RpcError::new(
                ErrorCode::EgressDenied,
                format!("the policy {wanted} is not allowed"),
            )
            .why("the settings say local-only")
            .hint("cv config explain models.policy"))
        }
        Some(wanted) => Ok(wanted),
        None => Ok(set),
    }
}

/// What a request asks of whoever answers it, as far as the choice depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct What {
    pub(crate) needs: Needs,
    /// Tokens of the question at most.
    pub(crate) input_ceiling: u64,
    /// Tokens of the answer at most.
    pub(crate) max_output: u32,
}

impl What {
    /// Of this request.
    pub(crate) fn of(request: &ModelRequest) -> Self {
        Self {
            needs: Needs {
                capabilities: request.needs(),
                tokens_at_least: tokens_at_least(request),
            },
            input_ceiling: input_ceiling(request),
            max_output: request.max_output,
        }
    }

    /// Nobody said what is asked: what models cost and how they are is then no reason.
    fn is_open(&self) -> bool {
        self.input_ceiling == 0
    }
}

/// Providers and breakers, as a plan looks at them.
pub(super) struct View<'a> {
    pub(super) all: &'a BTreeMap<String, Configured>,
    pub(super) breakers: &'a Breakers,
    pub(super) what: &'a What,
}

impl View<'_> {
    /// A model by name.
    pub(super) fn named(&self, named: ModelRef) -> Result<Candidate, RpcError> {
        let Some(provider) = self.all.get(&named.provider) else {
            let known = self.all.keys().cloned();
            return Err(failure::unknown_provider(&named.provider, known));
        };
        Ok(self.candidate(provider, &named.model, provider.runs_here(&named.model)))
    }

    /// A model of a provider, with what is known of it.
    pub(super) fn candidate(&self, provider: &Configured, model: &str, local: bool) -> Candidate {
        let target = Target {
            provider: provider.name.clone(),
            model: model.to_owned(),
        };
        let facts = provider.facts(model);
        let rates = facts
            .prices
            .as_ref()
            .and_then(|sheet| Rates::from_sheet(sheet, &target.provider, model));
        let wanted = self.what.max_output;
        let output = facts
            .max_output
            .and_then(|max| u32::try_from(max).ok())
            .map_or(wanted, |max| wanted.min(max));
        let (expected, hold) = match rates {
            _ if local => (Some(0), Some(0)),
            Some(rates) => (
                // How long its answers usually are is not looked up for every one in sight.
                expected_cost(&rates, self.what.input_ceiling, output, None).ok(),
                rates.hold(self.what.input_ceiling, output).ok(),
            ),
            None => (None, None),
        };
        Candidate {
            local,
            facts: Facts {
                context: facts.context,
                capabilities: provider.known_capabilities(model),
                expected_nano_usd: expected,
                hold_nano_usd: hold,
                state: match self.what.is_open() {
                    true => State::Ready,
                    false => self.breakers.state(&target),
                },
            },
            target,
        }
    }
}

impl Configured {
    /// What a model can do, where somebody says so. What the settings leave open of a model that
    /// the catalogue does not have is taken for there: it is tried.
    fn known_capabilities(&self, model: &str) -> Option<Capabilities> {
        if self.row.is_some_and(|row| row.model(model).is_some()) {
            return self.facts(model).capabilities;
        }
        let said = self.models.get(model)?;
        let open = |word: Option<bool>| word.unwrap_or(true);
        Some(Capabilities {
            tools: open(said.tools),
            vision: open(said.vision),
            reasoning: open(said.reasoning),
            cache: open(said.cache),
            json: open(said.json),
        })
    }

    /// Whether this model runs on this machine.
    pub(crate) fn runs_here(&self, model: &str) -> bool {
        let mut bare = self.clone();
        // Only the address counts here.
        bare.ca_file = None;
        bare.endpoint(None)
            .is_ok_and(|endpoint| endpoint.is_local_model(model))
    }
}

/// The chain that stands in: that of a failure's own before the general one. One stale name stops
/// nobody: whose provider is not there is left out and told.
fn chain(view: &View<'_>, settings: &Settings) -> (Vec<Fallback>, Vec<LeftOut>) {
    let models = settings.models();
    let own: Causes = models
        .fallback_on
        .keys()
        .filter_map(|name| Cause::from_name(name))
        .collect();
    let of_causes = models.fallback_on.into_iter().flat_map(|(name, named)| {
        let on = Cause::from_name(&name).map_or(Causes::NONE, Causes::only);
        named.into_iter().map(move |named| (named, on))
    });
    let general = models.fallback.into_iter();
    let general = general.map(|named| (named, Causes::ALL.without(own)));
    let (mut chain, mut unknown) = (Vec::new(), Vec::new());
    for (named, on) in of_causes.chain(general) {
        match view.named(named.clone()) {
            Ok(candidate) => chain.push(Fallback { candidate, on }),
            Err(_) => unknown.push(LeftOut {
                target: Target {
                    provider: named.provider,
                    model: named.model,
                },
                local: false,
                why: Unfit::NoProvider,
            }),
        }
    }
    (chain, unknown)
}

impl Daemon {
    /// The ways to an answer for a run whose request is not known yet. `named` is what the settings
    /// name for its kind.
    pub(crate) async fn plan(
        &self,
        settings: &Settings,
        options: &RunOptions,
        named: Option<ModelRef>,
    ) -> Result<Plan, RpcError> {
        let what = What::default();
        self.plan_for(settings, options, named, &what).await
    }

    /// The ways to an answer for a request: only models that can do what it needs, and are not left
    /// alone for now.
    pub(crate) async fn plan_for(
        &self,
        settings: &Settings,
        options: &RunOptions,
        named: Option<ModelRef>,
        what: &What,
    ) -> Result<Plan, RpcError> {
        let policy = policy_of(settings, options)?;
        let all = self.models.configured(settings);
        let view = View {
            all: &all,
            breakers: &self.models.breakers,
            what,
        };
        let (mut explicit, mut ladder, mut unknown) = (None, None, Vec::new());
        let mut leads = false;
        if let Some(text) = &options.model {
            match ModelRef::from_str(text) {
                Ok(named) => explicit = Some(view.named(named)?),
                Err(_) => {
                    let keys = &options.keys;
                    let own = self.ladder(&view, settings, text, policy, keys).await?;
                    (leads, unknown) = (own.leads, own.unknown);
                    ladder = Some(own.ladder);
                }
            }
        }
        let (mut configured, mut fallback, mut found) = (None, Vec::new(), Vec::new());
        let word = settings.models().default_alias;
        if let (None, None, Some(word)) = (&options.model, &named, word) {
            let own = self.ladder(&view, settings, &word, policy, &options.keys);
            let own = own.await.map_err(|error| of_settings(error, &word))?;
            let stand_in;
            (stand_in, unknown) = chain(&view, settings);
            leads = own.leads;
            unknown.splice(..0, own.unknown);
            fallback = stand_in;
            ladder = Some(Ladder {
                by_settings: true,
                ..own.ladder
            });
        } else if explicit.is_none() && ladder.is_none() {
            configured = named.map(|named| view.named(named)).transpose()?;
            (fallback, unknown) = chain(&view, settings);
            if configured.is_none() {
                found = self.find(&view, settings, policy, &options.keys).await;
            }
        }
        let planned = convergio_engine::plan(Selection {
            explicit,
            ladder,
            configured,
            found,
            fallback,
            policy,
            needs: what.needs,
        });
        match planned {
            Ok(mut plan) => {
                if leads && plan.first_choice.is_none() {
                    plan.first_choice = unknown.first().cloned();
                }
                plan.left_out.splice(..0, unknown);
                Ok(plan)
            }
            // Whom nobody named is left alone for now: this machine goes on.
            Err(NoModel::Unfit(left))
                if options.model.is_none() && matches!(left.why, Unfit::Cooling(_)) =>
            {
                let mut here = self
                    .plan_here(settings, what)
                    .await
                    .ok_or_else(|| failure::no_model(&NoModel::Unfit(left.clone())))?;
                here.policy = policy;
                here.left_out.insert(0, left.clone());
                here.first_choice = Some(left);
                Ok(here)
            }
            Err(why) => Err(failure::no_model(&why)),
        }
    }

    /// The way to a model that runs here, for when nothing else answers; none where there is none.
    pub(crate) async fn plan_here(&self, settings: &Settings, what: &What) -> Option<Plan> {
        let all = self.models.configured(settings);
        let view = View {
            all: &all,
            breakers: &self.models.breakers,
            what,
        };
        convergio_engine::plan(Selection {
            found: self.find_here(&view).await,
            policy: Policy::LocalOnly,
            needs: what.needs,
            ..Selection::default()
        })
        .ok()
    }

    /// Asks the client at once for the keys of all routes that it may have and was not asked for:
    /// one whose turn comes later cannot ask any more.
    pub(crate) fn ask_for_keys(
        &self,
        settings: &Settings,
        plan: &Plan,
        sent: &BTreeMap<String, SecretText>,
    ) -> Result<(), RpcError> {
        let all = self.models.configured(settings);
        let routes = plan.routes.iter().filter(|route| !route.local);
        let asked = routes.filter_map(|route| all.get(&route.target.provider));
        super::ask_for_keys(asked, sent)
    }

    /// A provider that may be asked.
    pub(crate) fn provider(&self, settings: &Settings, name: &str) -> Result<Configured, RpcError> {
        let all = self.models.configured(settings);
        all.get(name)
            .cloned()
            .ok_or_else(|| failure::unknown_provider(name, all.keys().cloned()))
    }
}

/// A name for models that stands in the settings and names none, or only such as cannot be asked.
fn of_settings(mut error: RpcError, word: &str) -> RpcError {
    error.message = format!("models.default is {word}: {}", error.message);
    error
}

/// A word that names neither a model nor several.
pub(super) fn names_nothing(text: &str, known: &[&str]) -> RpcError {
    invalid(format!("{text:?} names no model"))
        .why(format!(
            "a model is named provider/model, or by one word: {}",
            known.join(", ")
        ))
        .hint("cv models")
}
