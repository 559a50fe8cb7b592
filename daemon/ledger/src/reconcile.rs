//! What a provider says it bills, beside what the books say. Nothing is changed but by
//! [`crate::apply`], and then only by transfers that are added.

use std::collections::BTreeMap;

use convergio_models_api::Resource;
use convergio_store::{Connection, at};
use jiff::civil::Date;
use rusqlite::params;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::LedgerError;
use crate::invoice::{Invoice, InvoiceLine, Shape};
use crate::model_name::same_model;
use crate::text_enum::text_enum;

/// A day's difference that is no drift: a cent, or a hundredth of what is billed.
const TOLERANCE_NANO: i64 = 10_000_000;
/// Days that one file speaks of at most.
const DAYS_MAX: i64 = 3_700;

const READ: &str = "compare an invoice";

/// How an invoice and the books differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Drift {
    /// Billed, and not in the books.
    MissingLocal,
    /// In the books, and not billed.
    MissingRemote,
    /// The same was used, and another price was billed; or the file does not say what was used.
    PriceDrift,
    /// Something else was used than the books say.
    UsageDrift,
}

text_enum!(Drift {
    MissingLocal = "missing_local",
    MissingRemote = "missing_remote",
    PriceDrift = "price_drift",
    UsageDrift = "usage_drift",
});

/// One day of one model that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The day in UTC: `2026-11-20`.
    pub day: String,
    /// The provider's name in the ledger.
    pub provider: String,
    /// The model, as the books call it where they know it; none where the file names none.
    pub model: Option<String>,
    /// How.
    pub drift: Drift,
    /// By the books, earlier corrections included, nano-USD.
    pub local_nano: i64,
    /// By the provider, nano-USD; where it names no money, its quantities at the prices of the
    /// books. None where they have no price for it.
    pub remote_nano: Option<i64>,
    /// The provider named the money itself.
    pub remote_said: bool,
    /// Calls in the books.
    pub attempts: u64,
    /// Quantities by the books; output counts its reasoning.
    pub local: BTreeMap<Resource, u64>,
    /// Quantities by the provider, where it names some.
    pub remote: BTreeMap<Resource, u64>,
    /// What [`crate::apply`] would add, nano-USD, below zero where less was billed; none where the
    /// provider named no money.
    pub adjust_nano: Option<i64>,
}

/// A file beside the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    /// The file's form.
    pub shape: Shape,
    /// Days that the file speaks of, in UTC; none for an empty table.
    pub days: Option<(String, String)>,
    /// Lines of the file.
    pub lines: u64,
    /// Days of a provider that agree, within the tolerance.
    pub days_within: u64,
    /// By the books, over these days and providers, nano-USD.
    pub local_nano: i64,
    /// By the provider, over all that has a price, nano-USD.
    pub remote_nano: i64,
    /// Calls of these days that are not settled yet.
    pub open: u64,
    /// What differs, by day, provider and model.
    pub differences: Vec<Difference>,
    /// Of what differs: a confirmation is good for this alone.
    pub digest: [u8; 32],
}

type Quantities = BTreeMap<Resource, u64>;

/// One day of one provider.
type DayKey = (String, String);

#[derive(Debug, Default, Clone)]
struct Local {
    asked: Vec<String>,
    attempts: u64,
    nano: i64,
    quantities: Quantities,
    lines: BTreeMap<Resource, i64>,
}

#[derive(Debug, Default, Clone)]
struct Remote {
    nano: Option<i64>,
    quantities: Quantities,
}

