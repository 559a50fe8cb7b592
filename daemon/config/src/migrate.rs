//! Migrations of the settings file.
//!
//! Each one is frozen when it is released: it works on the document alone and
//! uses no key table, so that later changes can't alter what it does.

use std::path::Path;

use toml_edit::{DocumentMut, Item};

use crate::error::{ErrorKind, Fault};
use crate::value::Origin;

/// The version that this program writes and reads. A file without
/// `config_version` has version 1.
pub const CONFIG_VERSION: i64 = 1;

const VERSION_KEY: &str = "config_version";

/// Takes a document from one version to the next. Row `n` of the list leads
/// from version `n + 1` to `n + 2`.
type Migration = fn(&mut DocumentMut);

const MIGRATIONS: [Migration; (CONFIG_VERSION - 1) as usize] = [];

/// Text of the current version; `None` when it already was.
pub(crate) fn upgrade(
    text: &str,
    document: &toml_edit::Document<&str>,
    path: &Path,
    activity: &'static str,
) -> Result<Option<String>, Fault> {
    upgrade_with(text, document, path, activity, &MIGRATIONS)
}

fn upgrade_with(
    text: &str,
    document: &toml_edit::Document<&str>,
    path: &Path,
    activity: &'static str,
    migrations: &[Migration],
) -> Result<Option<String>, Fault> {
    let current = migrations.len() as i64 + 1;
    let version = version_of(text, document, path, activity, current)?;
    if version == current {
        return Ok(None);
    }
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| Fault {
        kind: ErrorKind::Syntax,
        activity,
        origin: Some(Origin::file(path)),
        reason: crate::parse::one_line(error.message()),
        hint: "cv config edit".to_owned(),
    })?;
    // `version` is at least 1 here, and less than the length plus one.
    let done = usize::try_from(version - 1).unwrap_or(0);
    for migration in migrations.iter().skip(done) {
        migration(&mut document);
    }
    document.insert(VERSION_KEY, toml_edit::value(current));
    Ok(Some(document.to_string()))
}

fn version_of(
    text: &str,
    document: &toml_edit::Document<&str>,
    path: &Path,
    activity: &'static str,
    current: i64,
) -> Result<i64, Fault> {
    let Some(item) = document.as_table().get(VERSION_KEY) else {
        return Ok(1);
    };
    let origin = Some(Origin::at(
        path,
        text,
        item.span().map_or(0, |span| span.start),
    ));
    match item {
        Item::Value(toml_edit::Value::Integer(number)) => {
            let version = *number.value();
            if version > current {
                return Err(Fault {
                    kind: ErrorKind::NewerVersion,
                    activity,
                    origin,
                    reason: format!(
                        "`{VERSION_KEY}` is {version}; this program understands up to {current}"
                    ),
                    hint: "update Convergio to the version that wrote this file".to_owned(),
                });
            }
            if version < 1 {
                return Err(Fault {
                    kind: ErrorKind::OutOfRange,
                    activity,
                    origin,
                    reason: format!("`{VERSION_KEY}` takes a number from 1 to {current}"),
                    hint: format!("write `{VERSION_KEY} = {current}`: cv config edit"),
                });
            }
            Ok(version)
        }
        _ => Err(Fault {
            kind: ErrorKind::WrongType,
            activity,
            origin,
            reason: format!("`{VERSION_KEY}` takes a whole number"),
            hint: format!("write `{VERSION_KEY} = {current}`: cv config edit"),
        }),
    }
}

/// Whether a top-level key is the version.
pub(crate) fn is_version_key(name: &str) -> bool {
    name == VERSION_KEY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, migrations: &[Migration]) -> Result<Option<String>, Fault> {
        let document = toml_edit::Document::parse(text).unwrap();
        upgrade_with(text, &document, Path::new("c.toml"), "test", migrations)
    }

    fn rename(document: &mut DocumentMut) {
        if let Some(item) = document.remove("old") {
            document.insert("new", item);
        }
    }

    fn double(document: &mut DocumentMut) {
        let number = document.get("new").and_then(Item::as_integer).unwrap_or(0);
        document.insert("new", toml_edit::value(number * 2));
    }

    #[test]
    fn each_migration_runs_once_in_order_from_the_files_version() {
        let both: &[Migration] = &[rename, double];
        let upgraded = run("# mine\nold = 2\n", both).unwrap().unwrap();
        assert!(upgraded.contains("new = 4") && upgraded.contains("config_version = 3"));
        let upgraded = run("config_version = 2\nnew = 2\n", both).unwrap().unwrap();
        assert!(upgraded.contains("new = 4"), "{upgraded}");
        assert_eq!(run("config_version = 3\nnew = 2\n", both).unwrap(), None);
    }

    #[test]
    fn a_newer_file_is_refused_with_its_place() {
        let fault = run("# c\n\nconfig_version = 2\n", &[]).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::NewerVersion);
        assert_eq!(fault.origin.unwrap().to_string(), "c.toml:3:18");
    }

    #[test]
    fn nonsense_versions_are_refused() {
        assert_eq!(
            run("config_version = 0", &[]).unwrap_err().kind,
            ErrorKind::OutOfRange
        );
        assert_eq!(
            run("config_version = 'x'", &[]).unwrap_err().kind,
            ErrorKind::WrongType
        );
        assert_eq!(run("config_version = 1", &[]).unwrap(), None);
    }
}
