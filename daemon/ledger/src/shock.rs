//! What a run will likely cost, and a person's yes to one that is far dearer than usual.

use convergio_models_api::{Resource, Usage};
use convergio_store::{Connection, Tx, at};
use rusqlite::params;
use uuid::Uuid;

use crate::clock::Now;
use crate::error::LedgerError;
use crate::money::MoneyError;
use crate::rates::Rates;

/// Nobody is asked about a run that is expected to cost no more than this: $0.50.
pub const SHOCK_FLOOR_NANO: i64 = 500_000_000;
/// How long a yes may take: 5 minutes.
pub const OFFER_MS: i64 = 5 * 60 * 1_000;

/// How much dearer than usual is asked about.
const TIMES_USUAL: i64 = 5;
/// Bytes of text that a token has, on the whole.
const BYTES_PER_TOKEN: u64 = 4;
/// Answers that the usual length is taken from, and attempts that are looked through for them.
const ANSWERS: i64 = 30;
const ATTEMPTS: i64 = 1_000;
/// Offers that are kept at once.
const OFFERS_MAX: i64 = 1_000;

/// What a call will likely cost, nano-USD: four bytes a token of input, and as much output as
/// answers of this model usually have, a quarter of the limit where none is known.
///
/// # Errors
/// [`MoneyError::TooLarge`].
pub fn expected_cost(
    rates: &Rates,
    input_bytes: u64,
    max_output: u32,
    usual_output: Option<u64>,
) -> Result<i64, MoneyError> {
    let limit = u64::from(max_output);
    let output = usual_output.map_or(limit.div_ceil(4), |usual| usual.min(limit));
    let usage = Usage::default()
        .with(Resource::InUncached, input_bytes.div_ceil(BYTES_PER_TOKEN))
        .with(Resource::OutText, output);
    Ok(rates.cost(&usage)?.total_nano)
}

/// What a run may be expected to cost before somebody is asked, nano-USD: five times what half of
/// the last runs cost at most ([`crate::median_run_cost`]), and no less than [`SHOCK_FLOOR_NANO`].
#[must_use]
pub fn shock_limit(usual_run_nano: Option<i64>) -> i64 {
    usual_run_nano
        .unwrap_or(0)
        .saturating_mul(TIMES_USUAL)
        .max(SHOCK_FLOOR_NANO)
}

/// Output tokens that half of a model's last answers had at most; `None` before the first.
///
/// # Errors
/// What the store said.
pub fn usual_output(
    conn: &Connection,
    tenant_id: Uuid,
    provider: &str,
    model: &str,
) -> Result<Option<u64>, LedgerError> {
    let mut outputs: Vec<i64> = conn
        .prepare_cached(
            "SELECT coalesce(usage_json ->> '$.out_text', 0) \
                + coalesce(usage_json ->> '$.out_reasoning', 0) AS output \
             FROM (SELECT provider, model, usage_json, usage_source FROM attempt \
                WHERE tenant_id = ?1 ORDER BY started_ms DESC, id DESC LIMIT ?5) \
             WHERE provider = ?2 AND model = ?3 AND usage_source IN ('reported', 'estimate') \
             LIMIT ?4",
        )
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![tenant_id, provider, model, ANSWERS, ATTEMPTS],
                    |row| row.get(0),
                )?
                .collect()
        })
        .map_err(at(conn, "read usual answers"))?;
    outputs.sort_unstable();
    let middle = outputs.get(outputs.len().saturating_sub(1) / 2);
    Ok(middle.map(|output| output.unsigned_abs()))
}

/// From this much of a limit on, percent, a person is asked once in its window whether to go on.
pub const ASK_PERCENT: u8 = 95;

/// Notes that a person wants to go on although little is left: in every window that has reached
/// [`ASK_PERCENT`], so that nobody is asked twice.
///
/// # Errors
/// What the store said.
pub fn note_asked(tx: &Tx<'_>, tenant_id: Uuid, now: Now) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE budget_window SET asked_ms = max(?2, 1) WHERE asked_ms = 0 AND EXISTS (\
            SELECT 1 FROM budget b WHERE b.id = budget_id AND b.tenant_id = ?1 \
            AND b.unit = 'nano_usd' AND b.limit_amount > 0 \
            AND posted >= (b.limit_amount / 100) * ?3 + ((b.limit_amount % 100) * ?3 + 99) / 100)",
        params![tenant_id, now.wall_ms, ASK_PERCENT],
    )
    .map_err(at(tx, "note a person's answer"))?;
    Ok(())
}

/// What somebody may say yes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostOffer {
    /// SHA-256 of the request.
    pub request_hash: [u8; 32],
    /// Of the price table.
    pub price_sha256: [u8; 32],
    /// What the run holds at most, nano-USD.
    pub ceiling_nano: i64,
}

/// Keeps an offer; its token is good for this request at these prices, once, for [`OFFER_MS`].
///
/// # Errors
/// What the store said.
pub fn offer_cost(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    offer: &CostOffer,
    now: Now,
) -> Result<Uuid, LedgerError> {
    let failed = at(tx, "offer a cost");
    tx.execute(
        "DELETE FROM cost_offer WHERE tenant_id = ?1 AND (expires_ms <= ?2 OR id IN (\
            SELECT id FROM cost_offer WHERE tenant_id = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?3))",
        params![tenant_id, now.wall_ms, OFFERS_MAX - 1],
    )
    .map_err(&failed)?;
    let id = Uuid::now_v7();
    tx.execute(
        "INSERT INTO cost_offer (tenant_id, id, request_hash, price_sha256, ceiling_nano, \
         expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            tenant_id,
            id,
            offer.request_hash.as_slice(),
            offer.price_sha256.as_slice(),
            offer.ceiling_nano,
            now.wall_ms.saturating_add(OFFER_MS)
        ],
    )
    .map_err(&failed)?;
    Ok(id)
}

/// Takes an offer, once; `false` where it is another request's, of other prices, of a lower
/// ceiling, too old or taken before.
///
/// # Errors
/// What the store said.
pub fn redeem_cost(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    token: Uuid,
    offer: &CostOffer,
    now: Now,
) -> Result<bool, LedgerError> {
    // A clock that was set back makes no offer last longer.
    let taken = tx
        .execute(
            "DELETE FROM cost_offer WHERE tenant_id = ?1 AND id = ?2 AND request_hash = ?3 \
             AND price_sha256 = ?4 AND ceiling_nano >= ?5 AND expires_ms > ?6 \
             AND expires_ms <= ?6 + ?7",
            params![
                tenant_id,
                token,
                offer.request_hash.as_slice(),
                offer.price_sha256.as_slice(),
                offer.ceiling_nano,
                now.wall_ms,
                OFFER_MS
            ],
        )
        .map_err(at(tx, "take an offered cost"))?;
    Ok(taken == 1)
}
