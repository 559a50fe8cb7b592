//! `sql-injection`: a statement put together from values.

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
        "select ", "select\n", "insert into", "insert  into", "update ", "delete from", "replace into", "where ", "from ",
        "drop table", "execute ", "exec(", "exec (", "alter ", "truncate ", "merge into", " and ", " or ", "union ", "call ", "drop ", "create user", "select\\n", "select`", "where(",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str = "A value such as `' OR 1=1; --` turns the statement into another one.";

pattern!(STATEMENT, r#"(?i)["'`](?:\s|\\n|\\)*(?:\(\s*)?(select\s+[^"`;]{0,400}?\bfrom\s|select\s+\*|insert\s+(?:or\s+\w+\s+)?into\s|replace\s+into\s|update\s+[\w.\x22`\[\]{}$#()\\]+\s+set\s|delete\s+from\s|drop\s+(?:table|database|user|schema)\s|alter\s+(?:table|user|role)\s|truncate\s+table\s|merge\s+into\s|create\s+(?:user|database|role)\s|with\s+\w+\s+as\s*\(\s*select|from\s+\w+(?:\s+\w+)?\s+where\s|(?:where|and|or)\s+[\w.]+\s*(?:=|like|<|>|<=|>=|!=|in\s*\()\s*|union\s+select\s|grant\s+\w+\s+on\s|call\s+\w+\s*\(|exec\s+\w+\s)"#);
pattern!(LOWER_EVIDENCE, r#"(?i)\bwhere\s+[\w.\x22`]+\s*(?:=|<|>|!=|i?like\s*['%?:$]|(?:not\s+)?in\s*\(|is\s+(?:not\s+)?null\b|between\s+[?:$'\d])|\bvalues\s*\(|select\s+\*|\bset\s+\w+\s*=|\bselect\s+count\(|\blimit\s+\d|=\s*'|\binto\s+\w+\s*\("#);
pattern!(SPLICE, r#"\$\{([^{}]*)\}|#\{([^{}]*)\}|\\\(([^()]*(?:\([^()]*\))?[^()]*)\)|\{\s*([^{}\n]*?)\s*\}|\$([A-Za-z_][\w]*(?:->\w+|\[[^\]\n]*\])?)|(@[a-z]\w*)"#);
pattern!(HARMLESS, r"(?i)^[\s('\x22$]*(?:(?:\w+[.\-:>$]+)*(?:\w*(?:place_?holders?|placeholder_?list|qmarks?|tables?|table_?name|tbl\w*|columns?|column_?names?|cols?|colnames?|fields?|field_?names?|schema\w*|db_?name|database|keyspace|prefix|suffix|clauses?|conditions?|conds|wheres?|where_?sql|filters?_?sql|joins?|select_?list|projection|sql|subquery|cte|query_?part|set_?clause|assignments|bind\w*|params?_?list|identifier|ident|quoted\w*|escaped\w*|safe\w*|dialect|limit_?clause|order_?clause|index_?name|returning|wpdb|posts|postmeta|usermeta|options|view_?name|sequence|constraint)))[\s)'\x22]*$");
pattern!(SHOUTED, r"^[\s(]*(?:[A-Za-z_]\w*(?:\.|::))*[A-Z][A-Z0-9_]*(?:\.\w+\(\))?[\s)]*$");
pattern!(SAFE_CALL, r"(?i)\b(?:escape\w*|quote\w*|quoteIdent\w*|int|Number|parseInt|intval|floatval|Integer|absint|to_i|len|real_escape_string|mysqli_real_escape_string|pg_escape_\w+|sanitize_sql\w*|esc_sql|Identifier|identifier|format_ident|quote_ident|quote_literal|prepare|to_sql|toSql|compile|placeholders?|literal|strconv\.Itoa|strconv\.FormatInt|toInt|Int|Long|repeat|count|size|length|strings\.Repeat|itoa|as_sql|bindparam|escapeId|wrap\w*|implode|array_fill|str_repeat)\s*\(|:d\}|\.to_i\b|\(int\)|\.length\b|join\([^()]*[?%]|[\x22'][?]|%s[\x22']\s*\]?\s*\*|\$\d");
pattern!(NUMBERS_ONLY, r"%[-+0-9.]*[svqxX@]|\{\}|\{\d|\{:|\{[a-z_]");
pattern!(COMMAND, r#"\b(?:psql|mysql|mariadb|sqlite3|sqlcmd|clickhouse-client)\b[^\n]*?("[^"\n]*\b(?:SELECT|INSERT|UPDATE|DELETE|DROP|select|insert|update|delete)\b[^"\n]*\$[\w{(@][^"\n]*")"#);
pattern!(DOCUMENT, r#"<<<?[~-]?["]?([A-Z_]{2,})["]?[^\n]*\n"#);
pattern!(DOCUMENT_VERB, r"(?i)^\s*(?:SELECT\s[\s\S]*\bFROM\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s)");
pattern!(STREAMED, r#"["']\s*<<\s*[A-Za-z_]"#);
pattern!(RAILS, r#"(?:\.\s*|(?:^|[\s(=])(?-u:\b))(?:where|find_by_sql|update_all|delete_all|having|exists\?|count_by_sql|execute|exec_query|select_all|joins|order|group|pluck|reorder)\s*\(?\s*("[^"\n]*#\{[^"\n]*")"#);
pattern!(DYNAMIC, r"(?i)\b(?:EXECUTE(?:\s+IMMEDIATE)?\s+\(?\s*'[^']*(?:''[^']*)*'(?:\s*\|\|\s*'[^']*(?:''[^']*)*')*\s*\|\|\s*|EXEC(?:UTE)?\s*\(\s*N?'[^']*(?:''[^']*)*'(?:\s*\+\s*N?'[^']*(?:''[^']*)*')*\s*\+\s*|SET\s+@\w+\s*=\s*N?'\s*(?:SELECT|INSERT|UPDATE|DELETE)\b[^']*(?:''[^']*)*'\s*\+\s*|SET\s+@\w+\s*=\s*CONCAT\s*\(\s*'\s*(?:SELECT|INSERT|UPDATE|DELETE)\b[^']*(?:''[^']*)*'\s*,\s*)([@\w.]+)");
pattern!(DYNAMIC_FORMAT, r"(?i)\bEXECUTE\s+format\s*\(\s*'[^']*%s[^']*'");

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    use Language::*;
    if !ships(file) || matches!(file.language, Markdown | Text | Json | Yaml | Toml | Xml | Ini | Html | Css | Terraform | Dockerfile | Makefile | Unknown) {
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
        documents(side, file.language, sink);
    }
    let mut done = 0;
    for found in STATEMENT.captures_iter(&side.live) {
        let (Some(whole), Some(verb)) = (found.get(0), found.get(1)) else { continue };
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
        let Some(evidence) = splices(side, file.language, &expression, open) else { continue };
        if is_bound(side, file.language, open, start) || is_message(side, start) || !side.touches_change(&evidence) {
            continue;
        }
        done = end;
        report(side, evidence, sink);
    }
    if file.language == Ruby {
        for found in RAILS.captures_iter(&side.live) {
            let Some(group) = found.get(1) else { continue };
            if group.start() < done && group.end() <= done || side.in_test(group.start()) || all_harmless(side, file.language, &group.range()) {
                continue;
            }
            let is_known = sink.hits.iter().any(|p| p.hit.range.start <= group.start() && group.start() < p.hit.range.end);
            if !is_known && side.touches_change(&group.range()) {
                report(side, group.range(), sink);
            }
        }
    }
}

/// Statements in here documents.
fn documents(side: &Side, language: Language, sink: &mut Sink) {
    for found in DOCUMENT.captures_iter(&side.live) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { continue };
        let end = side.live[whole.end()..]
            .match_indices(name.as_str())
            .find(|(at, _)| side.live[..whole.end() + at].ends_with(['\n', ' ', '\t']))
            .map_or(side.live.len(), |(at, _)| whole.end() + at);
        let body = whole.end()..end.min(side.live.floor_char_boundary(whole.end() + 4096));
        let is_sql = DOCUMENT_VERB.is_match(&side.live[body.clone()]);
        let pieces: Vec<&str> = SPLICE
            .captures_iter(&side.live[body.clone()])
            .filter_map(|c| c.iter().skip(1).flatten().next().map(|m| m.as_str()))
            .collect();
        let is_harmful = !pieces.is_empty() && !pieces.iter().all(|piece| is_harmless(piece));
        if is_sql && is_harmful && !side.in_test(whole.start()) && side.touches_change(&body) {
            let line = side.line_range(side.line_at(whole.start()));
            report(side, whole.start()..line.end.max(body.end.min(side.live.len())), sink);
        }
    }
}

fn report(side: &Side, range: Range<usize>, sink: &mut Sink) {
    let mut hit = Hit::at(range.clone(), TRIGGER);
    hit.confidence = if rows::is_input(&side.code[range]) { 0.95 } else { 0.85 };
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
    let skip = rest.iter().take_while(|b| b.is_ascii_whitespace() || **b == b'"' || **b == b'\\').count();
    side.live.as_bytes().get(inside + skip) != side.code.as_bytes().get(inside + skip)
}

/// Goes back over literals and names that are joined to the left: `"a" + b + "SELECT …"`.
fn expression_start(side: &Side, open: usize) -> usize {
    let bytes = side.code.as_bytes();
    let mut at = open;
    while at > 0 && matches!(bytes[at - 1], b'"' | b'\'' | b'`' | b'$' | b'@' | b'f' | b'F' | b'r' | b'R' | b'b' | b's' | b'#' | b'u') && open - at < 6 {
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
        let Some(bracket) = enclosing_bracket(code, whole.start) else { break };
        let before = code[..bracket].trim_end_matches([' ', '\t']);
        if before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '!' | '>')) && !before.ends_with("return") {
            break;
        }
        whole = bracket..calls::expression_end(code, bracket);
    }
    whole
}

/// Upper-case keywords are SQL; lower-case ones may be English.
fn is_sql(text: &str, verb: &str) -> bool {
    let head: String = verb.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    let is_upper = head.len() > 1 && head.bytes().all(|b| b.is_ascii_uppercase());
    let is_connector = matches!(head.to_ascii_lowercase().as_str(), "and" | "or" | "where");
    if is_connector {
        return text.contains('=') || text.to_ascii_lowercase().contains("like ") || text.contains('<') || text.contains('>') || text.to_ascii_lowercase().contains(" in ");
    }
    is_upper || LOWER_EVIDENCE.is_match(text)
}

/// What is spliced into the statement: the whole of it, or `None` where nothing harmful is.
fn splices(side: &Side, language: Language, expression: &Range<usize>, open: usize) -> Option<Range<usize>> {
    let streamed = language == Language::Cpp && STREAMED.is_match(&side.code[expression.clone()]) && !speaks(side, expression.start);
    let built = streamed || strings::is_built(side, language, expression.clone());
    if built {
        return (!all_harmless(side, language, expression)).then(|| expression.clone());
    }
    let call = formatter(side, open);
    if let Some((name_at, inside)) = call {
        let text = &side.live[expression.clone()];
        let parts = calls::split(&side.code, inside.clone());
        let inline = language == Language::Rust && SPLICE.captures_iter(text).any(|c| c.get(4).is_some_and(|m| m.as_str().starts_with(|c: char| c.is_alphabetic())));
        let values: Vec<_> = parts.into_iter().filter(|p| p.start > expression.start).collect();
        let harmless = values.iter().all(|v| is_harmless(side.live[v.clone()].trim()));
        if NUMBERS_ONLY.is_match(text) && ((!values.is_empty() && !harmless) || (inline && !all_harmless(side, language, expression))) {
            return Some(name_at..(inside.end + 1).min(side.code.len()));
        }
        return None;
    }
    let rest = &side.code[expression.end..];
    let appended = rest.strip_prefix(')').map(str::trim_start).and_then(|r| r.strip_prefix(".append(").or_else(|| r.strip_prefix(".Append(")));
    if let Some(value) = appended
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && !is_harmless(value.split([')', '.']).next().unwrap_or(""))
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
        "format", "Sprintf", "sprintf", "snprintf", "asprintf", "vsprintf", "Format", "formatted", "StrCat",
        "write", "concat", "printf", "stringWithFormat", "NSString",
    ];
    let is_cocoa = name == "String" && side.live[bracket..open].contains("format:");
    let is_string_format = FORMATTERS.contains(&name) || is_cocoa;
    is_string_format.then(|| (before.len() - name.len(), calls::inside(&side.code, bracket)))
}

fn enclosing_bracket(code: &str, offset: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, byte) in code.as_bytes()[..offset].iter().enumerate().rev().take(2048) {
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
        let tagged = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '>' | '$' | ')')) && side.code[..open].ends_with(|c: char| !c.is_whitespace());
        if tagged && !before.ends_with("return") {
            return true;
        }
    }
    if language == Language::Scala && ["sql", "fr", "fr0", "sqlu", "SQL", "cql", "q"].contains(&calls::last_word(before)) {
        return true;
    }
    let Some(bracket) = enclosing_bracket(&side.code, open) else { return false };
    let name = calls::last_word(side.code[..bracket].trim_end().trim_end_matches('!'));
    const BINDING: [&str; 12] = [
        "FromSqlInterpolated", "ExecuteSqlInterpolated", "ExecuteSqlInterpolatedAsync", "FromSql", "SqlQuery",
        "ExecuteSql", "ExecuteSqlAsync", "sql", "SQL", "fragment", "query_as", "dedent",
    ];
    (BINDING.contains(&name) && language != Language::Rust && name != "dedent")
        || (language == Language::Rust && side.code[..bracket].trim_end().ends_with("query!"))
}

