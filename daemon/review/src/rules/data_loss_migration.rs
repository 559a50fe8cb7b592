//! Migrations that throw data away.

mod code;

use std::ops::Range;

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{calls, pattern, scope},
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "data-loss-migration",
    severity: Severity::Critical,
    title: "Migration drops data",
    reason: "The data is gone as soon as the migration runs; rolling back restores the shape, not the content.",
    explain: "Finds, in the up direction of migrations: `DROP TABLE`, `DROP COLUMN`, `DROP DATABASE`, `TRUNCATE`, \
        `DELETE FROM` without `WHERE`, narrowing column types, and the same in Rails, Django, Alembic, Laravel, Knex, \
        Sequelize, TypeORM, Entity Framework, Ecto and Liquibase.\n\n\
        Leaves alone: `down`, `downgrade` and rollback parts, tables that are rebuilt in the same change, temporary \
        and staging tables, schema dumps, tests.\n\n\
        What to do: keep the data for a release (rename, stop writing first), back it up, then drop it.",
    languages: &[],
    triggers: &[
        "drop",
        "truncate",
        "delete",
        "remove",
        "alter",
        "modify",
        "change_column",
        "change(",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

pattern!(
    SQL,
    r#"(?i)\bDROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?([\w."`\[\]$]+)|\bDROP\s+(?:DATABASE|SCHEMA|KEYSPACE)\s+(?:IF\s+EXISTS\s+)?([\w."`\[\]$]+)|\bALTER\s+TABLE\s+[^;]*?\bDROP\s+(?:COLUMN\s+)?(?:IF\s+EXISTS\s+)?([\w."`\[\]$]+)|\bTRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?([\w."`\[\]$]+)|\bDELETE\s+FROM\s+(?:ONLY\s+)?([\w."`\[\]$]+)|\b(?:ALTER\s+(?:COLUMN\s+)?[\w."`\[\]$]+\s+(?:SET\s+DATA\s+)?(?:TYPE\s+)?|MODIFY\s+(?:COLUMN\s+)?[\w."`\[\]$]+\s+)((?:SMALLINT|TINYINT|SMALLSERIAL|REAL|N?(?:VAR)?CHAR\s*\(\s*[1-5]?\d\s*\)|CHARACTER VARYING\s*\(\s*[1-5]?\d\s*\)))"#
);
pattern!(
    DROP_COLUMN,
    r#"(?i)\bDROP\s+(?:COLUMN\s+)?(?:IF\s+EXISTS\s+)?([\w."`\[\]$]+)"#
);
/// What `ALTER TABLE … DROP` may drop without loss.
const SHAPE_WORDS: [&str; 20] = [
    "constraint",
    "index",
    "key",
    "foreign",
    "primary",
    "default",
    "not",
    "check",
    "trigger",
    "identity",
    "expression",
    "unique",
    "policy",
    "rule",
    "period",
    "system",
    "generated",
    "if",
    "using",
    "column",
];
pattern!(
    XML_CALL,
    r"<(dropTable|dropColumn|dropAllForeignKeyConstraintsX|delete)\b[^>]*>"
);
pattern!(YAML_CALL, r"(?m)^\s*-?\s*(dropTable|dropColumn):");
pattern!(
    DIRECTION,
    r"(?i)\b(?:def|function|func|fun|void|async|exports\.|const|public|protected)\s*(?:override\s+|self\.|async\s+|function\s+|void\s+)*(up|upgrade|forwards?|change|down|downgrade|backwards?|rollback|reverse|undo|revert)\w*\s*(?:=|\(|\n|$|:|do\b)|\bexports\.(up|down)\b|^\s*(?:async\s+)?(up|down)\s*(?:\(|:|=)|dir\.(up|down)\b|--\s*\+?(?:goose|migrate:?|micrate|sql-migrate|dbmate)\s*:?\s*(up|down)\b|--\s*(?:@|!|#|=+)?\s*(up|down|undo|rollback|revert)\b|^--\s*(?:down|rollback)|<(rollback)>|^\s*(rollback):|(reverse_sql|reverse_code)\s*="
);
pattern!(
    TEMPORARY,
    r"(?i)(?:^|[._\x60\x22\[])(?:tmp|temp|staging|stage|stg|bak|backup|old|new|scratch|work)_|_(?:tmp|temp|staging|stage|stg|bak|backup|old|new|copy|scratch|shadow)(?:$|[\x60\x22\]])|^#|^(?:tmp|temp)$"
);

/// How many statements of a hunk are weighed.
const HITS_MAX: usize = 100;
/// How far above a statement the direction is looked for.
const DIRECTION_LINES_MAX: usize = 400;

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !matches!(file.role, Role::Source | Role::Build) || !is_migration(file) {
        return;
    }
    let side = &hunk.new;
    sql(file, hunk, side, sink);
    match file.language {
        Language::Sql => {}
        Language::Xml => each(hunk, side, sink, &XML_CALL),
        Language::Yaml => each(hunk, side, sink, &YAML_CALL),
        _ => code::code(file, hunk, side, sink),
    }
}

