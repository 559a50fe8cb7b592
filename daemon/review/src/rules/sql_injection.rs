//! `sql-injection`: a statement put together from values.

mod splices;

use std::ops::Range;

use crate::{
    finding::Severity,
    language::Language,
    matching::{calls, pattern, rows, ships, strings},
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "sql-injection",
    severity: Severity::Critical,
    title: "SQL statement built from values",
    reason: "A value with a quote in it changes the statement: it reads, alters or drops what it likes.",
    explain: "\
Finds SQL text with values spliced in: f-strings, template literals, `%`, `+`, `.format`, \
`String.format`, `Sprintf`, `format!`, interpolation in Ruby, PHP, Kotlin, C#, Swift, Scala, and dynamic SQL \
(`EXECUTE '…' || x`), over several lines too.\n\n\
Leaves alone: parameters (`?`, `%s`, `$1`, `:name`) with their values apart, tagged templates and macros that \
bind, names of tables and columns, lists of placeholders, numbers, escaped values, messages, tests.\n\n\
Do: write a placeholder and pass the value beside the statement.",
    languages: &[],
    triggers: &[
        "select ",
        "select\n",
        "insert into",
        "insert  into",
        "update ",
        "delete from",
        "replace into",
        "where ",
        "from ",
        "drop table",
        "execute ",
        "exec(",
        "exec (",
        "alter ",
        "truncate ",
        "merge into",
        " and ",
        " or ",
        "union ",
        "call ",
        "drop ",
        "create user",
        "select\\n",
        "select`",
        "where(",
        "where=",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str = "A value such as `' OR 1=1; --` turns the statement into another one.";

pattern!(
    STATEMENT,
    r#"(?i)["'`](?:\s|\\n|\\)*(?:\(\s*)?(select\s+[^"`;]{0,400}?\bfrom\s|select\s+\*|insert\s+(?:or\s+\w+\s+)?into\s|replace\s+into\s|update\s+[\w.\x22`\[\]{}$#()\\]+\s+set\s|delete\s+from\s|drop\s+(?:table|database|user|schema)\s|alter\s+(?:table|user|role)\s|truncate\s+table\s|merge\s+into\s|create\s+(?:user|database|role)\s|with\s+\w+\s+as\s*\(\s*select|from\s+\w+(?:\s+\w+)?\s+where\s|(?:where|and|or)\s+[\w.]+\s*(?:=|like|<|>|<=|>=|!=|in\s*\()\s*|union\s+select\s|grant\s+\w+\s+on\s|call\s+\w+\s*\(|exec\s+\w+\s)"#
);
pattern!(
    LOWER_EVIDENCE,
    r#"(?i)\bwhere\s+[\w.\x22`]+\s*(?:=|<|>|!=|i?like\s*['%?:$]|(?:not\s+)?in\s*\(|is\s+(?:not\s+)?null\b|between\s+[?:$'\d])|\bvalues\s*\(|select\s+\*|\bset\s+\w+\s*=|\bselect\s+count\(|\blimit\s+\d|=\s*'|\binto\s+\w+\s*\("#
);
pattern!(NUMBERS_ONLY, r"%[-+0-9.]*[svqxX@]|\{\}|\{\d|\{:|\{[a-z_]");
pattern!(
    COMMAND,
    r#"\b(?:psql|mysql|mariadb|sqlite3|sqlcmd|clickhouse-client)\b[^\n]*?("[^"\n]*\b(?:SELECT|INSERT|UPDATE|DELETE|DROP|select|insert|update|delete)\b[^"\n]*\$[\w{(@][^"\n]*")"#
);
pattern!(DOCUMENT, r#"<<<?[~-]?["]?([A-Z_]{2,})["]?[^\n]*\n"#);
pattern!(
    DOCUMENT_VERB,
    r"(?i)^\s*(?:SELECT\s[\s\S]*\bFROM\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s)"
);
pattern!(STREAMED, r#"["']\s*<<\s*[A-Za-z_]"#);
pattern!(
    RAILS,
    r#"(?:\.\s*|(?:^|[\s(=])(?-u:\b))(?:where|find_by_sql|update_all|delete_all|having|exists\?|count_by_sql|execute|exec_query|select_all|joins|order|group|pluck|reorder)\s*\(?\s*("[^"\n]*#\{[^"\n]*")"#
);
pattern!(
    DYNAMIC,
    r"(?i)\b(?:EXECUTE(?:\s+IMMEDIATE)?\s+\(?\s*'[^']*(?:''[^']*)*'(?:\s*\|\|\s*'[^']*(?:''[^']*)*')*\s*\|\|\s*|EXEC(?:UTE)?\s*\(\s*N?'[^']*(?:''[^']*)*'(?:\s*\+\s*N?'[^']*(?:''[^']*)*')*\s*\+\s*|SET\s+@\w+\s*=\s*N?'\s*(?:SELECT|INSERT|UPDATE|DELETE)\b[^']*(?:''[^']*)*'\s*\+\s*|SET\s+@\w+\s*=\s*CONCAT\s*\(\s*'\s*(?:SELECT|INSERT|UPDATE|DELETE)\b[^']*(?:''[^']*)*'\s*,\s*)([@\w.]+)"
);
pattern!(
    DYNAMIC_FORMAT,
    r"(?i)\bEXECUTE\s+format\s*\(\s*'[^']*%s[^']*'"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    use Language::*;
    if !ships(file)
        || matches!(
            file.language,
            Markdown
                | Text
                | Json
                | Yaml
                | Toml
                | Xml
                | Ini
                | Html
                | Css
                | Terraform
                | Dockerfile
                | Makefile
                | Unknown
        )
    {
        return;
    }
    let side = &hunk.new;
    if file.language == Sql {
        dynamic(side, sink);
        return;
    }
    if file.language == Shell {
        for found in COMMAND.captures_iter(&side.live) {
            let Some(group) = found.get(1) else { continue };
            if !side.in_test(group.start()) {
                report(side, group.range(), sink);
            }
        }
        return;
    }
    if matches!(file.language, Ruby | Php | Perl) {
        documents(side, sink);
    }
    for clause in splices::clauses(side, file.language) {
        report(side, clause, sink);
    }
    let mut done = 0;
    for found in STATEMENT.captures_iter(&side.live) {
        let (Some(whole), Some(verb)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let open = whole.start();
        if open < done || !is_opening(side, open) || side.in_test(open) {
            continue;
        }
        let start = expression_start(side, open);
        let expression = grouped(&side.code, start..calls::expression_end(&side.code, start));
        let (start, end) = (expression.start, expression.end);
        if !is_sql(&side.live[open + 1..end.max(open + 1)], verb.as_str()) {
            continue;
        }
        let Some(evidence) = harm(side, file.language, &expression, open) else {
            continue;
        };
        if is_bound(side, file.language, open, start)
            || is_message(side, start)
            || !side.touches_change(&evidence)
        {
            continue;
        }
        done = end;
        report(side, evidence, sink);
    }
    if file.language == Ruby {
        for found in RAILS.captures_iter(&side.live) {
            let Some(group) = found.get(1) else { continue };
            if group.start() < done && group.end() <= done
                || side.in_test(group.start())
                || splices::all_harmless(side, file.language, &group.range())
            {
                continue;
            }
            let is_known = sink
                .hits
                .iter()
                .any(|p| p.hit.range.start <= group.start() && group.start() < p.hit.range.end);
            if !is_known && side.touches_change(&group.range()) {
                report(side, group.range(), sink);
            }
        }
    }
}

/// Statements in here documents.
fn documents(side: &Side, sink: &mut Sink) {
    for found in DOCUMENT.captures_iter(&side.live) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let end = side.live[whole.end()..]
            .match_indices(name.as_str())
            .find(|(at, _)| side.live[..whole.end() + at].ends_with(['\n', ' ', '\t']))
            .map_or(side.live.len(), |(at, _)| whole.end() + at);
        let body = whole.end()..end.min(side.live.floor_char_boundary(whole.end() + 4096));
        let is_sql = DOCUMENT_VERB.is_match(&side.live[body.clone()]);
        let pieces = splices::spliced(&side.live[body.clone()]);
        let is_harmful =
            !pieces.is_empty() && !pieces.iter().all(|piece| splices::is_harmless(piece));
        if is_sql && is_harmful && !side.in_test(whole.start()) && side.touches_change(&body) {
            let line = side.line_range(side.line_at(whole.start()));
            report(
                side,
                whole.start()..line.end.max(body.end.min(side.live.len())),
                sink,
            );
        }
    }
}

fn report(side: &Side, range: Range<usize>, sink: &mut Sink) {
    let mut hit = Hit::at(range.clone(), TRIGGER);
    hit.confidence = if rows::is_input(&side.code[range]) {
        0.95
    } else {
        0.85
    };
    sink.hit(hit);
}

/// True if the quote at `at` opens a string (it stands in the code view, an odd one).
fn is_opening(side: &Side, at: usize) -> bool {
    let byte = side.code.as_bytes()[at];
    if !matches!(byte, b'"' | b'\'' | b'`') {
        return false;
    }
    // The insides of a literal are blank; behind a closing quote the text stands in both views.
    let inside = at + 1;
    let rest = &side.live.as_bytes()[inside..];
    let skip = rest
        .iter()
        .take_while(|b| b.is_ascii_whitespace() || **b == b'"' || **b == b'\\')
        .count();
    side.live.as_bytes().get(inside + skip) != side.code.as_bytes().get(inside + skip)
}

/// Goes back over literals and names that are joined to the left: `"a" + b + "SELECT …"`.
fn expression_start(side: &Side, open: usize) -> usize {
    let bytes = side.code.as_bytes();
    let mut at = open;
    while at > 0
        && matches!(
            bytes[at - 1],
            b'"' | b'\''
                | b'`'
                | b'$'
                | b'@'
                | b'f'
                | b'F'
                | b'r'
                | b'R'
                | b'b'
                | b's'
                | b'#'
                | b'u'
        )
        && open - at < 6
    {
        at -= 1;
    }
    at
}

/// The expression with the brackets that only group it, and what is done to the group.
fn grouped(code: &str, expression: Range<usize>) -> Range<usize> {
    let mut whole = expression;
    for _ in 0..3 {
        if code.as_bytes().get(whole.end) != Some(&b')') {
            break;
        }
        let Some(bracket) = enclosing_bracket(code, whole.start) else {
            break;
        };
        let before = code[..bracket].trim_end_matches([' ', '\t']);
        if before
            .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '!' | '>'))
            && !before.ends_with("return")
        {
            break;
        }
        whole = bracket..calls::expression_end(code, bracket);
    }
    whole
}

/// Upper-case keywords are SQL; lower-case ones may be English.
fn is_sql(text: &str, verb: &str) -> bool {
    let head: String = verb
        .chars()
        .take_while(|c| c.is_ascii_alphabetic())
        .collect();
    let is_upper = head.len() > 1 && head.bytes().all(|b| b.is_ascii_uppercase());
    let is_connector = matches!(head.to_ascii_lowercase().as_str(), "and" | "or" | "where");
    if is_connector {
        return text.contains('=')
            || text.to_ascii_lowercase().contains("like ")
            || text.contains('<')
            || text.contains('>')
            || text.to_ascii_lowercase().contains(" in ");
    }
    is_upper || LOWER_EVIDENCE.is_match(text)
}

/// What is spliced into the statement: the whole of it, or `None` where nothing harmful is.
fn harm(
    side: &Side,
    language: Language,
    expression: &Range<usize>,
    open: usize,
) -> Option<Range<usize>> {
    let streamed = language == Language::Cpp
        && STREAMED.is_match(&side.code[expression.clone()])
        && !speaks(side, expression.start);
    let built = streamed || strings::is_built(side, language, expression.clone());
    if built {
        return (!splices::all_harmless(side, language, expression)).then(|| expression.clone());
    }
    let call = formatter(side, open);
    if let Some((name_at, inside)) = call {
        let text = &side.live[expression.clone()];
        let parts = calls::split(&side.code, inside.clone());
        let inline = language == Language::Rust && splices::names_in_braces(text);
        let values: Vec<_> = parts
            .into_iter()
            .filter(|p| p.start > expression.start)
            .collect();
        let harmless = values
            .iter()
            .all(|v| splices::is_harmless(side.live[v.clone()].trim()));
        if NUMBERS_ONLY.is_match(text)
            && ((!values.is_empty() && !harmless)
                || (inline && !splices::all_harmless(side, language, expression)))
        {
            return Some(name_at..(inside.end + 1).min(side.code.len()));
        }
        return None;
    }
    let rest = &side.code[expression.end..];
    let appended = rest.strip_prefix(')').map(str::trim_start).and_then(|r| {
        r.strip_prefix(".append(")
            .or_else(|| r.strip_prefix(".Append("))
    });
    if let Some(value) = appended
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && !splices::is_harmless(value.split([')', '.']).next().unwrap_or(""))
    {
        let end = expression.end + rest.find(')').unwrap_or(0) + 1;
        return Some(expression.start..end);
    }
    ends_open(side, expression).then(|| expression.clone())
}

/// A literal that ends inside of a quoted value: the rest is appended by another statement.
fn ends_open(side: &Side, expression: &Range<usize>) -> bool {
    pattern!(OPEN_END, r#"(?:=|like)\s*'%?"\s*$"#);
    let text = &side.live[expression.clone()];
    text.starts_with('"') && OPEN_END.is_match(text) && text.matches('\'').count() % 2 == 1
}

/// The formatting call that the literal at `open` is an argument of.
fn formatter(side: &Side, open: usize) -> Option<(usize, Range<usize>)> {
    let bracket = enclosing_bracket(&side.code, open)?;
    let before = side.code[..bracket].trim_end().trim_end_matches('!');
    let name = calls::last_word(before);
    const FORMATTERS: [&str; 14] = [
        "format",
        "Sprintf",
        "sprintf",
        "snprintf",
        "asprintf",
        "vsprintf",
        "Format",
        "formatted",
        "StrCat",
        "write",
        "concat",
        "printf",
        "stringWithFormat",
        "NSString",
    ];
    let is_cocoa = name == "String" && side.live[bracket..open].contains("format:");
    let is_string_format = FORMATTERS.contains(&name) || is_cocoa;
    is_string_format.then(|| {
        (
            before.len() - name.len(),
            calls::inside(&side.code, bracket),
        )
    })
}

fn enclosing_bracket(code: &str, offset: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, byte) in code.as_bytes()[..offset]
        .iter()
        .enumerate()
        .rev()
        .take(2048)
    {
        match byte {
            b')' | b']' | b'}' => depth += 1,
            b'(' if depth == 0 => return Some(at),
            b'[' | b'{' if depth == 0 => return None,
            b'(' | b'[' | b'{' => depth -= 1,
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Tagged templates, interpolators and methods that bind what is spliced in.
fn is_bound(side: &Side, language: Language, open: usize, start: usize) -> bool {
    let before = side.code[..start.min(open)].trim_end();
    let is_template = side.code.as_bytes()[open] == b'`';
    if is_template && rows::is_javascript(language) {
        let tagged = before
            .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '>' | '$' | ')'))
            && side.code[..open].ends_with(|c: char| !c.is_whitespace());
        if tagged && !before.ends_with("return") {
            return true;
        }
    }
    if language == Language::Scala
        && ["sql", "fr", "fr0", "sqlu", "SQL", "cql", "q"].contains(&calls::last_word(before))
    {
        return true;
    }
    let Some(bracket) = enclosing_bracket(&side.code, open) else {
        return false;
    };
    let name = calls::last_word(side.code[..bracket].trim_end().trim_end_matches('!'));
    const BINDING: [&str; 12] = [
        "FromSqlInterpolated",
        "ExecuteSqlInterpolated",
        "ExecuteSqlInterpolatedAsync",
        "FromSql",
        "SqlQuery",
        "ExecuteSql",
        "ExecuteSqlAsync",
        "sql",
        "SQL",
        "fragment",
        "query_as",
        "dedent",
    ];
    (BINDING.contains(&name) && language != Language::Rust && name != "dedent")
        || (language == Language::Rust && side.code[..bracket].trim_end().ends_with("query!"))
}

/// The statement writes to a terminal or a log.
fn speaks(side: &Side, start: usize) -> bool {
    let line = &side.code[side.line_range(side.line_at(start))];
    [
        "cout", "cerr", "clog", "log", "LOG", "qDebug", "qWarning", "throw",
    ]
    .iter()
    .any(|w| line.contains(w))
}

/// Text for people: logs, errors, prints.
fn is_message(side: &Side, start: usize) -> bool {
    pattern!(
        SPEAKS,
        r"(?i)(?:^|[._:>])(?:log\w*|debug|info|warn|warning|error|trace|print\w*|println|exception|fail\w*|panic|puts|echo|assert\w*|\w*error|\w*exception|describe|it|test|message|abort|bail|anyhow|expect)$"
    );
    let Some(bracket) = enclosing_bracket(&side.code, start) else {
        return false;
    };
    let before = side.code[..bracket].trim_end().trim_end_matches('!');
    let from = before.floor_char_boundary(before.len().saturating_sub(60));
    let name = before[from..]
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or("");
    SPEAKS.is_match(name)
}

fn dynamic(side: &Side, sink: &mut Sink) {
    for found in DYNAMIC.captures_iter(&side.live) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let lower = name.as_str().to_ascii_lowercase();
        if !(lower.starts_with("quote_") || lower == "quotename" || lower.contains("dbms_assert")) {
            sink.hit(Hit::at(whole.range(), TRIGGER));
        }
    }
    for found in DYNAMIC_FORMAT.find_iter(&side.live) {
        sink.hit(Hit::at(found.range(), TRIGGER));
    }
}
