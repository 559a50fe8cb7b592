//! A person's yes to a run that is far dearer than usual, or that goes on although a budget is
//! nearly spent.

use convergio_contract::{ErrorCode, RpcError, Uuid, error::CostToConfirm};
use convergio_engine::Target;
use convergio_ledger::{ASK_PERCENT, BudgetState, CostOffer, LedgerError, Now, Rates, Scope, usd};
use convergio_models_api::ModelRequest;

use crate::{
    daemon::Daemon,
    failure,
    providers::failure::{cents_up, ledger as ledger_error},
};

/// Runs that the usual cost is taken from.
const RUNS: usize = 30;

/// What a run is to cost, before it begins.
pub(crate) struct Expected {
    /// `provider/model`.
    pub(crate) model: String,
    pub(crate) provider: String,
    pub(crate) expected_nano: i64,
    /// What it may come to.
    pub(crate) ceiling_nano: i64,
    pub(crate) request_hash: [u8; 32],
    pub(crate) price_sha256: [u8; 32],
}

/// What somebody said beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Said {
    pub(crate) cost_token: Option<Uuid>,
    pub(crate) max_cost_nano: Option<i64>,
    /// A person can be asked.
    pub(crate) can_ask: bool,
}

/// Why somebody is asked.
enum Doubt {
    /// What runs usually cost.
    Dear(Option<i64>),
    /// What is nearly spent.
    NearlySpent(Box<BudgetState>),
}

/// Lets a run begin, or asks for a yes to its cost.
///
/// # Errors
/// `confirmation_required`, or what the store said.
pub(crate) async fn confirm(
    daemon: &Daemon,
    expected: &Expected,
    said: Said,
) -> Result<(), RpcError> {
    let bounded = said
        .max_cost_nano
        .is_some_and(|most| most >= expected.ceiling_nano);
    // A floor that nothing usual lowers: most runs need no look into the books.
    let may_be_dear = !bounded && expected.expected_nano > convergio_ledger::SHOCK_FLOOR_NANO;
    if !may_be_dear && !said.can_ask {
        return Ok(());
    }
    let Some(doubt) = doubt(daemon, expected, may_be_dear, said.can_ask).await? else {
        return Ok(());
    };
    let tenant = daemon.runs().tenant().id();
    let offer = CostOffer {
        request_hash: expected.request_hash,
        price_sha256: expected.price_sha256,
        ceiling_nano: expected.ceiling_nano,
    };
    let now = Now::system();
    let token = said.cost_token;
    let write = daemon.store.write("ask for a cost", move |tx| {
        if let Some(token) = token
            && convergio_ledger::redeem_cost(tx, tenant, token, &offer, now)?
        {
            convergio_ledger::note_asked(tx, tenant, now)?;
            return Ok(None);
        }
        convergio_ledger::offer_cost(tx, tenant, &offer, now).map(Some)
    });
    let offered = write
        .await
        .map_err(|error: convergio_ledger::LedgerError| ledger_error(&error))?;
    let Some(cost_token) = offered else {
        return Ok(());
    };
    let cost = CostToConfirm {
        cost_token,
        expires_ms: now.wall_ms.saturating_add(convergio_ledger::OFFER_MS),
        expected_nano_usd: expected.expected_nano,
        ceiling_nano_usd: expected.ceiling_nano,
    };
    Err(unconfirmed(expected, &doubt, cost))
}

