//! Lists in the forms that launchers read.

use std::fmt::Write as _;

use convergio_contract::search::{SearchKind, SearchResult};
use serde_json::{Value, json};

use crate::output::escape;

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What [`super::chosen::chosen`] reads.
    pub id: String,
    /// What is shown first.
    pub title: String,
    /// What is shown beside or below it.
    pub detail: String,
    /// Name of an icon, of the freedesktop naming specification.
    pub icon: &'static str,
}

impl Row {
    fn new(id: String, title: &str, detail: &str, icon: &'static str) -> Self {
        Self {
            id,
            title: title.to_owned(),
            detail: detail.to_owned(),
            icon,
        }
    }
}

/// What was found, as rows.
#[must_use]
pub fn of_results(results: &[SearchResult]) -> Vec<Row> {
    let icon = |kind| match kind {
        SearchKind::Reminder => "appointment-soon",
        SearchKind::Task => "object-select",
        SearchKind::Session => "user-available",
        SearchKind::Template => "insert-text",
    };
    let rows = results.iter();
    rows.map(|found| {
        Row::new(
            found.id.clone(),
            &found.title,
            &found.detail,
            icon(found.kind),
        )
    })
    .collect()
}

/// What can be done with words that were typed.
#[must_use]
pub fn of_words(words: &str) -> Vec<Row> {
    let words = words.trim();
    if words.is_empty() {
        return Vec::new();
    }
    vec![
        Row::new(
            format!("remind:{words}"),
            "Remind me",
            words,
            "appointment-new",
        ),
        Row::new(
            format!("ask:{words}"),
            "Ask Convergio",
            words,
            "dialog-question",
        ),
    ]
}

/// What can be done with a task.
#[must_use]
pub fn of_task(number: &str) -> Vec<Row> {
    let snooze = |until: &str| format!("snooze:{number}:{until}");
    vec![
        Row::new(format!("done:{number}"), "Done", "", "object-select"),
        Row::new(
            snooze("in 10 minutes"),
            "Remind again in 10 minutes",
            "",
            "alarm",
        ),
        Row::new(
            snooze("tomorrow at 9"),
            "Remind again tomorrow at 9",
            "",
            "alarm",
        ),
        Row::new(format!("show:{number}"), "Show", "", "document-open"),
    ]
}

fn one_line(row: &Row) -> String {
    let title = escape::line(&row.title);
    if row.detail.is_empty() {
        title.into_owned()
    } else {
        format!("{title} · {}", escape::line(&row.detail))
    }
}

/// A line each, the id first: what dmenu prints can be given to `cv pick --run -`.
#[must_use]
pub fn dmenu(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        // The id of words is the words: it is what is typed, and not listed.
        let _ = writeln!(text, "{} {}", row.id, one_line(row));
    }
    text
}

/// Rows of rofi's script mode (rofi-script(5)): the text, NUL, then options between unit
/// separators. No text of others holds either, because both would be made visible.
#[must_use]
pub fn rofi(prompt: &str, rows: &[Row]) -> String {
    let mut text =
        format!("\0prompt\u{1f}{prompt}\n\0markup-rows\u{1f}false\n\0no-custom\u{1f}false\n");
    for row in rows {
        let _ = writeln!(
            text,
            "{}\0info\u{1f}{}\u{1f}icon\u{1f}{}",
            one_line(row),
            escape::line(&row.id),
            row.icon
        );
    }
    text
}

/// Alfred's script filter, JSON: <https://www.alfredapp.com/help/workflows/inputs/script-filter/json/>.
#[must_use]
pub fn alfred(rows: &[Row]) -> Value {
    let items: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "uid": row.id,
                "title": escape::line(&row.title),
                "subtitle": escape::line(&row.detail),
                "arg": row.id,
                "valid": true,
            })
        })
        .collect();
    json!({ "items": items })
}

/// Items of a Raycast extension's list.
#[must_use]
pub fn raycast(rows: &[Row]) -> Value {
    rows.iter()
        .map(|row| {
            json!({
                "id": row.id,
                "title": escape::line(&row.title),
                "subtitle": escape::line(&row.detail),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Vec<Row> {
        vec![Row::new(
            "task:3".to_owned(),
            "a\nb\0info\u{1f}done:4\u{202e} <b>&amp;",
            "-x\ty",
            "object-select",
        )]
    }

    #[test]
    fn no_title_adds_a_row_or_an_option() {
        let shown = rofi("cv", &hostile());
        assert_eq!(shown.lines().count(), 4);
        assert_eq!(shown.matches("info\u{1f}").count(), 1, "{shown:?}");
        assert_eq!(shown.matches('\0').count(), 4, "{shown:?}");
        assert!(shown.contains("\0info\u{1f}task:3\u{1f}icon\u{1f}object-select\n"));
        let shown = dmenu(&hostile());
        assert_eq!(shown.lines().count(), 1, "{shown:?}");
        assert!(shown.starts_with("task:3 a\\nb"), "{shown:?}");
        assert_eq!(
            super::super::chosen::chosen(&shown).unwrap().words,
            ["task", "show", "3"]
        );
    }

    #[test]
    fn words_stay_whole_in_what_programs_read() {
        let rows = of_words(" call \"Mario\" at 9 ");
        let items = alfred(&rows);
        assert_eq!(items["items"][0]["arg"], "remind:call \"Mario\" at 9");
        assert_eq!(items["items"][1]["valid"], true);
        assert_eq!(raycast(&rows)[1]["id"], "ask:call \"Mario\" at 9");
        assert!(of_words("  ").is_empty());
    }

    #[test]
    fn everything_that_is_offered_can_be_chosen() {
        for row in of_task("7").into_iter().chain(of_words("call Mario")) {
            assert!(super::super::chosen::chosen(&row.id).is_some(), "{row:?}");
        }
    }
}