/// The statement writes to a terminal or a log.
fn speaks(side: &Side, start: usize) -> bool {
    let line = &side.code[side.line_range(side.line_at(start))];
    ["cout", "cerr", "clog", "log", "LOG", "qDebug", "qWarning", "throw"].iter().any(|w| line.contains(w))
}

/// Text for people: logs, errors, prints.
fn is_message(side: &Side, start: usize) -> bool {
    pattern!(SPEAKS, r"(?i)(?:^|[._:>])(?:log\w*|debug|info|warn|warning|error|trace|print\w*|println|exception|fail\w*|panic|puts|echo|assert\w*|\w*error|\w*exception|describe|it|test|message|abort|bail|anyhow|expect)$");
    let Some(bracket) = enclosing_bracket(&side.code, start) else { return false };
    let before = side.code[..bracket].trim_end().trim_end_matches('!');
    let from = before.floor_char_boundary(before.len().saturating_sub(60));
    let name = before[from..].rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or("");
    SPEAKS.is_match(name)
}

/// True if all that is spliced in names tables, columns or placeholders, or is a number.
fn all_harmless(side: &Side, language: Language, expression: &Range<usize>) -> bool {
    let live = &side.live[expression.clone()];
    let code = &side.code[expression.clone()];
    if rows::is_input(code) && !SAFE_CALL.is_match(live) {
        return false;
    }
    let interpolated: Vec<&str> = if language == Language::Rust || strings::splices(side, language, expression.clone()) {
        SPLICE.captures_iter(live).filter_map(|c| c.iter().skip(1).flatten().next().map(|m| m.as_str())).collect()
    } else {
        Vec::new()
    };
    let joined = joined_names(code, !interpolated.is_empty());
    let mut pieces = interpolated.iter().copied().chain(joined.iter().map(String::as_str)).peekable();
    if pieces.peek().is_none() {
        return true;
    }
    pieces.all(is_harmless)
}