fn is_migration(file: &FileView<'_>) -> bool {
    let path = file.path.to_ascii_lowercase();
    let name = file.name.to_ascii_lowercase();
    let is_dump = [
        "schema.sql",
        "structure.sql",
        "dump.sql",
        "schema.rb",
        "seed",
        "fixture",
        "teardown",
        "cleanup_test",
    ]
    .iter()
    .any(|d| name.contains(d));
    let goes_down = name.contains(".down.")
        || name.contains("_down.")
        || name.contains("-down.")
        || name.contains("rollback")
        || name.contains("undo")
        || name.contains("revert")
        || path.contains("/down/")
        || path.contains("/rollback")
        || path.contains("/revert/")
        || (name.starts_with('u')
            && name.contains("__")
            && name[1..].starts_with(|c: char| c.is_ascii_digit()));
    if is_dump || goes_down {
        return false;
    }
    let is_named = path.contains("migrat")
        || path.contains("alembic/versions")
        || path.contains("flyway")
        || path.contains("liquibase")
        || path.contains("changelog")
        || path.contains("changeset")
        || path.contains("/deploy/");
    let is_numbered = name.starts_with(|c: char| c.is_ascii_digit())
        || (name.starts_with(['v', 'r']) && name.contains("__"));
    let in_database = path.split('/').any(|f| {
        matches!(
            f,
            "db" | "sql"
                | "database"
                | "ddl"
                | "schema"
                | "updates"
                | "patches"
                | "upgrade"
                | "upgrades"
        )
    });
    is_named && file.language != Language::Unknown
        || file.language == Language::Sql && (is_numbered || in_database)
}

fn sql(file: &FileView<'_>, hunk: &HunkView<'_>, side: &Side, sink: &mut Sink) {
    for found in SQL.captures_iter(&side.live).take(HITS_MAX) {
        let Some(whole) = found.get(0) else { continue };
        let group = (1..found.len()).find(|i| found.get(*i).is_some());
        let Some((group, name)) = group.and_then(|g| found.get(g).map(|m| (g, m))) else {
            continue;
        };
        // In a program the statement stands in a string.
        let is_code = file.language != Language::Sql
            && file.language != Language::Xml
            && file.language != Language::Yaml;
        let in_string = side.code.as_bytes()[whole.start()] == b' ';
        if is_code != in_string
            && !(file.language == Language::Xml || file.language == Language::Yaml)
        {
            continue;
        }
        if group == 3 {
            dropped_columns(hunk, side, sink, last_drop(&side.live, whole.range()));
            continue;
        }
        let range = whole.range();
        let table = bare(name.as_str());
        let is_harmless = match group {
            4 => {
                is_word_of_code(file, &table)
                    || table.eq_ignore_ascii_case("on")
                    || table.eq_ignore_ascii_case("or")
            }
            5 => has_condition(&side.live, whole.end()),
            6 => {
                side.live[whole.range()]
                    .to_ascii_lowercase()
                    .starts_with("alter ")
                    && whole.as_str().to_ascii_lowercase().contains(" add ")
            }
            _ => false,
        };
        if is_harmless
            || TEMPORARY.is_match(&table)
            || is_rebuilt(side, &table, whole.range())
            || is_temporary(side, &table)
        {
            continue;
        }
        let (title, severity) = match group {
            1 => ("Migration drops a table", Severity::Critical),
            2 => (
                "Migration drops a whole database or schema",
                Severity::Critical,
            ),
            4 => ("Migration empties a table", Severity::Critical),
            5 => ("Migration deletes every row of a table", Severity::Critical),
            _ => ("Migration narrows a column", Severity::Major),
        };
        report(hunk, side, sink, range, title, severity);
    }
}