/// Compares a file with the books.
///
/// # Errors
/// [`LedgerError::Invalid`] for a file of too many days or amounts beyond counting, or what the
/// store said.
pub fn reconcile(
    conn: &Connection,
    tenant_id: Uuid,
    invoice: &Invoice,
) -> Result<Reconciliation, LedgerError> {
    let mut result = Reconciliation {
        shape: invoice.shape,
        days: None,
        lines: invoice.lines.len() as u64,
        days_within: 0,
        local_nano: 0,
        remote_nano: 0,
        open: 0,
        differences: Vec::new(),
        digest: [0; 32],
    };
    let (Some(first), Some(last)) = (invoice.first_day, invoice.last_day) else {
        return Ok(result);
    };
    let span = (
        midnight(first)?,
        midnight(last.saturating_add(jiff::Span::new().days(1)))?,
    );
    if span.1.saturating_sub(span.0) > DAYS_MAX * 86_400_000 {
        return Err(LedgerError::Invalid {
            what: "invoice",
            reason: "it speaks of more than ten years",
        });
    }
    result.days = Some((first.to_string(), last.to_string()));
    let by_model = invoice.lines.iter().any(|line| line.model.is_some());
    let money = invoice.lines.iter().any(|line| line.amount_nano.is_some());
    let mut remote = remote_days(&invoice.lines, by_model)?;
    let providers: Vec<String> = {
        let mut names: Vec<String> = remote
            .keys()
            .map(|(_, provider)| provider.clone())
            .collect();
        names.extend(invoice.lines.iter().map(|line| line.provider.clone()));
        names.sort();
        names.dedup();
        names
    };
    let mut local = BTreeMap::new();
    for provider in &providers {
        result.open += local_days(conn, tenant_id, provider, span, by_model, &mut local)?;
        for key in local.keys() {
            remote.entry(DayKey::clone(key)).or_default();
        }
    }
    for (key, models) in remote {
        let books = local.remove(&key).unwrap_or_default();
        one_day(&key, models, books, money, &mut result)?;
    }
    result.digest = digest(&result.differences);
    Ok(result)
}

/// What the file says, by day and model.
fn remote_days(
    lines: &[InvoiceLine],
    by_model: bool,
) -> Result<BTreeMap<DayKey, BTreeMap<Option<String>, Remote>>, LedgerError> {
    let mut days: BTreeMap<DayKey, BTreeMap<Option<String>, Remote>> = BTreeMap::new();
    for line in lines {
        let model = line.model.clone().filter(|_| by_model);
        let day = days
            .entry((line.day.to_string(), line.provider.clone()))
            .or_default();
        let entry = day.entry(model).or_default();
        if let Some(nano) = line.amount_nano {
            let sum = entry.nano.unwrap_or(0).checked_add(nano);
            entry.nano = Some(sum.ok_or(crate::money::MoneyError::TooLarge)?);
        }
        if let (Some(resource), Some(quantity)) = (line.resource, line.quantity) {
            let sum = entry.quantities.entry(whole(resource)).or_default();
            *sum = sum.saturating_add(quantity);
        }
    }
    Ok(days)
}

/// Output is compared with its reasoning.
fn whole(resource: Resource) -> Resource {
    match resource {
        Resource::OutReasoning => Resource::OutText,
        other => other,
    }
}

