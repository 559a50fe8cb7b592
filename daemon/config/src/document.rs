//! Editing a TOML text without disturbing what else is in it.

use std::path::Path;

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike};

use crate::error::{ErrorKind, Fault};
use crate::parse::parse_toml;
use crate::value::{Layer, Origin, Value};

const ACTIVITY: &str = "change the settings";

/// The text with the value at `segments` set. Comments stay, those beside the
/// value included.
pub(crate) fn set(
    text: &str,
    path: &Path,
    segments: &[&str],
    value: &Value,
) -> Result<String, Fault> {
    let parsed = parse_toml(text, path, Layer::User, ACTIVITY)?;
    let upgraded = crate::migrate::upgrade(text, &parsed, path, ACTIVITY)?;
    let text = upgraded.as_deref().unwrap_or(text);
    let mut document = parse_mut(text, path)?;
    let Some((last, folders)) = segments.split_last() else {
        return Ok(text.to_owned());
    };
    let missing = segments
        .first()
        .is_some_and(|section| !document.contains_key(section));
    if missing && !text.is_empty() {
        // Put into the document, a new table would stand above the comments at
        // its end, which were written about what is there now.
        let section = set("", path, segments, value)?;
        return Ok(append(text, &section));
    }
    let not_a_table = |depth: usize| {
        let name = segments[..depth].join(".");
        Fault {
            kind: ErrorKind::WrongType,
            activity: ACTIVITY,
            origin: Some(Origin::file(path)),
            reason: format!("`{name}` is not a table there"),
            hint: format!("cv config unset {name}"),
        }
    };
    let mut item = document.as_item_mut();
    for (depth, name) in folders.iter().enumerate() {
        item = descend(item, name).ok_or_else(|| not_a_table(depth + 1))?;
    }
    let table = item
        .as_table_like_mut()
        .ok_or_else(|| not_a_table(folders.len()))?;
    let new: toml_edit::Value = match value {
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Word(value) => value.as_str().into(),
        Value::List(values) => toml_edit::Value::Array(values.iter().collect()),
        Value::Unset => return Ok(text.to_owned()),
    };
    match table.get_mut(last) {
        Some(Item::Value(old)) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        Some(_) | None => {
            table.insert(last, Item::Value(new));
        }
    }
    Ok(document.to_string())
}

/// The text, an empty line, and a section; with the text's own line ends.
fn append(text: &str, section: &str) -> String {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut whole = text.to_owned();
    if !text.ends_with('\n') {
        whole.push_str(line_end);
    }
    whole.push_str(line_end);
    whole.push_str(&section.replace('\n', line_end));
    whole
}

/// The table of this name, made in the style of its parent where it is
/// missing; `None` when something else has the name.
fn descend<'a>(parent: &'a mut Item, name: &str) -> Option<&'a mut Item> {
    let inline = parent.is_inline_table();
    let table = parent.as_table_like_mut()?;
    if !table.contains_key(name) {
        let item = if inline {
            Item::Value(InlineTable::new().into())
        } else {
            let mut new = Table::new();
            // Below dotted keys a header would open a table that TOML regards
            // as already defined.
            new.set_dotted(table.is_dotted());
            // A header of its own only where a value stands right below it.
            new.set_implicit(true);
            Item::Table(new)
        };
        table.insert(name, item);
    }
    table.get_mut(name).filter(|item| item.is_table_like())
}

/// The text without the named key or table; `None` when it is not there. The
/// comments above a removed line stay: they may be about more than it.
pub(crate) fn unset(text: &str, path: &Path, name: &str) -> Result<Option<String>, Fault> {
    let parsed = parse_toml(text, path, Layer::User, ACTIVITY)?;
    let mut segments = Vec::new();
    if !locate(parsed.as_table(), name, &mut segments) {
        return Ok(None);
    }
    if let Some(lines) = whole_lines(text, parsed.as_table(), &segments) {
        let mut without = String::with_capacity(text.len());
        without.push_str(&text[..lines.start]);
        without.push_str(&text[lines.end..]);
        // Only taken if it means what was asked for: the same document
        // without this key.
        if means_removal(text, &without, path, &segments)? {
            return Ok(Some(without));
        }
    }
    let mut document = parse_mut(text, path)?;
    remove(document.as_table_mut(), &segments);
    Ok(Some(document.to_string()))
}

/// Finds the keys that lead to a dotted name; keys may themselves hold dots.
fn locate(table: &dyn TableLike, name: &str, segments: &mut Vec<String>) -> bool {
    for (key, item) in table.iter() {
        // A model's id may be typed in quotes, as it stands in the file.
        let quoted = format!("\"{key}\"");
        if key == name || quoted == name {
            segments.push(key.to_owned());
            return true;
        }
        let rest = name
            .strip_prefix(key)
            .or_else(|| name.strip_prefix(quoted.as_str()))
            .and_then(|rest| rest.strip_prefix('.'));
        if let (Some(rest), Some(below)) = (rest, item.as_table_like()) {
            segments.push(key.to_owned());
            if locate(below, rest, segments) {
                return true;
            }
            segments.pop();
        }
    }
    false
}

/// The lines of `key = value`, if nothing else stands on them.
fn whole_lines(
    text: &str,
    root: &dyn TableLike,
    segments: &[String],
) -> Option<std::ops::Range<usize>> {
    let (last, folders) = segments.split_last()?;
    let mut table = root;
    for name in folders {
        table = table.get(name)?.as_table_like()?;
    }
    let (key, item) = table.get_key_value(last)?;
    if !item.is_value() {
        return None;
    }
    let (key, value) = (key.span()?, item.span()?);
    let start = text[..key.start]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let end = text[value.end..]
        .find('\n')
        .map_or(text.len(), |newline| value.end + newline + 1);
    Some(start..end)
}

fn means_removal(
    before: &str,
    after: &str,
    path: &Path,
    segments: &[String],
) -> Result<bool, Fault> {
    let mut expected = parse_mut(before, path)?;
    remove(expected.as_table_mut(), segments);
    let Ok(found) = after.parse::<DocumentMut>() else {
        return Ok(false);
    };
    Ok(same_values(expected.as_table(), found.as_table()))
}

/// Whether two tables hold the same keys and values. Empty tables count as
/// absent: a removed last key may leave one.
fn same_values(left: &dyn TableLike, right: &dyn TableLike) -> bool {
    let leaves = |table: &dyn TableLike| {
        let mut found = Vec::new();
        collect(table, &mut Vec::new(), &mut found);
        found.sort();
        found
    };
    leaves(left) == leaves(right)
}

fn collect(table: &dyn TableLike, at: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    for (key, item) in table.iter() {
        at.push(key.to_owned());
        match item.as_table_like() {
            Some(below) => collect(below, at, found),
            None => found.push((at.clone(), item.to_string().trim().to_owned())),
        }
        at.pop();
    }
}

fn remove(root: &mut dyn TableLike, segments: &[String]) {
    let Some((first, rest)) = segments.split_first() else {
        return;
    };
    if rest.is_empty() {
        root.remove(first);
    } else if let Some(below) = root.get_mut(first).and_then(Item::as_table_like_mut) {
        remove(below, rest);
    }
}

fn parse_mut(text: &str, path: &Path) -> Result<DocumentMut, Fault> {
    parse_toml(text, path, Layer::User, ACTIVITY)?;
    text.parse().map_err(|error: toml_edit::TomlError| Fault {
        kind: ErrorKind::Syntax,
        activity: ACTIVITY,
        origin: Some(Origin::file(path)),
        reason: crate::parse::one_line(error.message()),
        hint: "cv config edit".to_owned(),
    })
}
