//! What is spliced into a statement, and whether it can do harm.

use std::ops::Range;

use crate::{
    language::Language,
    matching::{pattern, rows, strings},
    view::Side,
};

pattern!(
    SPLICE,
    r#"\$\{([^{}]*)\}|#\{([^{}]*)\}|\\\(([^()]*(?:\([^()]*\))?[^()]*)\)|\{\s*([^{}\n]*?)\s*\}|\$([A-Za-z_][\w]*(?:->\w+|\[[^\]\n]*\])?)|(@[a-z]\w*)"#
);

pattern!(
    HARMLESS,
    r"(?i)^[\s('\x22$]*(?:(?:\w+[.\-:>$]+)*(?:\w*(?:place_?holders?|placeholder_?list|qmarks?|tables?|table_?name|tbl\w*|columns?|column_?names?|cols?|colnames?|fields?|field_?names?|schema\w*|db_?name|database|keyspace|prefix|suffix|clauses?|conditions?|conds|wheres?|where_?sql|filters?_?sql|joins?|select_?list|projection|sql|subquery|cte|query_?part|set_?clause|assignments|bind\w*|params?_?list|identifier|ident|quoted\w*|escaped\w*|safe\w*|dialect|limit_?clause|order_?clause|index_?name|returning|wpdb|posts|postmeta|usermeta|options|view_?name|sequence|constraint)))[\s)'\x22]*$"
);

pattern!(
    SHOUTED,
    r"^[\s(]*(?:[A-Za-z_]\w*(?:\.|::))*[A-Z][A-Z0-9_]*(?:\.\w+\(\))?[\s)]*$"
);

pattern!(
    SAFE_CALL,
    r"(?i)\b(?:escape\w*|quote\w*|quoteIdent\w*|int|Number|parseInt|intval|floatval|Integer|absint|to_i|len|real_escape_string|mysqli_real_escape_string|pg_escape_\w+|sanitize_sql\w*|esc_sql|Identifier|identifier|format_ident|quote_ident|quote_literal|prepare|to_sql|toSql|compile|placeholders?|literal|strconv\.Itoa|strconv\.FormatInt|toInt|Int|Long|repeat|count|size|length|strings\.Repeat|itoa|as_sql|bindparam|escapeId|wrap\w*|implode|array_fill|str_repeat)\s*\(|:d\}|\.to_i\b|&:to_i\b|map\((?:Number|parseInt)\b|\(int\)|\.length\b|join\([^()]*[?%]|[\x22'][?]|%s[\x22']\s*\]?\s*\*|\$\d"
);

/// True if all that is spliced in names tables, columns or placeholders, or is a number.
pub(super) fn all_harmless(side: &Side, language: Language, expression: &Range<usize>) -> bool {
    let live = &side.live[expression.clone()];
    let code = &side.code[expression.clone()];
    if rows::is_input(code) && !SAFE_CALL.is_match(live) {
        return false;
    }
    let interpolated: Vec<&str> =
        if language == Language::Rust || strings::splices(side, language, expression.clone()) {
            SPLICE
                .captures_iter(live)
                .filter_map(|c| c.iter().skip(1).flatten().next().map(|m| m.as_str()))
                .collect()
        } else {
            Vec::new()
        };
    let joined = joined_names(code, !interpolated.is_empty());
    let mut pieces = interpolated
        .iter()
        .copied()
        .chain(joined.iter().map(String::as_str))
        .peekable();
    if pieces.peek().is_none() {
        return true;
    }
    pieces.all(|piece| is_harmless(piece) || is_choice(side, piece))
}

/// True if the hunk gives the name one of two constant texts: `dir ? 'ASC' : 'DESC'`.
fn is_choice(side: &Side, piece: &str) -> bool {
    pattern!(
        CHOICE,
        r#"(?m)\b(\w+)\s*=[^=;\n][^;\n]*?(?:\?\s*["'][^"'$#\n]*["']\s*:\s*["'][^"'$#\n]*["']\s*;?\s*$|["'][^"'{\n]*["']\s+if\s[^\n]*\selse\s+["'][^"'{\n]*["']\s*$)"#
    );
    let piece = piece.trim();
    piece
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && CHOICE.captures_iter(&side.live).any(|c| &c[1] == piece)
}

