//! Migrations written in a framework's own words.

use super::{HITS_MAX, TEMPORARY, report, way_down};
use crate::{
    finding::Severity,
    language::Language,
    matching::{calls, pattern},
    rule::Sink,
    view::{FileView, HunkView, Side},
};

pattern!(
    CODE_CALL,
    r"\bmigrations\.(RemoveField|DeleteModel)\s*\(|\b(?:op|batch_op|batch)\.(drop_table|drop_column)\s*\(|(?m:^)[ \t]*(drop_table|remove_column|remove_columns|drop_join_table|remove_reference|remove_belongs_to|remove_attachment|remove_timestamps)\b|\b\w+\.(remove|remove_columns|remove_timestamps|remove_references)\s+:|\bSchema::(drop|dropIfExists|dropColumns)\s*\(|->\s*(dropColumn|dropTimestamps|dropSoftDeletes|dropMorphs|dropConstrainedForeignId)\s*\(|\b\w+(?:\.schema)?\s*\.\s*(dropTable|dropTableIfExists|dropColumns?|removeColumns?|dropTimestamps|dropSchema|dropDatabase|dropAllTables|dropCollection)\s*\(|\b\w+\.(DropTable|DropColumn|DropSchema|DropCollection)\s*(?:<[^>\n]*>)?\s*\(|(?m:^)[ \t]*(drop(?:_if_exists)?\s*\(?\s*table)\s*\(|(?m:^)[ \t]*(remove)\s*[( ]\s*:|\b\w+\.\w*\.?(bulkDelete|deleteMany)\s*\(\s*(?:\{\s*\})?\s*\)|\b\w+\.(delete_all|destroy_all)\b|\.objects\.all\(\)\.(delete)\(\)"
);
pattern!(ALEMBIC_TYPES, r"(?s)\balter_column\s*\(.*?\)\s*(?:\n|$)");
pattern!(
    TYPE_NOW,
    r"\btype_\s*=\s*(?:sa|sqlalchemy|postgresql|mysql)?\.?(\w+)\s*\(?(?:length\s*=\s*)?(\d*)"
);
pattern!(
    TYPE_WAS,
    r"\bexisting_type\s*=\s*(?:sa|sqlalchemy|postgresql|mysql)?\.?(\w+)\s*\(?(?:length\s*=\s*)?(\d*)"
);
pattern!(
    RAILS_NARROW,
    r"(?m)^[ \t]*change_column\s+:\w+,\s*:\w+,\s*:(?:string,\s*limit:\s*[1-5]?\d\b|integer,\s*limit:\s*[12]\b|smallint)"
);

pub(super) fn code(file: &FileView<'_>, hunk: &HunkView<'_>, side: &Side, sink: &mut Sink) {
    for found in CODE_CALL.captures_iter(&side.code).take(HITS_MAX) {
        let Some((group, name)) = (1..found.len()).find_map(|i| found.get(i).map(|m| (i, m)))
        else {
            continue;
        };
        let word = name.as_str();
        let is_ruby = file.language == Language::Ruby;
        let fits = match group {
            3 => is_ruby,
            4 => is_ruby && side.code.contains("change_table"),
            10 => file.language == Language::Elixir,
            9 => file.language == Language::Elixir,
            12 => is_ruby,
            13 => file.language == Language::Python,
            _ => !is_ruby,
        };
        let line = side.line_range(side.line_at(name.start()));
        if !fits || calls::word_before(&side.code, name.start()) == "def" {
            continue;
        }
        let quoted = quoted_names(
            &side.live[name.start()
                ..side
                    .live
                    .floor_char_boundary((name.end() + 120).min(side.live.len()))],
        );
        if quoted.first().is_some_and(|table| {
            TEMPORARY.is_match(table) || recreated_in_code(side, table, name.start())
        }) {
            continue;
        }
        let table_like = word.to_ascii_lowercase().contains("table")
            || word == "DeleteModel"
            || word == "drop"
            || word == "dropIfExists";
        let title = if table_like {
            "Migration drops a table"
        } else if word.contains("elete") || word.contains("destroy") {
            "Migration deletes every row of a table"
        } else {
            "Migration drops a column"
        };
        let range = name.start()..calls::trim(&side.code, line).end.max(name.end());
        report(hunk, side, sink, range, title, Severity::Critical);
    }
    narrowed(hunk, side, sink);
}

fn quoted_names(text: &str) -> Vec<String> {
    text.split('\n')
        .next()
        .unwrap_or("")
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .skip(1)
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

/// True if the same hunk makes the table again behind the drop.
fn recreated_in_code(side: &Side, table: &str, from: usize) -> bool {
    let rest = &side.live[from..way_down(side, from)];
    [
        "create_table",
        "createTable",
        "Schema::create",
        "CreateTable",
        "create table",
    ]
    .iter()
    .any(|head| {
        rest.match_indices(head).any(|(at, m)| {
            let after = &rest[at + m.len()..];
            after[..after.floor_char_boundary(after.len().min(40))].contains(table)
        })
    })
}

fn narrowed(hunk: &HunkView<'_>, side: &Side, sink: &mut Sink) {
    for found in ALEMBIC_TYPES.find_iter(&side.code) {
        let inside = calls::inside(
            &side.code,
            found.start() + found.as_str().find('(').unwrap_or(0),
        );
        let text = &side.code[inside.clone()];
        let (Some(now), Some(was)) = (TYPE_NOW.captures(text), TYPE_WAS.captures(text)) else {
            continue;
        };
        if width(&now[1], &now[2]) < width(&was[1], &was[2]) && kind(&now[1]) == kind(&was[1]) {
            report(
                hunk,
                side,
                sink,
                found.start()..inside.end,
                "Migration narrows a column",
                Severity::Major,
            );
        }
    }
    for found in RAILS_NARROW.find_iter(&side.code) {
        report(
            hunk,
            side,
            sink,
            calls::trim(&side.code, found.range()),
            "Migration narrows a column",
            Severity::Major,
        );
    }
}

fn kind(name: &str) -> u8 {
    match name.to_ascii_lowercase().as_str() {
        "string" | "text" | "unicode" | "unicodetext" | "varchar" | "char" => 1,
        "integer" | "biginteger" | "smallinteger" | "bigint" | "smallint" | "int" => 2,
        _ => 0,
    }
}

fn width(name: &str, length: &str) -> u64 {
    let length: u64 = length.parse().unwrap_or(0);
    match name.to_ascii_lowercase().as_str() {
        "text" | "unicodetext" => u64::MAX,
        "biginteger" | "bigint" => 8,
        "integer" | "int" => 4,
        "smallinteger" | "smallint" => 2,
        _ if length > 0 => length,
        _ => u64::MAX,
    }
}
