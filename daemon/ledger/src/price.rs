//! Price tables: immutable, known by their content.

use convergio_models_api::Resource;
use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Now;
use crate::error::LedgerError;
use crate::rates::Rates;
use crate::text_enum::text_enum;

/// Rows of one sheet at most.
const ROWS_MAX: usize = 10_000;

const PIN: &str = "keep a price table";
const READ: &str = "read prices";

/// How a price that depends on the prompt's length applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierMode {
    /// The tier that the prompt reaches is the price of all.
    WholeRequest,
    /// Each tier is the price of what lies in it.
    Marginal,
}

text_enum!(TierMode {
    WholeRequest = "whole_request",
    Marginal = "marginal",
});

/// One price.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceRow {
    /// The provider's configured name.
    pub provider: String,
    /// The model's id as that provider knows it.
    pub model: String,
    /// What is priced; a resource that is a quota only has no price.
    pub resource: Resource,
    /// The provider's service tier; empty for its standard one.
    pub service_tier: String,
    /// From this many input tokens on.
    pub tier_min_prompt: u64,
    /// How that applies.
    pub tier_mode: TierMode,
    /// Nano-USD for a million units, not negative.
    pub nano_per_million: i64,
    /// Units that are billed together: quantities are rounded up to a multiple. 1 where each counts.
    pub quantum: u64,
}

/// A table of prices, before it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSheet {
    /// Where the prices come from: `catalog`, a file's path, `config`.
    pub source: String,
    /// Since when they hold, UTC.
    pub effective_from_ms: i64,
    /// The prices, in any order.
    pub rows: Vec<PriceRow>,
}

/// Prices of one model as settings have them: nano-USD for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simple {
    /// Input that no cache had.
    pub input: i64,
    /// Output, reasoning included.
    pub output: i64,
    /// Input read from the provider's cache; as `input` where none is given.
    pub cache_read: Option<i64>,
    /// Input written to a cache of five minutes; as `input` where none is given.
    pub cache_write_5m: Option<i64>,
    /// Input written to a cache of an hour; as the cache of five minutes where none is given.
    pub cache_write_1h: Option<i64>,
}

impl PriceSheet {
    /// A sheet of one model.
    #[must_use]
    pub fn simple(
        source: &str,
        effective_from_ms: i64,
        provider: &str,
        model: &str,
        price: Simple,
    ) -> Self {
        let write = price.cache_write_5m.unwrap_or(price.input);
        let rows = [
            (Resource::InUncached, price.input),
            (
                Resource::InCacheRead,
                price.cache_read.unwrap_or(price.input),
            ),
            (Resource::InCacheWrite5m, write),
            (
                Resource::InCacheWrite1h,
                price.cache_write_1h.unwrap_or(write),
            ),
            (Resource::OutText, price.output),
            (Resource::OutReasoning, price.output),
        ]
        .map(|(resource, nano_per_million)| PriceRow {
            provider: provider.to_owned(),
            model: model.to_owned(),
            resource,
            service_tier: String::new(),
            tier_min_prompt: 0,
            tier_mode: TierMode::WholeRequest,
            nano_per_million,
            quantum: 1,
        });
        Self {
            source: source.to_owned(),
            effective_from_ms,
            rows: rows.to_vec(),
        }
    }

    /// What the table is known by: of its prices, whatever their order.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        let mut rows: Vec<&PriceRow> = self.rows.iter().collect();
        rows.sort();
        let mut hash = Sha256::new();
        let mut text = |text: &str| {
            // Lengths keep neighbours apart.
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        for row in rows {
            text(&row.provider);
            text(&row.model);
            text(row.resource.as_str());
            text(&row.service_tier);
            text(&row.tier_min_prompt.to_string());
            text(row.tier_mode.as_str());
            text(&row.nano_per_million.to_string());
            text(&row.quantum.to_string());
        }
        hash.finalize().into()
    }
}

/// A table that is kept; an attempt names the one it was admitted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PriceVersion(pub Uuid);