fn bare(name: &str) -> String {
    name.trim_matches(['"', '`', '[', ']', ';', '\''])
        .rsplit('.')
        .next()
        .unwrap_or(name)
        .trim_matches(['"', '`', '[', ']'])
        .to_owned()
}

fn is_word_of_code(file: &FileView<'_>, table: &str) -> bool {
    file.language != Language::Sql && table.is_empty()
}

/// The `DROP` that ends the match of an `ALTER TABLE`.
fn last_drop(text: &str, range: Range<usize>) -> usize {
    let part = text[range.clone()].to_ascii_uppercase();
    range.start + part.rfind("DROP").unwrap_or(0)
}

/// Every column that an `ALTER TABLE` drops, from its first `DROP` on.
fn dropped_columns(hunk: &HunkView<'_>, side: &Side, sink: &mut Sink, from: usize) {
    let rest = &side.live[from..];
    let in_code = side.code.as_bytes()[from] == b' ';
    let end = rest
        .find(|c| c == ';' || (in_code && c == '`'))
        .unwrap_or(rest.len())
        .min(rest.floor_char_boundary(4096));
    for found in DROP_COLUMN.captures_iter(&rest[..end]) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let column = bare(name.as_str());
        let head = side.live[..from + whole.start()]
            .trim_end()
            .to_ascii_lowercase();
        let alters_column = head
            .rsplit([',', ';'])
            .next()
            .is_some_and(|part| part.contains("alter column"))
            || head.rsplit([',', ';', '(']).next().is_some_and(|part| {
                part.trim_start().starts_with("alter ") && !part.contains("alter table")
            });
        if alters_column
            || column.is_empty()
            || SHAPE_WORDS.contains(&column.to_ascii_lowercase().as_str())
            || TEMPORARY.is_match(&column)
        {
            continue;
        }
        report(
            hunk,
            side,
            sink,
            from + whole.start()..from + whole.end(),
            "Migration drops a column",
            Severity::Critical,
        );
    }
}

/// True if a condition follows before the statement ends.
fn has_condition(text: &str, from: usize) -> bool {
    let rest = &text[from..text.floor_char_boundary((from + 600).min(text.len()))];
    let end = rest.find([';', '"', '`']).unwrap_or(rest.len());
    let statement = rest[..end].to_ascii_lowercase();
    ["where", "using", "limit"].iter().any(|w| {
        statement
            .split(|c: char| !c.is_alphanumeric())
            .any(|x| x == *w)
    })
}

/// True if the same hunk makes a table of this name (again) or gives another table this name.
fn is_rebuilt(side: &Side, table: &str, range: Range<usize>) -> bool {
    let lower = side.live[..way_down(side, range.end)].to_ascii_lowercase();
    let name = table.to_ascii_lowercase();
    if name.is_empty() {
        return false;
    }
    let makes = |at: usize, text: &str| {
        let after = text[at..]
            .trim_start()
            .trim_start_matches("if not exists")
            .trim_start();
        let word: String = after
            .trim_start_matches(['"', '`', '[', '\''])
            .chars()
            .take_while(|c| c.is_alphanumeric() || "_.$".contains(*c))
            .collect();
        word.rsplit('.').next() == Some(name.as_str())
    };
    let created = lower
        .match_indices("create table ")
        .any(|(at, m)| makes(at + m.len(), &lower));
    let renamed = lower[range.end.min(lower.len())..]
        .match_indices("rename to ")
        .any(|(at, m)| makes(range.end + at + m.len(), &lower));
    let renames_in_code = lower.contains("rename_table") && lower.contains(&name);
    created || renamed || renames_in_code
}

