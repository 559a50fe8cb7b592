//! Which model looks at a review's diff, if one does, and how much it takes.

use std::{fmt::Write as _, sync::Arc};

use convergio_config::{ModelRef, Settings, secrets::Found};
use convergio_contract::{
    RpcError, Uuid, review::ReviewStartParams, run::RunOptions, secret::KEY_VARIABLES,
};
use convergio_engine::{Plan, Route};
use convergio_ledger::{LedgerError, MoneyError, Rates, expected_cost};
use convergio_models_api::Policy;
use convergio_review::model::{Boundary, Limits, PlanSettings};
use sha2::{Digest, Sha256};

use super::confirm::{Expected, Said, confirm};
use crate::{daemon::Daemon, failure, providers};

/// What a model takes where nobody says how much: one that runs here, one in the cloud.
const LOCAL_CONTEXT_TOKENS: u64 = 8_192;
const CLOUD_CONTEXT_TOKENS: u64 = 32_768;

/// What a cost is guessed by before the diff is cut: bytes of a piece, and of what is said about
/// each, and tokens of an answer where no limit is given.
const PIECE_BYTES: u64 = 32 * 1024;
const INSTRUCTION_BYTES: u64 = 8 * 1024;
const REVIEW_OUTPUT: u32 = 2_048;

/// What decides whether a model looks.
#[derive(Clone)]
pub(crate) struct Asked {
    /// The settings that hold for the review.
    pub(crate) settings: Settings,
    /// The client's name.
    pub(crate) client: Option<String>,
    /// What the client wants of its run.
    pub(crate) options: RunOptions,
    /// Nobody but the rules is wanted.
    pub(crate) rules_only: bool,
}

/// Who looks.
pub(crate) enum Routed {
    /// The rules alone, and why, where somebody named a model that may not look.
    Rules(Option<&'static str>),
    /// A model should look and cannot.
    Unable {
        /// `provider/model`.
        name: String,
        /// Why.
        error: RpcError,
    },
    /// A model looks too.
    Looks(Box<Looks>),
}

/// The model that looks.
pub(crate) struct Looks {
    /// The ways to an answer; never empty.
    pub(crate) plan: Plan,
    /// What fits into one call.
    pub(crate) context_tokens: u64,
    /// Tokens that it writes at most, where that is known.
    pub(crate) max_output: Option<u64>,
    /// Keeps its key known to the redactor: a diff may hold it.
    pub(crate) key: Option<Found>,
}

impl Asked {
    pub(crate) fn new(
        settings: Settings,
        client: Option<String>,
        params: &ReviewStartParams,
    ) -> Self {
        let mut options = params.options.clone();
        let none_asked = options.model.is_none();
        // Who asks for single rules asks for nothing else.
        let rules_only = params.no_model || (!params.rules.is_empty() && none_asked);
        if rules_only {
            options.keys.clear();
        }
        Self {
            settings,
            client,
            options,
            rules_only,
        }
    }

    /// The model that the settings name for reviews.
    fn configured(&self) -> Option<ModelRef> {
        let models = self.settings.models();
        models.review.or(models.default)
    }

    fn is_named(&self) -> bool {
        self.options.model.is_some()
            || self.configured().is_some()
            || self.settings.models().default_alias.is_some()
    }

    /// The name that a model was given which cannot be planned with.
    fn name(&self) -> String {
        let configured = || self.configured();
        let explicit = self.options.model.clone();
        explicit
            .or_else(|| configured().map(|named| named.to_string()))
            .or_else(|| self.settings.models().default_alias)
            .unwrap_or_default()
    }

    /// Nobody has ever said how much a day may cost, and there is somebody to ask.
    fn may_ask_for_cap(&self) -> bool {
        self.options.can_ask && self.settings.budget().daily_nano_usd.is_none()
    }

    /// Nothing but an exported key speaks for this provider: no model, no provider and no cap were
    /// ever chosen. Many programs want such keys; that a change is piped in says nothing about
    /// where it may go.
    fn nobody_chose(&self, provider: &str) -> bool {
        let cap_chosen = self.settings.budget().daily_nano_usd.is_some();
        !self.is_named() && !cap_chosen && !self.settings.providers().contains_key(provider)
    }

    /// Whether the start waits until it is known who looks, because its answer may depend on it.
    /// Without that nothing found is held up by looking for models.
    pub(crate) fn decides_first(&self) -> bool {
        let exported = self.options.keys.values();
        let exported = || exported.clone().any(|key| !key.expose().is_empty());
        !self.rules_only && (self.is_named() || self.may_ask_for_cap() && exported())
    }

