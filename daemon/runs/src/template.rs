//! Prompts with a name.

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, Row, params};

use crate::error::{RunsError, bounded};
use crate::run::Tenant;

/// Templates at most.
pub const TEMPLATES_MAX: usize = 500;
/// The texts of all templates together at most, in bytes: one answer holds them, however they are
/// escaped.
pub const TEMPLATES_BYTES_MAX: usize = 1 << 20;
/// A template's texts at most, in bytes each.
pub const TEMPLATE_BYTES_MAX: usize = 256 << 10;
/// A model's name at most, in bytes.
const MODEL_BYTES_MAX: usize = 512;

const SAVE: &str = "save a template";
const READ: &str = "read templates";

/// A template before it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTemplate {
    /// Its name: 1 to 64 of `a-z`, `A-Z`, `0-9`, `_`, `-` and `.`, the first a letter or digit.
    pub name: String,
    /// Standing instructions; [`TEMPLATE_BYTES_MAX`] at most.
    pub system: Option<String>,
    /// The prompt, with its variables; [`TEMPLATE_BYTES_MAX`] at most.
    pub prompt: String,
    /// The model that it is for, `provider/model`; 512 bytes at most.
    pub model: Option<String>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Standing instructions.
    pub system: Option<String>,
    /// The prompt, with its variables.
    pub prompt: String,
    /// The model that it is for, `provider/model`.
    pub model: Option<String>,
    /// When it was saved, UTC.
    pub created_ms: i64,
}

const COLUMNS: &str = "name, system, prompt, created_ms, model";

impl Template {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            system: row.get(1)?,
            prompt: row.get(2)?,
            created_ms: row.get(3)?,
            model: row.get(4)?,
        })
    }
}

/// Saves a template in place of the one of its name, which it answers: the way back.
///
/// # Errors
/// [`RunsError::Invalid`] for another name, [`RunsError::TooLarge`] for a long text or above
/// [`TEMPLATES_MAX`] or [`TEMPLATES_BYTES_MAX`].
pub fn save_template(
    tx: &Tx<'_>,
    tenant: Tenant,
    new: &NewTemplate,
    now_ms: i64,
) -> Result<Option<Template>, RunsError> {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let begins = new.name.bytes().next();
    if new.name.len() > 64
        || !begins.is_some_and(|byte| byte.is_ascii_alphanumeric())
        || !new.name.bytes().all(named)
    {
        return Err(RunsError::Invalid {
            what: "template name",
            reason: "1 to 64 letters, digits, '_', '-' or '.', a letter or digit first",
        });
    }
    bounded("system (bytes)", new.system.as_deref(), TEMPLATE_BYTES_MAX)?;
    bounded("prompt (bytes)", Some(&new.prompt), TEMPLATE_BYTES_MAX)?;
    bounded("model (bytes)", new.model.as_deref(), MODEL_BYTES_MAX)?;
    let former = get_template(tx, tenant, &new.name)?;
    let (others, bytes): (i64, i64) = tx
        .query_row(
            "SELECT count(*), coalesce(sum(octet_length(prompt) + \
             coalesce(octet_length(system), 0)), 0) \
             FROM template WHERE tenant_id = ?1 AND name <> ?2",
            params![tenant.0, new.name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(at(tx, SAVE))?;
    let plus = |others: i64, more: usize| {
        usize::try_from(others)
            .unwrap_or(usize::MAX)
            .saturating_add(more)
    };
    let own = new.prompt.len() + new.system.as_ref().map_or(0, String::len);
    for (what, size, limit) in [
        ("the list of templates", plus(others, 1), TEMPLATES_MAX),
        (
            "all templates together (bytes)",
            plus(bytes, own),
            TEMPLATES_BYTES_MAX,
        ),
    ] {
        if size > limit {
            return Err(RunsError::TooLarge { what, size, limit });
        }
    }
    tx.execute(
        "INSERT INTO template (tenant_id, name, system, prompt, model, created_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant_id, name) DO UPDATE \
         SET system = excluded.system, prompt = excluded.prompt, model = excluded.model, \
             created_ms = excluded.created_ms",
        params![
            tenant.0, new.name, new.system, new.prompt, new.model, now_ms
        ],
    )
    .map_err(at(tx, SAVE))?;
    Ok(former)
}

/// All templates, by name; never more than [`TEMPLATES_MAX`].
///
/// # Errors
/// What the store said.
pub fn list_templates(conn: &Connection, tenant: Tenant) -> Result<Vec<Template>, RunsError> {
    let sql = format!("SELECT {COLUMNS} FROM template WHERE tenant_id = ?1 ORDER BY name");
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map([tenant.0], Template::from_row)?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// The template of a name.
///
/// # Errors
/// What the store said.
pub fn get_template(
    conn: &Connection,
    tenant: Tenant,
    name: &str,
) -> Result<Option<Template>, RunsError> {
    let sql = format!("SELECT {COLUMNS} FROM template WHERE tenant_id = ?1 AND name = ?2");
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant.0, name], Template::from_row)
                .optional()
        })
        .map_err(at(conn, READ))?)
}

/// Removes the template of a name and answers it: the way back. `None` if there was none.
///
/// # Errors
/// What the store said.
pub fn remove_template(
    tx: &Tx<'_>,
    tenant: Tenant,
    name: &str,
) -> Result<Option<Template>, RunsError> {
    let former = get_template(tx, tenant, name)?;
    tx.execute(
        "DELETE FROM template WHERE tenant_id = ?1 AND name = ?2",
        params![tenant.0, name],
    )
    .map_err(at(tx, "remove a template"))?;
    Ok(former)
}