fn is_temporary(side: &Side, table: &str) -> bool {
    let lower = side.live.to_ascii_lowercase();
    let name = table.to_ascii_lowercase();
    [
        "create temp table ",
        "create temporary table ",
        "create temp table if not exists ",
        "create unlogged table ",
    ]
    .iter()
    .any(|head| {
        lower.match_indices(head).any(|(at, m)| {
            lower[at + m.len()..]
                .trim_start_matches("if not exists ")
                .starts_with(&name)
        })
    })
}

fn each(hunk: &HunkView<'_>, side: &Side, sink: &mut Sink, pattern: &regex::Regex) {
    for found in pattern.captures_iter(&side.live) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let title = if name.as_str() == "dropTable" {
            "Migration drops a table"
        } else {
            "Migration drops a column"
        };
        if name.as_str() == "delete" {
            continue;
        }
        report(
            hunk,
            side,
            sink,
            calls::trim(&side.live, whole.range()),
            title,
            Severity::Critical,
        );
    }
}

fn report(
    hunk: &HunkView<'_>,
    side: &Side,
    sink: &mut Sink,
    range: Range<usize>,
    title: &str,
    severity: Severity,
) {
    if side.in_test(range.start)
        || is_reverse(hunk, side, range.start)
        || is_excused(side, range.clone())
    {
        return;
    }
    let trigger = "The deployment runs the migration; whatever stood there is lost, and a rollback brings back an empty shape.";
    let mut hit = Hit::at(range, trigger);
    hit.title = Some(title.to_owned());
    hit.severity = Some(severity);
    sink.hit(hit);
}

/// Where the way down begins after `from`, or the end.
fn way_down(side: &Side, from: usize) -> usize {
    (side.line_at(from) + 1
        ..side
            .lines
            .len()
            .min(side.line_at(from) + DIRECTION_LINES_MAX))
        .find(|i| direction(&side.text[side.line_range(*i)]) == Some(true))
        .map_or(
            side.text
                .floor_char_boundary((from + 64 * 1024).min(side.text.len())),
            |i| side.lines[i].start,
        )
}

/// True if a comment there says that the data is kept or of no use.
fn is_excused(side: &Side, range: Range<usize>) -> bool {
    let comment = scope::comment_around(side, range).to_ascii_lowercase();
    [
        "backed up",
        "backup",
        "copied to",
        "moved to",
        "migrated to",
        "unused since",
        "never used",
        "empty since",
        "no data",
        "already empty",
        "recreated",
    ]
    .iter()
    .any(|w| comment.contains(w))
}

/// True if the nearest direction above says that this undoes the migration.
fn is_reverse(hunk: &HunkView<'_>, side: &Side, at: usize) -> bool {
    let line = side.line_at(at);
    let found = (line.saturating_sub(DIRECTION_LINES_MAX)..=line)
        .rev()
        .find_map(|index| direction(&side.text[side.line_range(index)]));
    found.or_else(|| direction(hunk.section)).unwrap_or(false)
}

/// `Some(true)` for the way down.
fn direction(line: &str) -> Option<bool> {
    let found = DIRECTION.captures(line)?;
    let word = (1..found.len())
        .find_map(|i| found.get(i))
        .map_or("down", |m| m.as_str())
        .to_ascii_lowercase();
    Some(!(word.starts_with("up") || word.starts_with("forward") || word.starts_with("change")))
}