    /// The client may have the key that is missing, and was not asked.
    fn client_may_know(&self, missing: &RpcError) -> bool {
        let mut names = missing.data.iter().flat_map(|data| &data.env_names);
        names.any(|name| {
            !KEY_VARIABLES.contains(&name.as_str()) && !self.options.keys.contains_key(name)
        })
    }
}

/// Says who looks. `early` is true while the start can still be refused.
///
/// # Errors
/// Why the start is refused: the client can do something about it.
pub(crate) async fn route(daemon: &Daemon, asked: &Asked, early: bool) -> Result<Routed, RpcError> {
    if asked.rules_only {
        return Ok(Routed::Rules(None));
    }
    let options = &asked.options;
    let planned = daemon
        .plan(&asked.settings, options, asked.configured())
        .await;
    let plan = match planned {
        Ok(plan) => plan,
        // Who asks for a model by name wants that one or an answer why not.
        Err(error) if early && options.model.is_some() => return Err(error),
        Err(_) if !asked.is_named() => return Ok(Routed::Rules(None)),
        Err(error) => {
            let policy = providers::routes::policy_of(&asked.settings, options);
            if policy.is_ok_and(|policy| policy == Policy::LocalOnly) {
                return Ok(Routed::Rules(Some("nothing leaves this machine")));
            }
            let name = asked.name();
            return Ok(Routed::Unable { name, error });
        }
    };
    let Some(route) = plan.routes.first() else {
        return Ok(Routed::Rules(None));
    };
    let name = route.target.to_string();
    if !route.local && asked.may_ask_for_cap() {
        let cap = asked.settings.budget().effective_daily_nano_usd();
        let error = providers::failure::confirm_cap(&name, cap);
        return match early {
            true => Err(error),
            false => Ok(Routed::Unable { name, error }),
        };
    }
    if !route.local && asked.nobody_chose(&route.target.provider) {
        return Ok(Routed::Rules(Some(
            "a key is exported, and nobody chose to send code",
        )));
    }
    if early {
        daemon.ask_for_keys(&asked.settings, &plan, &asked.options.keys)?;
    }
    match looks(daemon, asked, route).await {
        Ok((context_tokens, max_output, key)) => Ok(Routed::Looks(Box::new(Looks {
            context_tokens,
            max_output,
            key,
            plan,
        }))),
        Err(error) if early && asked.client_may_know(&error) => Err(error),
        // A fallback may have its key.
        Err(error) if plan.routes.len() == 1 => Ok(Routed::Unable { name, error }),
        Err(_) => Ok(Routed::Looks(Box::new(Looks {
            context_tokens: CLOUD_CONTEXT_TOKENS,
            max_output: None,
            key: None,
            plan,
        }))),
    }
}

/// Lets the model look, or asks for a yes to what that would cost. While the start can still be
/// refused that is its answer; later the rules look alone and say why.
///
/// # Errors
/// `confirmation_required`, early.
pub(crate) async fn confirmed(
    daemon: &Daemon,
    asked: &Asked,
    routed: Routed,
    of: Diff,
    early: bool,
) -> Result<Routed, RpcError> {
    let Routed::Looks(looks) = routed else {
        return Ok(routed);
    };
    match confirm_cost(daemon, asked, &looks, of, early).await {
        Ok(()) => Ok(Routed::Looks(looks)),
        Err(error) if early => Err(error),
        Err(error) => {
            let first = looks.plan.routes.first();
            let name = first.map_or_else(String::new, |route| route.target.to_string());
            Ok(Routed::Unable { name, error })
        }
    }
}

/// What is reviewed: the request's hash, and the diff's bytes.
#[derive(Clone, Copy)]
pub(crate) struct Diff {
    pub(crate) request_hash: [u8; 32],
    pub(crate) bytes: u64,
}

/// What a review reads and writes, guessed before its diff is cut.
pub(crate) struct Guess {
    /// Bytes of all first looks.
    input: u64,
    /// Tokens that these write at most.
    output: u64,
}

fn tokens(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Guess {
    /// Of a diff of `bytes`: so many pieces, each with its instructions.
    pub(crate) fn of(asked: &Asked, looks: &Looks, bytes: u64) -> Self {
        let pieces = bytes.div_ceil(PIECE_BYTES).max(1);
        let wanted = u64::from(asked.options.max_output.unwrap_or(REVIEW_OUTPUT));
        let most = looks.max_output.map_or(wanted, |most| most.min(wanted));
        Self {
            input: bytes.saturating_add(pieces.saturating_mul(INSTRUCTION_BYTES)),
            output: pieces.saturating_mul(most),
        }
    }

    /// What it will likely cost, nano-USD: little is said of most pieces.
    pub(crate) fn likely(&self, rates: &Rates) -> Result<i64, MoneyError> {
        expected_cost(rates, self.input, tokens(self.output / 2), None)
    }
}

async fn confirm_cost(
    daemon: &Daemon,
    asked: &Asked,
    looks: &Looks,
    diff: Diff,
    early: bool,
) -> Result<(), RpcError> {
    let Some(route) = looks.plan.routes.first().filter(|route| !route.local) else {
        return Ok(());
    };
    let target = &route.target;
    let provider = daemon.provider(&asked.settings, &target.provider)?;
    let prices = provider.facts(&target.model).prices;
    let sheet = prices.as_ref();
    let rates = sheet.and_then(|sheet| Rates::from_sheet(sheet, &target.provider, &target.model));
    let (Some(sheet), Some(rates)) = (sheet, rates) else {
        // Refused as such when it is admitted.
        return Ok(());
    };
    let guess = Guess::of(asked, looks, diff.bytes);
    let money = |error| providers::failure::ledger(&LedgerError::Money(error));
    let expected = Expected {
        model: target.to_string(),
        provider: target.provider.clone(),
        expected_nano: guess.likely(&rates).map_err(money)?,
        ceiling_nano: rates
            .hold(
                guess.input.saturating_mul(2),
                tokens(guess.output.saturating_mul(2)),
            )
            .map_err(money)?,
        request_hash: diff.request_hash,
        price_sha256: sheet.sha256(),
    };
    let said = Said {
        cost_token: asked.options.cost_token,
        max_cost_nano: asked.options.max_cost_nano_usd,
        can_ask: early && asked.options.can_ask,
    };
    confirm(daemon, &expected, said).await
}

/// How much a model takes and writes, and its key; fails where its key is nowhere.
async fn looks(
    daemon: &Daemon,
    asked: &Asked,
    route: &Route,
) -> Result<(u64, Option<u64>, Option<Found>), RpcError> {
    let provider = daemon.provider(&asked.settings, &route.target.provider)?;
    let (keys, in_file) = (&asked.options.keys, asked.settings.secrets_file());
    let key = daemon.models.key(&provider, keys, in_file).await?;
    let facts = provider.facts(&route.target.model);
    let mut context = facts.context;
    if context.is_none() && route.local {
        let listed = daemon.models_here(&provider).await;
        let mut same = listed.iter().filter(|one| one.id == route.target.model);
        context = same.find_map(|one| one.context);
    }
    let usual = match route.local {
        true => LOCAL_CONTEXT_TOKENS,
        false => CLOUD_CONTEXT_TOKENS,
    };
    Ok((context.unwrap_or(usual), facts.max_output, key))
}

/// By what the diff is cut into chunks.
pub(crate) fn plan_settings(
    looks: &Looks,
    params_focus: Option<String>,
    options: &RunOptions,
) -> Result<PlanSettings, RpcError> {
    // Two bytes a token is more than any language or code has; what holds money counts each byte.
    let count = |text: &str| text.len().div_ceil(2) as u64;
    let mut limits = Limits::new(looks.context_tokens, Arc::new(count));
    let max = |most: u64| u32::try_from(most).unwrap_or(u32::MAX);
    if let Some(wanted) = options.max_output {
        limits.max_output_tokens = wanted;
    }
    if let Some(most) = looks.max_output {
        limits.max_output_tokens = limits.max_output_tokens.min(max(most));
    }
    let boundary = Boundary::new(&nonce())
        .map_err(|error| failure::internal("the review cannot start", error.to_string()))?;
    Ok(PlanSettings {
        boundary,
        limits,
        // Cheap, and a server on this machine may keep logs.
        redact: true,
        focus: params_focus,
        commit_text: None,
    })
}

/// Digits that no diff can know.
fn nonce() -> String {
    let mut hash = Sha256::new();
    for _ in 0..4 {
        hash.update(Uuid::now_v7().as_bytes());
    }
    hash.finalize()
        .iter()
        .take(16)
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a String never fails.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_review_has_a_mark_of_its_own() {
        let (one, other) = (nonce(), nonce());
        assert_ne!(one, other);
        assert!(Boundary::new(&one).is_ok() && Boundary::new(&other).is_ok());
    }
}