fn is_harmless(piece: &str) -> bool {
    let piece = piece.trim();
    piece.is_empty()
        || piece.bytes().all(|b| b.is_ascii_digit() || b == b'?' || b == b',')
        || (!piece.contains('(') && HARMLESS.is_match(piece))
        || SHOUTED.is_match(piece)
        || SAFE_CALL.is_match(piece)
}

/// What stands between the literals of a joined expression.
fn joined_names(code: &str, interpolates: bool) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut quote = None;
    for c in code.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => {
                quote = Some(c);
                pieces.push(std::mem::take(&mut piece));
            }
            None => piece.push(c),
        }
    }
    pieces.push(piece);
    pieces
        .into_iter()
        .map(|p| {
            let p = p.trim_matches(|c: char| c.is_whitespace() || matches!(c, '+' | '.' | '<' | '%' | '&' | '|' | '\\' | ';' | ',' | '$' | '@'));
            let p = p.strip_prefix("format").unwrap_or(p);
            p.trim().to_owned()
        })
        .filter(|p| {
            let is_prefix = p.len() <= 2 && p.bytes().all(|b| b"frbuFRBUs()".contains(&b));
            !p.is_empty() && !is_prefix && !(interpolates && p.len() <= 3) && p.bytes().any(|b| b.is_ascii_alphanumeric())
        })
        .collect()
}

fn dynamic(side: &Side, sink: &mut Sink) {
    for found in DYNAMIC.captures_iter(&side.live) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { continue };
        let lower = name.as_str().to_ascii_lowercase();
        if !(lower.starts_with("quote_") || lower == "quotename" || lower.contains("dbms_assert")) {
            sink.hit(Hit::at(whole.range(), TRIGGER));
        }
    }
    for found in DYNAMIC_FORMAT.find_iter(&side.live) {
        sink.hit(Hit::at(found.range(), TRIGGER));
    }
}
