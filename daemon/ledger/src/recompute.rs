//! Whether every attempt's row is what its transfers and its prices make of it.

use std::collections::HashMap;

use convergio_models_api::{Resource, Usage};
use convergio_store::{Connection, at};
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::admit::HOLD_MAX_NANO;
use crate::attempt::{AttemptState, UsageSource};
use crate::error::LedgerError;
use crate::price::{self, PriceVersion};
use crate::rates::Rates;
use crate::transfer;

/// Attempts that are read at once.
const PAGE: usize = 500;
/// Faults that are named at most.
pub(crate) const FAULTS_MAX: usize = 100;
/// Models whose prices are kept meanwhile.
const RATES_MAX: usize = 256;

const READ: &str = "recompute attempts";

/// An attempt whose row is not what its transfers and prices make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptFault {
    /// Which.
    pub attempt_id: Uuid,
    /// The number of its first transfer; none where it has none.
    pub seq: Option<i64>,
    /// What is wrong.
    pub why: &'static str,
}

/// What of an attempt's row means money or a quantity.
struct Kept {
    id: Uuid,
    provider: String,
    model: String,
    local: bool,
    state: AttemptState,
    prices: Option<PriceVersion>,
    input_ceiling: i64,
    max_output: i64,
    hold_nano: i64,
    cost_nano: Option<i64>,
    usage: Option<String>,
    lines: Option<String>,
    source: Option<UsageSource>,
}

impl Kept {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            provider: row.get(1)?,
            model: row.get(2)?,
            local: row.get(3)?,
            state: row.get(4)?,
            prices: row.get::<_, Option<Uuid>>(5)?.map(PriceVersion),
            input_ceiling: row.get(6)?,
            max_output: row.get(7)?,
            hold_nano: row.get(8)?,
            cost_nano: row.get(9)?,
            usage: row.get(10)?,
            lines: row.get(11)?,
            source: row.get(12)?,
        })
    }
}

/// What an attempt's transfers say.
#[derive(Default)]
struct Booked {
    first_seq: Option<i64>,
    held: Option<i64>,
    posted: Option<i64>,
    over: Option<i64>,
    void: Option<i64>,
    /// Two of one kind, another unit, another kind.
    odd: bool,
    /// An account is not this provider's and model's.
    elsewhere: bool,
}

fn booked(conn: &Connection, tenant_id: Uuid, one: &Kept) -> Result<Booked, LedgerError> {
    let mut statement = conn
        .prepare_cached(
            "SELECT seq, kind, amount, debit, credit, unit FROM transfer \
             WHERE attempt_id = ?1 AND tenant_id = ?2 ORDER BY seq LIMIT 8",
        )
        .map_err(at(conn, READ))?;
    let mut rows = statement
        .query(params![one.id, tenant_id])
        .map_err(at(conn, READ))?;
    let (debit, credit) = (
        transfer::spent(&one.provider, &one.model),
        transfer::owed(&one.provider),
    );
    let mut booked = Booked::default();
    while let Some(row) = rows.next().map_err(at(conn, READ))? {
        let mut read = || -> rusqlite::Result<()> {
            booked.first_seq.get_or_insert(row.get(0)?);
            let (kind, amount): (String, i64) = (row.get(1)?, row.get(2)?);
            let place = match kind.as_str() {
                "pending" => &mut booked.held,
                "post" => &mut booked.posted,
                "overage" => &mut booked.over,
                "void" | "expire" => &mut booked.void,
                _ => {
                    booked.odd = true;
                    return Ok(());
                }
            };
            booked.odd |= place.replace(amount).is_some();
            booked.odd |= row.get::<_, String>(5)? != transfer::NANO_USD;
            booked.elsewhere |= row.get::<_, String>(3)? != debit;
            booked.elsewhere |= row.get::<_, String>(4)? != credit;
            Ok(())
        };
        read().map_err(at(conn, READ))?;
    }
    Ok(booked)
}

/// Prices that were read already.
struct RatesRead<'a> {
    conn: &'a Connection,
    known: HashMap<(Uuid, String, String), Option<Rates>>,
}

impl RatesRead<'_> {
    fn of(&mut self, one: &Kept) -> Result<Option<&Rates>, LedgerError> {
        let Some(version) = one.prices else {
            return Ok(None);
        };
        let key = (version.0, one.provider.clone(), one.model.clone());
        if !self.known.contains_key(&key) {
            if self.known.len() >= RATES_MAX {
                self.known.clear();
            }
            let rates = price::rates(self.conn, version, &one.provider, &one.model)?;
            self.known.insert(key.clone(), rates);
        }
        Ok(self.known.get(&key).and_then(Option::as_ref))
    }
}

