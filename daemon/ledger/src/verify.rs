//! Whether the books are what they were.

use convergio_store::{Connection, at};
use rusqlite::Row;
use uuid::Uuid;

use crate::error::LedgerError;
use crate::price;
use crate::recompute::{self, AttemptFault};
use crate::transfer::{Canonical, GENESIS};
use crate::window::{self, WindowDifference};

const VERIFY: &str = "verify the ledger";

/// The first row that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Its number.
    pub seq: i64,
    /// What is wrong.
    pub why: &'static str,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Sound transfers, up to the first that is not.
    pub rows: u64,
    /// The first that is not.
    pub bad: Option<Bad>,
    /// The hash of the last sound one; none where there is none.
    pub head: Option<[u8; 32]>,
    /// Budgets whose figures are not those of the transfers.
    pub differences: Vec<WindowDifference>,
    /// Attempts whose rows are not what their transfers and prices make of them; 100 at most.
    pub attempts: Vec<AttemptFault>,
    /// Tables of prices that are not what they are known by; 100 at most.
    pub prices: Vec<Uuid>,
    /// Numbers of corrections that no invoice stands behind, or another amount; 100 at most.
    pub adjustments: Vec<i64>,
}

impl Verified {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.bad.is_none()
            && self.differences.is_empty()
            && self.attempts.is_empty()
            && self.prices.is_empty()
            && self.adjustments.is_empty()
    }
}

/// Reads all transfers of a tenant: numbers without a gap, each hash over the row and the hash
/// before, every budget's figures as the transfers say, every attempt's hold, state, cost and lines
/// recomputed from its transfers, its prices and what it used, every table of prices what it is
/// known by. Takes as long as reading them takes.
///
/// # Errors
/// What the store said.
pub fn verify(conn: &Connection, tenant_id: Uuid) -> Result<Verified, LedgerError> {
    let failed = at(conn, VERIFY);
    let mut statement = conn
        .prepare(
            "SELECT seq, amount, attempt_id, boot_id, credit, debit, id, kind, mono_ns, \
             pending_id, unit, wall_ms, prev_hash, hash FROM transfer \
             WHERE tenant_id = ?1 ORDER BY seq",
        )
        .map_err(&failed)?;
    let mut rows = statement.query([tenant_id]).map_err(&failed)?;
    let mut verified = Verified::default();
    let mut previous = GENESIS;
    while let Some(row) = rows.next().map_err(&failed)? {
        let expected = i64::try_from(verified.rows).unwrap_or(i64::MAX) + 1;
        let checked = match check(row, tenant_id, expected, &previous) {
            Ok(checked) => checked?,
            // A value of another type or length than was written.
            Err(
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..),
            ) => Err(Bad {
                seq: expected,
                why: "it can't be read",
            }),
            Err(error) => return Err(failed(error).into()),
        };
        match checked {
            Ok(hash) => {
                previous = hash;
                verified.head = Some(hash);
            }
            Err(bad) => {
                verified.bad = Some(bad);
                break;
            }
        }
        verified.rows += 1;
    }
    verified.differences = window::differences(conn, tenant_id, None)?
        .into_iter()
        .map(|(_, _, difference)| difference)
        .collect();
    verified.adjustments = conn
        .prepare(
            "SELECT t.seq FROM transfer t LEFT JOIN adjustment a \
                ON a.tenant_id = t.tenant_id AND a.transfer_id = t.id \
             WHERE t.tenant_id = ?1 AND t.kind = 'adjust' AND abs(a.signed_nano) IS NOT t.amount \
             ORDER BY t.seq LIMIT 100",
        )
        .and_then(|mut statement| {
            statement
                .query_map([tenant_id], |row| row.get(0))?
                .collect()
        })
        .map_err(&failed)?;
    verified.prices = price::changed(conn, tenant_id)?;
    verified.attempts = recompute::faults(conn, tenant_id, &verified.prices)?;
    Ok(verified)
}

type Checked = Result<Result<[u8; 32], Bad>, LedgerError>;

fn check(
    row: &Row<'_>,
    tenant_id: Uuid,
    expected: i64,
    previous: &[u8; 32],
) -> rusqlite::Result<Checked> {
    let seq: i64 = row.get(0)?;
    let bad = |seq, why| Ok(Ok(Err(Bad { seq, why })));
    if seq != expected {
        return bad(expected, "it is missing");
    }
    let (credit, debit): (String, String) = (row.get(4)?, row.get(5)?);
    let (kind, unit): (String, String) = (row.get(7)?, row.get(10)?);
    let hash = Canonical {
        amount: row.get(1)?,
        attempt_id: row.get(2)?,
        boot_id: row.get(3)?,
        credit: &credit,
        debit: &debit,
        id: row.get(6)?,
        kind: &kind,
        mono_ns: row.get(8)?,
        pending_id: row.get(9)?,
        seq,
        tenant_id,
        unit: &unit,
        wall_ms: row.get(11)?,
    }
    .hash(previous);
    let hash = match hash {
        Ok(hash) => hash,
        Err(error) => return Ok(Err(error)),
    };
    if row.get::<_, [u8; 32]>(12)? != *previous {
        return bad(seq, "it doesn't follow the one before");
    }
    if row.get::<_, [u8; 32]>(13)? != hash {
        return bad(seq, "its content is not what was written");
    }
    Ok(Ok(Ok(hash)))
}