/// What the books say of a provider; gives how many of its calls are open.
fn local_days(
    conn: &Connection,
    tenant_id: Uuid,
    provider: &str,
    (from_ms, until_ms): (i64, i64),
    by_model: bool,
    days: &mut BTreeMap<DayKey, BTreeMap<Option<String>, Local>>,
) -> Result<u64, LedgerError> {
    let failed = at(conn, READ);
    let mut open = 0;
    let mut statement = conn
        .prepare_cached(
            "SELECT date(started_ms / 1000, 'unixepoch'), model, coalesce(answered_by, model), \
                usage_json, lines_json, cost_nano FROM attempt \
             WHERE tenant_id = ?1 AND provider = ?2 AND started_ms >= ?3 AND started_ms < ?4 \
               AND local = 0",
        )
        .map_err(&failed)?;
    let mut rows = statement
        .query(params![tenant_id, provider, from_ms, until_ms])
        .map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let Some(cost) = row.get::<_, Option<i64>>(5).map_err(&failed)? else {
            open += 1;
            continue;
        };
        let usage: Option<String> = row.get(3).map_err(&failed)?;
        let lines: Option<String> = row.get(4).map_err(&failed)?;
        if cost == 0 && usage.is_none() {
            // Nothing was billed.
            continue;
        }
        let (day, asked): (String, String) =
            (row.get(0).map_err(&failed)?, row.get(1).map_err(&failed)?);
        let answered: String = row.get(2).map_err(&failed)?;
        let model = by_model.then_some(answered);
        let entry = days
            .entry((day, provider.to_owned()))
            .or_default()
            .entry(model)
            .or_default();
        if !entry.asked.contains(&asked) {
            entry.asked.push(asked);
        }
        entry.attempts += 1;
        entry.nano = entry.nano.saturating_add(cost);
        for (resource, quantity) in pairs(usage.as_deref()) {
            let sum = entry.quantities.entry(resource).or_default();
            *sum = sum.saturating_add(quantity.unsigned_abs());
        }
        for (resource, nano) in pairs(lines.as_deref()) {
            let sum = entry.lines.entry(resource).or_default();
            *sum = sum.saturating_add(nano);
        }
    }
    let mut statement = conn
        .prepare_cached(
            "SELECT day, model, sum(signed_nano) FROM adjustment \
             WHERE tenant_id = ?1 AND provider = ?2 GROUP BY day, model",
        )
        .map_err(&failed)?;
    let mut rows = statement
        .query(params![tenant_id, provider])
        .map_err(&failed)?;
    let in_span = |day: &str| {
        day.parse::<Date>()
            .ok()
            .and_then(|day| midnight(day).ok())
            .is_some_and(|begin| begin >= from_ms && begin < until_ms)
    };
    while let Some(row) = rows.next().map_err(&failed)? {
        let day: String = row.get(0).map_err(&failed)?;
        if !in_span(&day) {
            continue;
        }
        let model: String = row.get(1).map_err(&failed)?;
        let model = (by_model && !model.is_empty()).then_some(model);
        let models = days.entry((day, provider.to_owned())).or_default();
        // It was corrected under the name that was asked for.
        let known = model.as_ref().and_then(|name| {
            let mut known = models.iter();
            let found =
                known.find(|(key, local)| key.as_ref() == Some(name) || local.asked.contains(name));
            found.map(|(key, _)| key.clone())
        });
        let entry = models.entry(known.unwrap_or(model)).or_default();
        let nano: i64 = row.get(2).map_err(&failed)?;
        entry.nano = entry.nano.saturating_add(nano);
    }
    Ok(open)
}

fn pairs(json: Option<&str>) -> Vec<(Resource, i64)> {
    let object: serde_json::Map<String, serde_json::Value> = json
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    object
        .into_iter()
        .filter_map(|(name, value)| Some((whole(Resource::from_name(&name)?), value.as_i64()?)))
        .collect()
}

fn midnight(day: Date) -> Result<i64, LedgerError> {
    day.to_zoned(jiff::tz::TimeZone::UTC)
        .map(|begin| begin.timestamp().as_millisecond())
        .map_err(|_| LedgerError::Invalid {
            what: "invoice",
            reason: "a day that is no day",
        })
}

/// Puts what the file calls a model to what the books call it.
fn pair(
    remote: BTreeMap<Option<String>, Remote>,
    local: BTreeMap<Option<String>, Local>,
) -> Vec<(Option<String>, Option<Remote>, Option<Local>)> {
    let mut books: Vec<(Option<String>, Local, Option<Remote>)> = local
        .into_iter()
        .map(|(model, local)| (model, local, None))
        .collect();
    let mut alone = Vec::new();
    for (name, remote) in remote {
        let found = match &name {
            None => books.iter().position(|(model, ..)| model.is_none()),
            Some(name) => {
                let exactly = books.iter().position(|(model, local, _)| {
                    model.as_ref() == Some(name) || local.asked.contains(name)
                });
                exactly.or_else(|| {
                    books.iter().position(|(model, local, _)| {
                        let mut names = model.iter().chain(&local.asked);
                        names.any(|other| same_model(name, other))
                    })
                })
            }
        };
        match found.and_then(|at| books.get_mut(at)) {
            None => alone.push((name, Some(remote), None)),
            Some((_, _, one)) => {
                let sum = one.get_or_insert_with(Remote::default);
                if let Some(nano) = remote.nano {
                    sum.nano = Some(sum.nano.unwrap_or(0).saturating_add(nano));
                }
                for (resource, quantity) in remote.quantities {
                    let sum = sum.quantities.entry(resource).or_default();
                    *sum = sum.saturating_add(quantity);
                }
            }
        }
    }
    let books = books
        .into_iter()
        .map(|(model, local, remote)| (model, remote, Some(local)));
    books.chain(alone).collect()
}

