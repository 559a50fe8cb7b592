//! From a document to a layer of checked values.

use std::collections::BTreeMap;
use std::path::Path;

use toml_edit::{Document, Item, Key, TableLike};

use crate::catalog::{Catalog, Refusal, Target};
use crate::error::{ErrorKind, Fault, quoted};
use crate::keys::KEYS;
use crate::migrate;
use crate::providers;
use crate::value::{Entry, Layer, Origin};

/// The most faults of one file that are reported; the last one says that there
/// are more.
pub const MAX_FAULTS: usize = 20;

/// The most rules that one file switches.
const MAX_SWITCHES: usize = 1_000;

/// The values of one layer by dotted name.
pub(crate) type Values = BTreeMap<String, Entry>;

/// What a document holds: its good values, and everything that is wrong.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) values: Values,
    pub(crate) faults: Vec<Fault>,
}

/// What is being read, for faults.
pub(crate) struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    layer: Layer,
    activity: &'static str,
    catalog: &'a Catalog,
    pub(crate) parsed: Parsed,
}

pub(crate) fn activity(layer: Layer) -> &'static str {
    match layer {
        Layer::Policy => "read the managed policy",
        Layer::Default | Layer::User | Layer::Environment | Layer::Flag => "read the settings",
    }
}

/// Parses the bytes of the user's file or of the policy.
pub(crate) fn parse(bytes: &[u8], path: &Path, layer: Layer, catalog: &Catalog) -> Parsed {
    let activity = activity(layer);
    match parse_text(bytes, path, layer, activity, catalog) {
        Ok(parsed) => parsed,
        Err(fault) => Parsed {
            values: Values::new(),
            faults: vec![fault],
        },
    }
}

fn parse_text(
    bytes: &[u8],
    path: &Path,
    layer: Layer,
    activity: &'static str,
    catalog: &Catalog,
) -> Result<Parsed, Fault> {
    let text = decode(bytes, path, layer, activity)?;
    let document = parse_toml(text, path, layer, activity)?;
    let upgraded = migrate::upgrade(text, &document, path, activity)?;
    let upgraded_document;
    let (text, document) = match &upgraded {
        None => (text, &document),
        Some(text) => {
            upgraded_document = parse_toml(text, path, layer, activity)?;
            (text.as_str(), &upgraded_document)
        }
    };
    let mut reader = Reader {
        text,
        path,
        layer,
        activity,
        catalog,
        parsed: Parsed::default(),
    };
    reader.read_sections(document.as_table());
    Ok(reader.parsed)
}

/// The bytes as text.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    path: &Path,
    layer: Layer,
    activity: &'static str,
) -> Result<&'a str, Fault> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        Fault {
            kind: ErrorKind::Syntax,
            activity,
            origin: Some(Origin::at(path, valid, valid.len())),
            reason: "this byte is not UTF-8".to_owned(),
            hint: edit_hint(layer, path),
        }
    })
}

/// The text as a document that remembers where everything stands.
pub(crate) fn parse_toml<'a>(
    text: &'a str,
    path: &Path,
    layer: Layer,
    activity: &'static str,
) -> Result<Document<&'a str>, Fault> {
    Document::parse(text).map_err(|error| Fault {
        kind: ErrorKind::Syntax,
        activity,
        origin: Some(Origin::at(
            path,
            text,
            error.span().map_or(0, |span| span.start),
        )),
        reason: one_line(error.message()),
        hint: edit_hint(layer, path),
    })
}

/// The parser's message without line ends or anything a terminal would obey.
pub(crate) fn one_line(message: &str) -> String {
    message
        .trim()
        .replace('\n', "; ")
        .escape_debug()
        .to_string()
}

fn edit_hint(layer: Layer, path: &Path) -> String {
    match layer {
        Layer::Policy => format!("an administrator must correct {}", path.display()),
        Layer::Default | Layer::User | Layer::Environment | Layer::Flag => {
            "cv config edit".to_owned()
        }
    }
}

