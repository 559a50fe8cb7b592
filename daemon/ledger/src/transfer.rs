//! Transfers: two accounts each, never changed, each with the hash of the one before.

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Now;
use crate::error::LedgerError;

/// The unit of money; the others are quotas.
pub(crate) const NANO_USD: &str = "nano_usd";

const APPEND: &str = "append a transfer";

/// What a transfer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Held.
    Pending,
    /// A hold, or a part of it, was spent; the rest is free again.
    Post,
    /// A hold is free again.
    Void,
    /// Spent beyond the hold.
    Overage,
    /// A provider's invoice says otherwise.
    Adjust,
    /// A quota was given.
    Grant,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Post => "post",
            Self::Void => "void",
            Self::Overage => "overage",
            Self::Adjust => "adjust",
            Self::Grant => "grant",
        }
    }
}

/// A transfer before it is written.
pub(crate) struct NewTransfer<'a> {
    pub(crate) tenant_id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) pending_id: Option<Uuid>,
    pub(crate) attempt_id: Uuid,
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) amount_nano: i64,
}

/// A row before it has its number.
pub(crate) struct NewRow<'a> {
    pub(crate) tenant_id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) pending_id: Option<Uuid>,
    pub(crate) debit: &'a str,
    pub(crate) credit: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) amount: i64,
    pub(crate) attempt_id: Option<Uuid>,
}

/// What was written.
pub(crate) struct Appended {
    pub(crate) id: Uuid,
    pub(crate) seq: i64,
}

/// A row as it is hashed: keys in alphabetical order, no spaces.
#[derive(Serialize)]
pub(crate) struct Canonical<'a> {
    pub(crate) amount: i64,
    pub(crate) attempt_id: Option<Uuid>,
    pub(crate) boot_id: Uuid,
    pub(crate) credit: &'a str,
    pub(crate) debit: &'a str,
    pub(crate) id: Uuid,
    pub(crate) kind: &'a str,
    pub(crate) mono_ns: i64,
    pub(crate) pending_id: Option<Uuid>,
    pub(crate) seq: i64,
    pub(crate) tenant_id: Uuid,
    pub(crate) unit: &'a str,
    pub(crate) wall_ms: i64,
}

impl Canonical<'_> {
    pub(crate) fn hash(&self, previous: &[u8; 32]) -> Result<[u8; 32], LedgerError> {
        let json = serde_json::to_vec(self).map_err(|error| LedgerError::Damaged {
            detail: format!("a transfer is no JSON: {error}"),
        })?;
        Ok(Sha256::new()
            .chain_update(previous)
            .chain_update(json)
            .finalize()
            .into())
    }
}

/// What precedes the first transfer.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// What a provider is owed for a model.
pub(crate) fn spent(provider: &str, model: &str) -> String {
    format!("spent/{provider}/{model}")
}

/// Whom it is owed to.
pub(crate) fn owed(provider: &str) -> String {
    format!("owed/{provider}")
}

/// Appends what an attempt holds, spends or frees.
pub(crate) fn append(
    tx: &Tx<'_>,
    new: &NewTransfer<'_>,
    now: Now,
) -> Result<Appended, LedgerError> {
    let row = NewRow {
        tenant_id: new.tenant_id,
        kind: new.kind,
        pending_id: new.pending_id,
        debit: &spent(new.provider, new.model),
        credit: &owed(new.provider),
        unit: NANO_USD,
        amount: new.amount_nano,
        attempt_id: Some(new.attempt_id),
    };
    append_row(tx, &row, now)
}

/// Appends a transfer between any two accounts.
pub(crate) fn append_row(tx: &Tx<'_>, new: &NewRow<'_>, now: Now) -> Result<Appended, LedgerError> {
    let head: Option<(i64, [u8; 32])> = tx
        .prepare_cached(
            "SELECT seq, hash FROM transfer WHERE tenant_id = ?1 ORDER BY seq DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([new.tenant_id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(at(tx, APPEND))?;
    let (last, previous) = head.unwrap_or((0, GENESIS));
    let (id, seq) = (Uuid::now_v7(), last + 1);
    let hash = Canonical {
        amount: new.amount,
        attempt_id: new.attempt_id,
        boot_id: now.boot_id,
        credit: new.credit,
        debit: new.debit,
        id,
        kind: new.kind.as_str(),
        mono_ns: now.mono_ns,
        pending_id: new.pending_id,
        seq,
        tenant_id: new.tenant_id,
        unit: new.unit,
        wall_ms: now.wall_ms,
    }
    .hash(&previous)?;
    tx.prepare_cached(
        "INSERT INTO transfer (tenant_id, id, seq, kind, pending_id, debit, credit, unit, amount, \
         attempt_id, wall_ms, boot_id, mono_ns, prev_hash, hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            new.tenant_id,
            id,
            seq,
            new.kind.as_str(),
            new.pending_id,
            new.debit,
            new.credit,
            new.unit,
            new.amount,
            new.attempt_id,
            now.wall_ms,
            now.boot_id,
            now.mono_ns,
            previous.as_slice(),
            hash.as_slice()
        ])
    })
    .map_err(at(tx, APPEND))?;
    Ok(Appended { id, seq })
}

/// An attempt's hold; none for a model on this machine.
pub(crate) fn hold_of(
    conn: &Connection,
    attempt_id: Uuid,
) -> Result<Option<(Uuid, i64)>, LedgerError> {
    Ok(conn
        .prepare_cached(
            "SELECT id, amount FROM transfer WHERE attempt_id = ?1 AND kind = 'pending'",
        )
        .and_then(|mut statement| {
            statement
                .query_row([attempt_id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(at(conn, "find a hold"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_this_one_for_ever() {
        let row = Canonical {
            amount: 4_140_000,
            attempt_id: Some(Uuid::from_u128(1)),
            boot_id: Uuid::from_u128(2),
            credit: "owed/example",
            debit: "spent/example/large",
            id: Uuid::from_u128(3),
            kind: Kind::Pending.as_str(),
            mono_ns: 5,
            pending_id: None,
            seq: 1,
            tenant_id: Uuid::from_u128(4),
            unit: NANO_USD,
            wall_ms: -6,
        };
        let json = concat!(
            r#"{"amount":4140000,"attempt_id":"00000000-0000-0000-0000-000000000001","#,
            r#""boot_id":"00000000-0000-0000-0000-000000000002","credit":"owed/example","#,
            r#""debit":"spent/example/large","id":"00000000-0000-0000-0000-000000000003","#,
            r#""kind":"pending","mono_ns":5,"pending_id":null,"seq":1,"#,
            r#""tenant_id":"00000000-0000-0000-0000-000000000004","unit":"nano_usd","wall_ms":-6}"#,
        );
        for previous in [GENESIS, [7; 32]] {
            let expected: [u8; 32] =
                Sha256::digest([previous.as_slice(), json.as_bytes()].concat()).into();
            assert_eq!(row.hash(&previous).unwrap(), expected);
        }
    }
}