async fn doubt(
    daemon: &Daemon,
    expected: &Expected,
    may_be_dear: bool,
    can_ask: bool,
) -> Result<Option<Doubt>, RpcError> {
    let tenant = daemon.runs().tenant().id();
    let (provider, amount) = (expected.provider.clone(), expected.expected_nano);
    let read = daemon.store.read("read usual costs", move |conn| {
        let mut states = convergio_ledger::budgets(conn, tenant, Now::system())?;
        states.retain(|state| {
            state.stops
                && match state.name.scope {
                    Scope::Tenant => true,
                    Scope::Provider => state.name.scope_key == provider,
                    _ => false,
                }
        });
        // It is refused whatever anybody says: nobody is asked first.
        if states
            .iter()
            .any(|state| state.frozen || state.posted_nano >= state.limit_nano)
        {
            return Ok(None);
        }
        if may_be_dear {
            let usual = convergio_ledger::median_run_cost(conn, tenant, RUNS)?;
            if amount > convergio_ledger::shock_limit(usual) {
                return Ok(Some(Doubt::Dear(usual)));
            }
        }
        if !can_ask {
            return Ok(None);
        }
        let near = states
            .into_iter()
            .find(|state| !state.asked && state.is_spent(ASK_PERCENT));
        Ok::<_, convergio_ledger::LedgerError>(
            near.map(|state| Doubt::NearlySpent(Box::new(state))),
        )
    });
    read.await.map_err(|error| ledger_error(&error))
}

fn unconfirmed(expected: &Expected, doubt: &Doubt, cost: CostToConfirm) -> RpcError {
    let (likely, most) = (usd(expected.expected_nano), usd(expected.ceiling_nano));
    let model = &expected.model;
    let (what, why) = match doubt {
        Doubt::Dear(usual) => (
            format!("{model} would cost about {likely}, at most {most}"),
            match usual {
                Some(usual) => format!("runs usually cost {}; nothing was sent", usd(*usual)),
                None => "no run has cost so much before; nothing was sent".to_owned(),
            },
        ),
        Doubt::NearlySpent(state) => (
            format!(
                "{} is nearly spent: {} of {}",
                state.name,
                usd(state.posted_nano),
                usd(state.limit_nano)
            ),
            format!("{model} would cost about {likely}, at most {most}; nothing was sent"),
        ),
    };
    let mut error = RpcError::new(ErrorCode::ConfirmationRequired, what)
        .why(why)
        .hint(format!(
            "the same again with --max-cost {}",
            cents_up(expected.ceiling_nano)
        ));
    if let Some(data) = &mut error.data {
        data.cost = Some(cost);
    }
    error
}

/// A picture counts as so much text where a cost is guessed: about 1,500 tokens.
const PICTURE_BYTES: u64 = 6_000;

/// What a call will likely cost, nano-USD, where `usual_output` tokens are usual: the one figure of
/// previews, of `cv route explain` and of what a person is asked.
///
/// # Errors
/// That no sum can be so large.
pub(crate) fn likely(
    rates: &Rates,
    request: &ModelRequest,
    max_output: u32,
    usual_output: Option<u64>,
) -> Result<i64, RpcError> {
    let pictures = request.images().saturating_mul(PICTURE_BYTES);
    let bytes = request.text_bytes().saturating_add(pictures);
    convergio_ledger::expected_cost(rates, bytes, max_output, usual_output)
        .map_err(|error| ledger_error(&LedgerError::Money(error)))
}

/// How long a model's answers usually are.
///
/// # Errors
/// What the store said.
pub(crate) async fn usual_output(
    daemon: &Daemon,
    target: &Target,
) -> Result<Option<u64>, RpcError> {
    let tenant = daemon.runs().tenant().id();
    let (provider, model) = (target.provider.clone(), target.model.clone());
    let read = daemon.store.read("read usual answers", move |conn| {
        convergio_ledger::usual_output(conn, tenant, &provider, &model)
    });
    read.await
        .map_err(|error: convergio_ledger::LedgerError| ledger_error(&error))
}

/// A run's request by its hash in text.
pub(crate) fn hash_of(hex: Option<&String>) -> Result<[u8; 32], RpcError> {
    let bytes = hex.filter(|hex| hex.len() == 64 && hex.is_ascii());
    let parse = |hex: &String| {
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()?;
        }
        Some(hash)
    };
    bytes
        .and_then(parse)
        .ok_or_else(|| failure::internal("a run has no request", ""))
}