impl Reader<'_> {
    fn read_sections(&mut self, root: &dyn TableLike) {
        for (key, item) in entries(root) {
            if self.is_full() {
                return;
            }
            let name = key.get();
            if migrate::is_version_key(name) {
                continue;
            }
            if name != providers::SECTION && !KEYS.iter().any(|spec| spec.section == name) {
                let nearest = match Catalog::nearest_section(name) {
                    Some(section) => Some(format!("[{section}]")),
                    None if item.is_table_like() => None,
                    None => self
                        .catalog
                        .find(name)
                        .err()
                        .and_then(|refusal| refusal.nearest),
                };
                let what = if item.is_table_like() {
                    "table"
                } else {
                    "setting"
                };
                self.unknown(
                    key,
                    name,
                    format!("no {what} is called {}", quoted(name)),
                    nearest,
                );
                continue;
            }
            match item.as_table_like() {
                Some(table) if name == providers::SECTION => self.read_providers(table),
                Some(table) => self.read_section(name, table),
                None => self.not_a_table(item, name),
            }
        }
    }

    fn read_section(&mut self, section: &str, table: &dyn TableLike) {
        for (key, item) in entries(table) {
            if self.is_full() {
                return;
            }
            let name = format!("{section}.{}", key.get());
            let switches = KEYS
                .iter()
                .any(|spec| spec.is_table() && spec.dotted() == name);
            if !switches {
                self.read_value(key, item, &name);
                continue;
            }
            let Some(table) = item.as_table_like() else {
                self.not_a_table(item, &name);
                continue;
            };
            for (position, (key, item)) in entries(table).into_iter().enumerate() {
                if position == MAX_SWITCHES {
                    self.too_many(key, &name, MAX_SWITCHES);
                    break;
                }
                self.read_value(key, item, &format!("{name}.{}", key.get()));
            }
        }
    }

    fn read_value(&mut self, key: &Key, item: &Item, name: &str) {
        let target = match self.catalog.find(name) {
            Ok(target) => target,
            Err(refusal) => {
                self.unknown(key, name, refusal.reason, refusal.nearest);
                return;
            }
        };
        self.read_target(key, item, &target);
    }

    pub(crate) fn read_target(&mut self, key: &Key, item: &Item, target: &Target) {
        match target.read_item(item) {
            Ok(value) => {
                let origin = self.at_key(key);
                self.parsed
                    .values
                    .insert(target.dotted(), Entry { value, origin });
            }
            Err(refusal) => self.bad_value(item, target, refusal),
        }
    }

    pub(crate) fn unknown(
        &mut self,
        key: &Key,
        name: &str,
        reason: String,
        nearest: Option<String>,
    ) {
        let origin = self.at_key(key);
        let remove = match self.layer {
            Layer::Policy => edit_hint(self.layer, self.path),
            Layer::Default | Layer::User | Layer::Environment | Layer::Flag => {
                format!("remove it: cv config unset {}", shell_word(name))
            }
        };
        let hint = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`? Otherwise {remove}"),
            None => remove,
        };
        self.fault(ErrorKind::UnknownKey, origin, reason, hint);
    }

    pub(crate) fn not_a_table(&mut self, item: &Item, name: &str) {
        let origin = self.at_item(item);
        self.fault(
            ErrorKind::WrongType,
            origin,
            format!("`{name}` is a table of settings, not a single value"),
            edit_hint(self.layer, self.path),
        );
    }

    fn bad_value(&mut self, item: &Item, target: &Target, refusal: Refusal) {
        let origin = self.at_item(item);
        let hint = match self.layer {
            Layer::Policy => edit_hint(self.layer, self.path),
            Layer::Default | Layer::User | Layer::Environment | Layer::Flag => {
                format!(
                    "cv config set {} {}",
                    target.typed(),
                    target.spec.typed_example()
                )
            }
        };
        self.fault(refusal.kind, origin, refusal.reason, hint);
    }

    /// There are more entries than anybody needs.
    pub(crate) fn too_many(&mut self, key: &Key, name: &str, most: usize) {
        let reason = format!("`{name}` has more than {most} entries");
        let hint = edit_hint(self.layer, self.path);
        self.fault(ErrorKind::TooLarge, self.at_key(key), reason, hint);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.parsed.faults.len() >= MAX_FAULTS
    }

    fn fault(&mut self, kind: ErrorKind, origin: Origin, reason: String, hint: String) {
        let faults = &mut self.parsed.faults;
        if faults.len() + 1 < MAX_FAULTS {
            faults.push(Fault {
                kind,
                activity: self.activity,
                origin: Some(origin),
                reason,
                hint,
            });
        } else if faults.len() + 1 == MAX_FAULTS {
            faults.push(Fault {
                kind,
                activity: self.activity,
                origin: Some(origin),
                reason: format!("{reason}; more may follow, only {MAX_FAULTS} are listed"),
                hint,
            });
        }
    }

    fn at_key(&self, key: &Key) -> Origin {
        Origin::at(
            self.path,
            self.text,
            key.span().map_or(0, |span| span.start),
        )
    }

    fn at_item(&self, item: &Item) -> Origin {
        Origin::at(
            self.path,
            self.text,
            item.span().map_or(0, |span| span.start),
        )
    }
}

/// The entries of a table with their keys, in the order of the file.
pub(crate) fn entries(table: &dyn TableLike) -> Vec<(&Key, &Item)> {
    table
        .iter()
        .filter_map(|(name, _)| table.get_key_value(name))
        .collect()
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    if plain && !word.is_empty() && !word.starts_with('-') {
        word.to_owned()
    } else {
        format!(
            "'{}'",
            word.escape_debug().to_string().replace('\'', "'\\''")
        )
    }
}