/// Keeps a table, or finds that the same was kept before.
///
/// # Errors
/// [`LedgerError::Invalid`] for a negative price, two prices for the same, or too many rows.
pub fn pin(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    sheet: &PriceSheet,
    now: Now,
) -> Result<PriceVersion, LedgerError> {
    check(sheet)?;
    let sha256 = sheet.sha256();
    let known: Option<Uuid> = tx
        .prepare_cached("SELECT id FROM price_version WHERE tenant_id = ?1 AND sha256 = ?2")
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant_id, sha256.as_slice()], |row| row.get(0))
                .optional()
        })
        .map_err(at(tx, PIN))?;
    if let Some(id) = known {
        return Ok(PriceVersion(id));
    }
    let id = Uuid::now_v7();
    tx.execute(
        "INSERT INTO price_version (tenant_id, id, effective_from_ms, sha256, source, created_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            tenant_id,
            id,
            sheet.effective_from_ms,
            sha256.as_slice(),
            sheet.source,
            now.wall_ms
        ],
    )
    .map_err(at(tx, PIN))?;
    let mut statement = tx
        .prepare_cached(
            "INSERT INTO price (version_id, provider, model, resource, service_tier, \
             tier_min_prompt, tier_mode, nano_per_million, quantum) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .map_err(at(tx, PIN))?;
    for row in &sheet.rows {
        statement
            .execute(params![
                id,
                row.provider,
                row.model,
                row.resource.as_str(),
                row.service_tier,
                i64::try_from(row.tier_min_prompt).unwrap_or(i64::MAX),
                row.tier_mode,
                row.nano_per_million,
                i64::try_from(row.quantum).unwrap_or(i64::MAX),
            ])
            .map_err(at(tx, PIN))?;
    }
    Ok(PriceVersion(id))
}

fn check(sheet: &PriceSheet) -> Result<(), LedgerError> {
    let invalid = |reason| {
        Err(LedgerError::Invalid {
            what: "price table",
            reason,
        })
    };
    if sheet.rows.len() > ROWS_MAX {
        return invalid("more than 10,000 prices");
    }
    let mut keys = std::collections::HashSet::new();
    for row in &sheet.rows {
        if row.nano_per_million < 0 {
            return invalid("a negative price");
        }
        if row.quantum == 0 {
            return invalid("a quantum of nothing");
        }
        let key = (
            &row.provider,
            &row.model,
            row.resource,
            &row.service_tier,
            row.tier_min_prompt,
        );
        if !keys.insert(key) {
            return invalid("two prices for the same");
        }
    }
    Ok(())
}

/// Kept tables whose prices are not those that they are known by; 100 at most.
pub(crate) fn changed(conn: &Connection, tenant_id: Uuid) -> Result<Vec<Uuid>, LedgerError> {
    const CHANGED_MAX: usize = 100;
    let versions: Vec<(Uuid, Vec<u8>)> = conn
        .prepare("SELECT id, sha256 FROM price_version WHERE tenant_id = ?1 ORDER BY id")
        .and_then(|mut statement| {
            statement
                .query_map([tenant_id], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(at(conn, READ))?;
    let mut statement = conn
        .prepare(
            "SELECT provider, model, resource, service_tier, tier_min_prompt, tier_mode, \
             nano_per_million, quantum FROM price WHERE version_id = ?1",
        )
        .map_err(at(conn, READ))?;
    let mut changed = Vec::new();
    for (id, sha256) in versions {
        let rows: rusqlite::Result<Vec<PriceRow>> = statement
            .query_map([id], kept)
            .and_then(std::iter::Iterator::collect);
        let sheet = match rows {
            Ok(rows) => PriceSheet {
                source: String::new(),
                effective_from_ms: 0,
                rows,
            },
            Err(rusqlite::Error::FromSqlConversionFailure(..)) => {
                changed.push(id);
                continue;
            }
            Err(error) => return Err(at(conn, READ)(error).into()),
        };
        if sheet.sha256().as_slice() != sha256 {
            changed.push(id);
        }
        if changed.len() == CHANGED_MAX {
            break;
        }
    }
    Ok(changed)
}

fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<PriceRow> {
    let name: String = row.get(2)?;
    let resource = Resource::from_name(&name).ok_or_else(|| {
        rusqlite::types::FromSqlError::Other(format!("{name} is no resource").into())
    })?;
    Ok(PriceRow {
        provider: row.get(0)?,
        model: row.get(1)?,
        resource,
        service_tier: row.get(3)?,
        tier_min_prompt: row.get::<_, i64>(4)?.unsigned_abs(),
        tier_mode: row.get(5)?,
        nano_per_million: row.get(6)?,
        quantum: row.get::<_, i64>(7)?.unsigned_abs(),
    })
}

/// What a model costs by a kept table; `None` if the table doesn't know it. Only the standard
/// service tier.
///
/// # Errors
/// What the store said.
pub fn rates(
    conn: &Connection,
    version: PriceVersion,
    provider: &str,
    model: &str,
) -> Result<Option<Rates>, LedgerError> {
    let rows: Vec<PriceRow> = conn
        .prepare_cached(
            "SELECT provider, model, resource, service_tier, tier_min_prompt, tier_mode, \
             nano_per_million, quantum FROM price \
             WHERE version_id = ?1 AND provider = ?2 AND model = ?3 AND service_tier = ''",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![version.0, provider, model], kept)?
                .collect()
        })
        .map_err(at(conn, READ))?;
    Ok(Rates::of(rows))
}
