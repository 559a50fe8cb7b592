//! Tokens that programs present at the gateway. Of their text only a hash is here.

use std::collections::BTreeMap;

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use crate::error::{RunsError, bounded};
use crate::run::{Hash32, Tenant};

/// Tokens that are good at one time, at most.
pub const TOKENS_MAX: i64 = 1_000;
/// Bytes of a token's models and of what names of models stand for, each.
const JSON_BYTES_MAX: usize = 16 << 10;
/// A use is written down this long after the one before.
const USE_EVERY_MS: i64 = 60_000;
/// Revoked ones are listed this long.
const REVOKED_SHOWN: i64 = 100;

const CREATE: &str = "create a token";
const READ: &str = "read tokens";
const CHANGE: &str = "change a token";

/// A token before it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// UUIDv7.
    pub id: Uuid,
    /// 1 to 64 of `a-z`, `A-Z`, `0-9`, `_`, `-` and `.`, the first a letter or digit. No two tokens
    /// ever have the same.
    pub name: String,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// The program that calls with it.
    pub client: String,
    /// The folder it was made for.
    pub root: Option<String>,
    /// The models that may be asked with it; every one where it is none.
    pub models: Option<Vec<String>>,
    /// What names of models stand for; `*` for every other name.
    pub map: BTreeMap<String, String>,
    /// Where answers may come from; as the settings say where it is none.
    pub policy: Option<String>,
    /// Good only while the connection lasts that made it.
    pub bound: bool,
    /// Good until then, UTC.
    pub expires_ms: Option<i64>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it was made of.
    pub token: NewToken,
    /// When it was made, UTC.
    pub created_ms: i64,
    /// When it was last used, to the minute, UTC.
    pub last_used_ms: Option<i64>,
    /// When it was taken back, UTC.
    pub revoked_ms: Option<i64>,
}

impl Token {
    /// Whether it opens the gateway at this time.
    pub fn is_good(&self, now_ms: i64) -> bool {
        let expired = self.token.expires_ms.is_some_and(|until| until <= now_ms);
        self.revoked_ms.is_none() && !expired
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let hash: Hash32 = row.get(2)?;
        let models: Option<String> = row.get(5)?;
        let map: String = row.get(6)?;
        Ok(Self {
            token: NewToken {
                id: row.get(0)?,
                name: row.get(1)?,
                hash: hash.0,
                client: row.get(3)?,
                root: row.get(4)?,
                models: models.map(|models| parsed(5, &models)).transpose()?,
                map: parsed(6, &map)?,
                policy: row.get(7)?,
                bound: row.get(8)?,
                expires_ms: row.get(10)?,
            },
            created_ms: row.get(9)?,
            last_used_ms: row.get(11)?,
            revoked_ms: row.get(12)?,
        })
    }
}

fn parsed<T: serde::de::DeserializeOwned>(column: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

const COLUMNS: &str = "id, name, hash, client, root, models_json, map_json, policy, bound, \
                       created_ms, expires_ms, last_used_ms, revoked_ms";

fn check_name(name: &str) -> Result<(), RunsError> {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let begins = name.bytes().next();
    if name.len() > 64
        || !begins.is_some_and(|byte| byte.is_ascii_alphanumeric())
        || !name.bytes().all(named)
    {
        return Err(RunsError::Invalid {
            what: "token name",
            reason: "it takes 1 to 64 letters, digits, '_', '-' and '.', the first a letter or \
                     digit",
        });
    }
    Ok(())
}

fn json(what: &'static str, value: &impl serde::Serialize) -> Result<String, RunsError> {
    let text = serde_json::to_string(value).map_err(|_| RunsError::Invalid {
        what,
        reason: "it cannot be written down",
    })?;
    bounded(what, Some(&text), JSON_BYTES_MAX)?;
    Ok(text)
}

/// Keeps a token. False where one has, or had, its name.
///
/// # Errors
/// [`RunsError::Invalid`] for another name, [`RunsError::TooLarge`] above [`TOKENS_MAX`].
pub fn create_token(
    tx: &Tx<'_>,
    tenant: Tenant,
    new: &NewToken,
    now_ms: i64,
) -> Result<bool, RunsError> {
    check_name(&new.name)?;
    let good: i64 = tx
        .prepare_cached(
            "SELECT count(*) FROM token WHERE tenant_id = ?1 AND revoked_ms IS NULL
             AND (expires_ms IS NULL OR expires_ms > ?2)",
        )
        .and_then(|mut query| query.query_row(params![tenant.id(), now_ms], |row| row.get(0)))
        .map_err(at(tx, CREATE))?;
    if good >= TOKENS_MAX {
        return Err(RunsError::TooLarge {
            what: "number of tokens",
            size: usize::try_from(good).unwrap_or(usize::MAX),
            limit: usize::try_from(TOKENS_MAX).unwrap_or(usize::MAX),
        });
    }
    let models = new.models.as_ref();
    let models = models.map(|models| json("token's models in bytes", models));
    let models = models.transpose()?;
    let map = json("token's names of models in bytes", &new.map)?;
    let changed = tx
        .prepare_cached(
            "INSERT INTO token (tenant_id, id, name, hash, client, root, models_json, map_json,
                                policy, bound, created_ms, expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (tenant_id, name) DO NOTHING",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                tenant.id(),
                new.id,
                new.name,
                Hash32(new.hash),
                new.client,
                new.root,
                models,
                map,
                new.policy,
                new.bound,
                now_ms,
                new.expires_ms
            ])
        })
        .map_err(at(tx, CREATE))?;
    Ok(changed == 1)
}

