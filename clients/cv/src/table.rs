//! What verbs other than review print: rows for people, JSON for programs.

use serde_json::{Value, json};

use crate::{
    context::{Context, ErrorForm},
    error::Failure,
    output::{
        Answer, escape,
        layout::{Layout, Piece, columns},
        paint::Role,
    },
};

/// `--format` of every verb but review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// Markdown.
    Md,
    /// One JSON document.
    Json,
    /// One JSON object a line, then a terminal event.
    Ndjson,
}

impl Format {
    /// Its name for the daemon's program, which knows no Markdown.
    pub const fn offline(self) -> &'static str {
        match self {
            Self::Text | Self::Md => "text",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
        }
    }

    /// Notes how errors are to be told.
    pub const fn announce(self, context: &mut Context) {
        context.error_form = match self {
            Self::Text | Self::Md => ErrorForm::Notes,
            Self::Json => ErrorForm::Json,
            Self::Ndjson => ErrorForm::Ndjson,
        };
    }
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// One line, as it came: it is escaped when it is shown.
    pub text: String,
    /// What it is.
    pub role: Role,
}

/// A plain cell.
pub fn cell(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        role: Role::Plain,
    }
}

/// A cell with a role.
pub fn styled(text: impl Into<String>, role: Role) -> Cell {
    Cell {
        text: text.into(),
        role,
    }
}

/// Rows for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns; empty for none.
    pub headers: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Columns where they fit, else each row on its own lines.
    pub fn text(&self, layout: Layout) -> String {
        let header: Vec<Cell> = self
            .headers
            .iter()
            .map(|name| styled(*name, Role::Dim))
            .collect();
        let rows: Vec<&Vec<Cell>> = (!header.is_empty())
            .then_some(&header)
            .into_iter()
            .chain(&self.rows)
            .collect();
        let count = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let shown = |cell: &Cell| escape::line(&cell.text).into_owned();
        let widths: Vec<usize> = (0..count)
            .map(|i| {
                rows.iter()
                    .filter_map(|row| row.get(i))
                    .map(|cell| columns(&shown(cell)))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        // The last column may wrap as long as a few words fit into a line of it.
        let fixed: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
        let aligned = layout.width.is_none_or(|width| fixed + 24 <= width);
        let mut out = String::new();
        for row in rows {
            let mut pieces = Vec::new();
            for (i, cell) in row.iter().enumerate() {
                let text = shown(cell);
                if !aligned && text.is_empty() {
                    continue;
                }
                let last = i + 1 == row.len();
                let gap = if pieces.is_empty() { "" } else { "  " };
                if aligned && !last {
                    let pad = " ".repeat(widths[i].saturating_sub(columns(&text)));
                    pieces.push(Piece::new(gap, format!("{text}{pad}"), cell.role));
                } else if aligned {
                    for (j, word) in text.split(' ').enumerate() {
                        pieces.push(Piece::new(if j == 0 { gap } else { " " }, word, cell.role));
                    }
                } else {
                    pieces.push(Piece::new(gap, text, cell.role));
                }
            }
            let text = layout.pieces(&pieces, if aligned { fixed } else { 2 });
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }

    fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let plain = |text: &str| escape::line(text).replace('|', "\\|");
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let headers: Vec<String> = (0..count)
            .map(|i| {
                self.headers
                    .get(i)
                    .map_or_else(String::new, |name| plain(name))
            })
            .collect();
        let mut out = line(headers);
        out.push_str(&line(vec!["---".to_owned(); count]));
        for row in &self.rows {
            out.push_str(&line(row.iter().map(|cell| plain(&cell.text)).collect()));
        }
        out
    }
}

/// Prints a table, or the value behind it. `list` names the member of the value that holds the
/// rows; each becomes a line of NDJSON with that name as its type.
pub fn show(
    answer: &mut Answer,
    format: Format,
    table: &Table,
    value: &impl serde::Serialize,
    list: Option<(&str, &str)>,
) -> Result<(), Failure> {
    let failed = |error: serde_json::Error| Failure::output(&error.into());
    match format {
        Format::Text => {
            let text = table.text(answer.layout);
            answer.write(&text)?;
        }
        Format::Md => answer.write(&table.markdown())?,
        Format::Json => {
            let mut value = serde_json::to_value(value).map_err(failed)?;
            value["v"] = 1.into();
            answer.json(&value)?;
        }
        Format::Ndjson => {
            let mut value = serde_json::to_value(value).map_err(failed)?;
            if let Some((member, kind)) = list
                && let Some(Value::Array(rows)) = value.get_mut(member).map(Value::take)
            {
                for mut row in rows {
                    row["v"] = 1.into();
                    row["type"] = kind.into();
                    answer.json(&row)?;
                }
                answer.json(&json!({"v": 1, "type": "completed"}))?;
            } else {
                value["v"] = 1.into();
                value["type"] = "completed".into();
                answer.json(&value)?;
            }
        }
    }
    answer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            headers: vec!["run", "state", "what"],
            rows: vec![
                vec![
                    cell("a1"),
                    cell("completed"),
                    cell("the working tree\u{1b}"),
                ],
                vec![cell("b22"), cell("failed"), cell("stdin")],
            ],
        }
    }

    #[test]
    fn columns_line_up_where_they_fit_and_flow_where_not() {
        assert_eq!(
            table().text(Layout::default()),
            "run  state      what\na1   completed  the working tree\\u{1b}\nb22  failed     stdin\n"
        );
        let narrow = table().text(Layout {
            width: Some(20),
            color: false,
        });
        assert_eq!(
            narrow,
            "run  state  what\na1  completed\n  the working\n  tree\\u{1b}\nb22  failed  stdin\n"
        );
    }

    #[test]
    fn lines_of_json_end_with_one_terminal_event() {
        let value = json!({"runs": [{"run_id": "a"}, {"run_id": "b"}]});
        let mut table = table();
        table.rows.clear();
        let shared = crate::render::samples::Shared::default();
        let mut answer = shared.answer(Layout::default());
        show(
            &mut answer,
            Format::Ndjson,
            &table,
            &value,
            Some(("runs", "run")),
        )
        .expect("writes");
        let text = shared.text();
        let types: Vec<String> = text
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(value["v"], 1);
                value["type"].as_str().expect("a type").to_owned()
            })
            .collect();
        assert_eq!(types, ["run", "run", "completed"]);
    }
}