/// Attempts whose rows are not what their transfers and prices make of them, and transfers of
/// attempts that are gone; 100 at most. Reads in pages. Nothing is recomputed from the tables of
/// prices in `changed`.
pub(crate) fn faults(
    conn: &Connection,
    tenant_id: Uuid,
    changed: &[Uuid],
) -> Result<Vec<AttemptFault>, LedgerError> {
    let mut faults = orphans(conn, tenant_id)?;
    let mut rates = RatesRead {
        conn,
        known: HashMap::new(),
    };
    let mut after = Uuid::nil();
    loop {
        let page = page(conn, tenant_id, after)?;
        let full = page.len() == PAGE;
        for (id, kept) in page {
            if faults.len() >= FAULTS_MAX {
                return Ok(faults);
            }
            after = id;
            let Some(one) = kept else {
                faults.push(AttemptFault {
                    attempt_id: id,
                    seq: None,
                    why: "it can't be read",
                });
                continue;
            };
            let booked = booked(conn, tenant_id, &one)?;
            let priced = one
                .prices
                .is_none_or(|version| !changed.contains(&version.0));
            if let Some(why) = fault(&one, &booked, priced.then_some(&mut rates))? {
                faults.push(AttemptFault {
                    attempt_id: id,
                    seq: booked.first_seq,
                    why,
                });
            }
        }
        if !full {
            return Ok(faults);
        }
    }
}

type Page = Vec<(Uuid, Option<Kept>)>;