/// The token with this hash, whether it is good or not.
///
/// # Errors
/// Where the database cannot be read.
pub fn find_token(
    conn: &Connection,
    tenant: Tenant,
    hash: [u8; 32],
) -> Result<Option<Token>, RunsError> {
    let sql = format!("SELECT {COLUMNS} FROM token WHERE hash = ?2 AND tenant_id = ?1");
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut query| {
            query
                .query_row(params![tenant.id(), Hash32(hash)], Token::from_row)
                .optional()
        })
        .map_err(at(conn, READ))?)
}

/// Tokens that are good, by name, and the latest ones that are not any more.
///
/// # Errors
/// Where the database cannot be read.
pub fn list_tokens(
    conn: &Connection,
    tenant: Tenant,
    now_ms: i64,
) -> Result<Vec<Token>, RunsError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM token WHERE tenant_id = ?1
         ORDER BY (revoked_ms IS NOT NULL OR coalesce(expires_ms, ?2 + 1) <= ?2), created_ms DESC
         LIMIT ?3"
    );
    let limit = REVOKED_SHOWN + TOKENS_MAX;
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut query| {
            query
                .query_map(params![tenant.id(), now_ms, limit], Token::from_row)?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// Takes a token back; as it was before, none where there is none of that name.
///
/// # Errors
/// Where the database cannot be written.
pub fn revoke_token(
    tx: &Tx<'_>,
    tenant: Tenant,
    name: &str,
    now_ms: i64,
) -> Result<Option<Token>, RunsError> {
    let sql = format!("SELECT {COLUMNS} FROM token WHERE tenant_id = ?1 AND name = ?2");
    let found = tx
        .prepare_cached(&sql)
        .and_then(|mut query| {
            query
                .query_row(params![tenant.id(), name], Token::from_row)
                .optional()
        })
        .map_err(at(tx, CHANGE))?;
    if found.is_some() {
        tx.prepare_cached(
            "UPDATE token SET revoked_ms = coalesce(revoked_ms, ?3)
             WHERE tenant_id = ?1 AND name = ?2",
        )
        .and_then(|mut update| update.execute(params![tenant.id(), name, now_ms]))
        .map_err(at(tx, CHANGE))?;
    }
    Ok(found)
}

/// Takes back every token whose connection did not live to do it; how many.
///
/// # Errors
/// Where the database cannot be written.
pub fn revoke_bound_tokens(tx: &Tx<'_>, tenant: Tenant, now_ms: i64) -> Result<u64, RunsError> {
    let changed = tx
        .prepare_cached(
            "UPDATE token SET revoked_ms = ?2
             WHERE tenant_id = ?1 AND bound = 1 AND revoked_ms IS NULL",
        )
        .and_then(|mut update| update.execute(params![tenant.id(), now_ms]))
        .map_err(at(tx, CHANGE))?;
    Ok(changed as u64)
}

/// Writes down that a token was used, once a minute at most.
///
/// # Errors
/// Where the database cannot be written.
pub fn touch_token(tx: &Tx<'_>, tenant: Tenant, id: Uuid, now_ms: i64) -> Result<(), RunsError> {
    tx.prepare_cached(
        "UPDATE token SET last_used_ms = ?3
         WHERE tenant_id = ?1 AND id = ?2 AND coalesce(last_used_ms, 0) < ?4",
    )
    .and_then(|mut update| update.execute(params![tenant.id(), id, now_ms, now_ms - USE_EVERY_MS]))
    .map_err(at(tx, CHANGE))?;
    Ok(())
}