/// The provider's quantities at the prices of the books; none where they have none for one.
fn priced(remote: &Quantities, local: &Local) -> Option<i64> {
    let mut sum: i128 = 0;
    for (resource, quantity) in remote.iter().filter(|(_, quantity)| **quantity > 0) {
        let known = local.quantities.get(resource).filter(|known| **known > 0)?;
        let nano = i128::from(*local.lines.get(resource)?);
        sum = sum.checked_add(nano.checked_mul(i128::from(*quantity))? / i128::from(*known))?;
    }
    i64::try_from(sum).ok()
}

/// More than a hundredth apart.
fn apart(one: u64, other: u64) -> bool {
    u128::from(one.abs_diff(other)) * 100 > u128::from(one.max(other))
}

fn one_day(
    (day, provider): &DayKey,
    remote: BTreeMap<Option<String>, Remote>,
    local: BTreeMap<Option<String>, Local>,
    money: bool,
    result: &mut Reconciliation,
) -> Result<(), LedgerError> {
    let mut found = Vec::new();
    let (mut apart_nano, mut billed, mut unpriced) = (0_i64, 0_i64, false);
    for (model, remote, local) in pair(remote, local) {
        let no_remote = remote.is_none();
        let (remote, local) = (remote.unwrap_or_default(), local.unwrap_or_default());
        let model = match local.asked.as_slice() {
            // The name that other sums have.
            [asked] if model.is_some() => Some(asked.clone()),
            _ => model,
        };
        let said = remote.nano.is_some() || (no_remote && money);
        let remote_nano = match remote.nano {
            Some(nano) => Some(nano),
            None if no_remote => Some(0),
            None => priced(&remote.quantities, &local),
        };
        let used_otherwise = !remote.quantities.is_empty()
            && Resource::ALL.iter().any(|resource| {
                let of = |quantities: &Quantities| quantities.get(resource).copied().unwrap_or(0);
                apart(of(&remote.quantities), of(&local.quantities))
            });
        let drift = if no_remote {
            Drift::MissingRemote
        } else if local.attempts == 0 {
            Drift::MissingLocal
        } else if used_otherwise || remote.nano.is_none() {
            Drift::UsageDrift
        } else {
            Drift::PriceDrift
        };
        let difference = remote_nano
            .map(|remote| remote.checked_sub(local.nano))
            .map(|difference| difference.ok_or(crate::money::MoneyError::TooLarge))
            .transpose()?;
        result.local_nano = result.local_nano.saturating_add(local.nano);
        billed = billed.saturating_add(remote_nano.unwrap_or(0));
        unpriced |= remote_nano.is_none();
        apart_nano = apart_nano.saturating_add(difference.unwrap_or(0).saturating_abs());
        if difference != Some(0) {
            found.push(Difference {
                day: day.clone(),
                provider: provider.clone(),
                model,
                drift,
                local_nano: local.nano,
                remote_nano,
                remote_said: said,
                attempts: local.attempts,
                local: local.quantities,
                remote: remote.quantities,
                adjust_nano: difference.filter(|_| said),
            });
        }
    }
    result.remote_nano = result.remote_nano.saturating_add(billed);
    let tolerance = TOLERANCE_NANO.max(billed.saturating_abs() / 100);
    if apart_nano > tolerance || unpriced {
        result.differences.append(&mut found);
    } else {
        result.days_within += 1;
    }
    Ok(())
}

/// What a person confirms.
fn digest(differences: &[Difference]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for one in differences {
        let model = one.model.as_deref().unwrap_or_default();
        for text in [one.day.as_str(), &one.provider, model, one.drift.as_str()] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update(one.local_nano.to_be_bytes());
        hash.update(one.adjust_nano.unwrap_or(i64::MIN).to_be_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundredth_is_not_apart() {
        assert!(!apart(100, 101) && !apart(0, 0) && !apart(1_000, 1_010));
        assert!(apart(100, 102) && apart(0, 1));
    }
}