pub(super) fn is_harmless(piece: &str) -> bool {
    let piece = piece.trim();
    let piece = piece
        .strip_prefix("strings.Join(")
        .map_or(piece, |rest| rest.split(',').next().unwrap_or(""));
    let bare = piece
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .filter(|inner| !inner.contains(['(', ')', ',']));
    let piece = bare.unwrap_or(piece);
    piece.is_empty()
        || piece
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'?' || b == b',')
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
            let p = p.trim_matches(|c: char| {
                c.is_whitespace()
                    || matches!(
                        c,
                        '+' | '.' | '<' | '%' | '&' | '|' | '\\' | ';' | ',' | '$' | '@'
                    )
            });
            let p = p.strip_prefix("format").unwrap_or(p);
            p.trim().to_owned()
        })
        .filter(|p| {
            let is_prefix = p.len() <= 2 && p.bytes().all(|b| b"frbuFRBUs()".contains(&b));
            let is_short = interpolates && p.len() <= 3;
            !is_prefix && !is_short && p.bytes().any(|b| b.is_ascii_alphanumeric())
        })
        .collect()
}

pattern!(
    CLAUSE_JS,
    r"\.\s*(?:where|andWhere|orWhere|having|andHaving|orHaving|whereRaw|havingRaw)\s*\(\s*(`[^`\n]*\b[\w.]+\s*(?:=|<>|!=|[<>]=?|(?i:i?like|in\s*\())\s*'?%?\$\{([^}]*)\}[^`\n]*`)"
);
pattern!(
    CLAUSE_GO,
    r#"\.\s*(?:Where|Or|Not|Having|Raw|Joins)\s*\(\s*(fmt\.Sprintf\s*\(\s*["`][^"`\n]*'%?%[sv]%?%?'[^"`\n]*["`]\s*,\s*([^\n)]*)\)|"[^"\n]*'"\s*\+\s*([\w.]+))"#
);
pattern!(
    CLAUSE_QUOTED,
    r#"(?:\.\s*where\s*\(?\s*|\bwhere\s*=\s*\[\s*)("[^"\n]*=\s*'%s'[^"\n]*"\s*%\s*([^\n)\]]*))"#
);

/// Conditions for a query builder that a value is spliced into.
pub(super) fn clauses(side: &Side, language: Language) -> Vec<Range<usize>> {
    let pattern = match language {
        Language::JavaScript | Language::TypeScript => &CLAUSE_JS,
        Language::Go => &CLAUSE_GO,
        Language::Python | Language::Ruby => &CLAUSE_QUOTED,
        _ => return Vec::new(),
    };
    let found = pattern.captures_iter(&side.live).filter_map(|c| {
        let clause = c.get(1)?.range();
        let value = c.get(2).or(c.get(3)).map_or("", |m| m.as_str());
        let stands = side.code.as_bytes()[c.get(0)?.start()] != b' ';
        (stands && !is_harmless(value) && !side.in_test(clause.start)).then_some(clause)
    });
    found.collect()
}

/// What is spliced into a text: `${x}`, `#{x}`, `\(x)`, `{x}`, `$x`, `@x`.
pub(super) fn spliced(text: &str) -> Vec<&str> {
    SPLICE
        .captures_iter(text)
        .filter_map(|c| c.iter().skip(1).flatten().next().map(|m| m.as_str()))
        .collect()
}

/// True if the text splices a name in by braces alone, as Rust's `format!` does.
pub(super) fn names_in_braces(text: &str) -> bool {
    SPLICE.captures_iter(text).any(|c| {
        c.get(4)
            .is_some_and(|m| m.as_str().starts_with(|c: char| c.is_alphabetic()))
    })
}