fn page(conn: &Connection, tenant_id: Uuid, after: Uuid) -> Result<Page, LedgerError> {
    let read = |row: &Row<'_>| {
        let kept = match Kept::from_row(row) {
            Ok(kept) => Some(kept),
            // A value of another type or a word that nobody wrote.
            Err(
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..),
            ) => None,
            Err(error) => return Err(error),
        };
        Ok((row.get(0)?, kept))
    };
    Ok(conn
        .prepare_cached(
            "SELECT id, provider, model, local, state, price_version_id, input_ceiling, \
             max_output, est_nano, cost_nano, usage_json, lines_json, usage_source FROM attempt \
             WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )
        .and_then(|mut statement| {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            statement
                .query_map(params![tenant_id, after, limit], read)?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// Transfers of attempts that have no row.
fn orphans(conn: &Connection, tenant_id: Uuid) -> Result<Vec<AttemptFault>, LedgerError> {
    Ok(conn
        .prepare(
            "SELECT t.attempt_id, min(t.seq) FROM transfer t LEFT JOIN attempt a \
                ON a.tenant_id = t.tenant_id AND a.id = t.attempt_id \
             WHERE t.tenant_id = ?1 AND t.attempt_id IS NOT NULL AND a.id IS NULL \
             GROUP BY t.attempt_id ORDER BY min(t.seq) LIMIT ?2",
        )
        .and_then(|mut statement| {
            let limit = i64::try_from(FAULTS_MAX).unwrap_or(i64::MAX);
            statement
                .query_map(params![tenant_id, limit], |row| {
                    Ok(AttemptFault {
                        attempt_id: row.get(0)?,
                        seq: Some(row.get(1)?),
                        why: "its row is gone",
                    })
                })?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

fn fault(
    one: &Kept,
    booked: &Booked,
    rates: Option<&mut RatesRead<'_>>,
) -> Result<Option<&'static str>, LedgerError> {
    if one.local {
        return Ok(free(one, booked));
    }
    if booked.odd {
        return Ok(Some("its rows are not those of one call"));
    }
    if booked.elsewhere {
        return Ok(Some("its provider or model is not that of its rows"));
    }
    if booked.held != Some(one.hold_nano) {
        return Ok(Some("its hold is not that of its rows"));
    }
    if let Some(why) = resolved(one, booked) {
        return Ok(Some(why));
    }
    let Some(rates) = rates else {
        return Ok(None);
    };
    let Some(rates) = rates.of(one)? else {
        return Ok(Some("its prices are gone"));
    };
    let bounds = (
        u64::try_from(one.input_ceiling),
        u32::try_from(one.max_output),
    );
    let (Ok(input_ceiling), Ok(max_output)) = bounds else {
        return Ok(Some("its bounds are beyond what can be counted"));
    };
    if rates.hold(input_ceiling, max_output) != Ok(one.hold_nano) {
        return Ok(Some("its hold is not that of its bounds at its prices"));
    }
    Ok(itemized(one, rates, max_output))
}

/// A model on this machine costs nothing and has no rows.
fn free(one: &Kept, booked: &Booked) -> Option<&'static str> {
    if booked.first_seq.is_some() {
        return Some("it is called free, and has rows");
    }
    let costs = one.hold_nano != 0 || one.cost_nano.unwrap_or(0) != 0 || one.lines.is_some();
    costs.then_some("it is called free, and has a cost")
}

/// How it ended is how its transfers ended.
fn resolved(one: &Kept, booked: &Booked) -> Option<&'static str> {
    let paid = booked.posted.is_some() || booked.over.is_some();
    let fits = match one.state {
        AttemptState::Reserved | AttemptState::Dispatched => !paid && booked.void.is_none(),
        AttemptState::Voided => !paid && booked.void == booked.held,
        AttemptState::Settled | AttemptState::Unknown => {
            booked.posted.is_some() && booked.void.is_none()
        }
    };
    if !fits {
        return Some("its state is not that of its rows");
    }
    let ended = paid || booked.void.is_some();
    let (posted, over) = (booked.posted.unwrap_or(0), booked.over.unwrap_or(0));
    if one.cost_nano != ended.then(|| posted.saturating_add(over)) {
        return Some("its cost is not that of its rows");
    }
    // What is beyond the hold begins where the hold ends.
    (booked.over.is_some() && Some(posted) != booked.held)
        .then_some("it went beyond a hold that was not used up")
}

/// What was used makes the lines, and the lines make the cost.
fn itemized(one: &Kept, rates: &Rates, max_output: u32) -> Option<&'static str> {
    let (Some(usage), Some(lines)) = (usage(one.usage.as_deref()), lines(one.lines.as_deref()))
    else {
        return Some("what it used can't be read");
    };
    let nothing = usage.is_empty() && lines.is_empty();
    match (one.state, one.source) {
        (AttemptState::Reserved | AttemptState::Dispatched, None)
        | (AttemptState::Voided, Some(UsageSource::Nothing)) => {
            (!nothing).then_some("nothing was used, and it says otherwise")
        }
        (AttemptState::Unknown, Some(UsageSource::EstimateCeiling)) => {
            let whole = one.cost_nano == Some(one.hold_nano);
            (!nothing || !whole).then_some("its end is unknown, and it is not its whole hold")
        }
        (AttemptState::Settled, Some(UsageSource::EstimateCeiling)) => {
            if one.cost_nano != Some(one.hold_nano) || !lines.is_empty() {
                return Some("its hold was taken, and it is not its whole hold");
            }
            // It is taken where the output was not seen, or where the figures are absurd.
            let unseen = usage.output_tokens() >= Some(u64::from(max_output));
            let absurd = rates
                .cost(&usage)
                .map_or(true, |cost| cost.total_nano > HOLD_MAX_NANO);
            (!unseen && !absurd).then_some("its hold was taken, and what it used is less")
        }
        (AttemptState::Settled, Some(UsageSource::Reported | UsageSource::Estimate)) => match rates
            .cost(&usage)
        {
            Ok(cost) if cost.lines != lines => Some("its lines are not what it used at its prices"),
            Ok(cost) if one.cost_nano != Some(cost.total_nano) => {
                Some("its cost is not the sum of its lines")
            }
            Ok(_) => None,
            Err(_) => Some("its cost is beyond what can be counted"),
        },
        _ => Some("where its figures come from doesn't fit its state"),
    }
}

type Object = serde_json::Map<String, serde_json::Value>;

fn object(json: Option<&str>) -> Option<Object> {
    json.map_or_else(
        || Some(Object::new()),
        |json| serde_json::from_str(json).ok(),
    )
}

fn usage(json: Option<&str>) -> Option<Usage> {
    let mut usage = Usage::default();
    for (name, quantity) in object(json)? {
        usage.set(Resource::from_name(&name)?, Some(quantity.as_u64()?));
    }
    Some(usage)
}

/// In the order of the resources.
fn lines(json: Option<&str>) -> Option<Vec<(Resource, i64)>> {
    let mut lines = Vec::new();
    for (name, nano) in object(json)? {
        lines.push((Resource::from_name(&name)?, nano.as_i64()?));
    }
    lines.sort_unstable_by_key(|(resource, _)| *resource);
    Some(lines)
}
