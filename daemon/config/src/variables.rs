//! The environment as a layer: `CONVERGIO_<SECTION>_<KEY>`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::catalog::{Catalog, Place, Refusal, Target, closest, variable_word};
use crate::error::{ErrorKind, Fault, quoted};
use crate::keys::{KEYS, Kind};
use crate::parse::{MAX_FAULTS, Parsed, activity};
use crate::providers;
use crate::value::{Entry, Layer, Origin};

const PREFIX: &str = "CONVERGIO_";

/// Variables of the process that are no settings.
const NOT_SETTINGS: [&str; 3] = ["CONVERGIO_HOME", "CONVERGIO_SOCKET", "CONVERGIO_LOG"];

/// Reads the layer. The second part are warnings: variables that begin like
/// ours but name no section, and so may be another program's.
pub(crate) fn read(
    variables: &BTreeMap<String, OsString>,
    catalog: &Catalog,
) -> (Parsed, Vec<String>) {
    let mut parsed = Parsed::default();
    let mut warnings = Vec::new();
    for (name, value) in variables {
        if !name.starts_with(PREFIX) || NOT_SETTINGS.contains(&name.as_str()) || value.is_empty() {
            continue;
        }
        if parsed.faults.len() >= MAX_FAULTS || warnings.len() >= MAX_FAULTS {
            break;
        }
        let shown = name.escape_debug();
        let target = match find(name, catalog) {
            Lookup::Found(target) => target,
            Lookup::Unknown(nearest) => {
                let reason = "no setting has this variable".to_owned();
                let hint = match nearest {
                    Some(nearest) => format!("did you mean {nearest}? Otherwise: unset {shown}"),
                    None => format!("unset {shown}"),
                };
                parsed
                    .faults
                    .push(fault(name, ErrorKind::UnknownKey, reason, hint));
                continue;
            }
            Lookup::Foreign(nearest) => {
                let suggestion =
                    nearest.map_or(String::new(), |near| format!(", did you mean {near}?"));
                warnings.push(format!("{} sets nothing{suggestion}", quoted(name)));
                continue;
            }
        };
        let refusal = match value.to_str().map(|text| target.read_text(text)) {
            Some(Ok(value)) => {
                let origin = Origin::Variable { name: name.clone() };
                parsed
                    .values
                    .insert(target.dotted(), Entry { value, origin });
                continue;
            }
            Some(Err(refusal)) => refusal,
            None => Refusal {
                kind: ErrorKind::WrongType,
                reason: "its value is not UTF-8".to_owned(),
                nearest: None,
            },
        };
        let hint = format!(
            "export {shown}={}, or: unset {shown}",
            target.spec.typed_example()
        );
        parsed
            .faults
            .push(fault(name, refusal.kind, refusal.reason, hint));
    }
    (parsed, warnings)
}

enum Lookup {
    Found(Target),
    /// It begins with one of our sections.
    Unknown(Option<String>),
    /// It does not.
    Foreign(Option<String>),
}

fn find(name: &str, catalog: &Catalog) -> Lookup {
    for spec in KEYS {
        let variable = spec.variable();
        if spec.kind == Kind::Switches {
            let Some(word) = name
                .strip_prefix(&variable)
                .and_then(|rest| rest.strip_prefix('_'))
            else {
                continue;
            };
            let id = catalog
                .rules()
                .iter()
                .find(|id| variable_word(id) == word)
                .cloned()
                .unwrap_or_else(|| word.to_ascii_lowercase().replace('_', "-"));
            return match catalog.find(&format!("{}.{id}", spec.dotted())) {
                Ok(target) => Lookup::Found(target),
                Err(refusal) => {
                    let prefix = format!("{}.", spec.dotted());
                    let nearest = refusal
                        .nearest
                        .as_deref()
                        .and_then(|near| near.strip_prefix(&prefix))
                        .map(|near| format!("{variable}_{}", variable_word(near)));
                    Lookup::Unknown(nearest)
                }
            };
        }
        // Tables of lists stand in files only.
        if name == variable && !spec.is_table() {
            return Lookup::Found(Target {
                spec,
                place: Place::Alone,
            });
        }
    }
    let known: Vec<String> = KEYS
        .iter()
        .map(|spec| spec.variable().to_ascii_lowercase())
        .collect();
    let nearest = closest(name, known.iter().map(String::as_str)).map(str::to_ascii_uppercase);
    let ours = KEYS
        .iter()
        .map(|spec| spec.section)
        .chain([providers::SECTION])
        .any(|section| name.starts_with(&format!("{PREFIX}{}_", section.to_ascii_uppercase())));
    if ours {
        Lookup::Unknown(nearest)
    } else {
        Lookup::Foreign(nearest)
    }
}

fn fault(name: &str, kind: ErrorKind, reason: String, hint: String) -> Fault {
    Fault {
        kind,
        activity: activity(Layer::Environment),
        origin: Some(Origin::Variable {
            name: name.to_owned(),
        }),
        reason,
        hint,
    }
}
