//! A test switched off without a word why.

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
    id: "skipped-test",
    severity: Severity::Minor,
    title: "Test switched off without a reason",
    reason: "A skipped test guards nothing, and without a reason nobody knows when it may come back.",
    explain: "Finds `it.skip(`, `xit(`, `@Ignore`, `@Disabled`, `[Ignore]`, `#[ignore]`, `@unittest.skip`, \
        `@pytest.mark.skip`, `t.Skip()`, `pending`, `markTestSkipped()`, `GTEST_SKIP()`, `DISABLED_` names, \
        `skip: true` and their like, where no reason is given.\n\n\
        Leaves alone: skips with a reason or an issue (as an argument, or in a comment on the line or above it) and \
        skips that depend on a condition.\n\n\
        What to do: give the reason with an issue, or repair the test.",
    languages: &[],
    triggers: &[
        "skip",
        "xit",
        "xdescribe",
        "xtest",
        "xcontext",
        "xspecify",
        "xscenario",
        "ignore",
        "disabled",
        "pending",
        "enabled",
        "incomplete",
        "pit(",
        "pdescribe",
        "pcontext",
        "fixme",
        "xexample",
        "xfeature",
        "pentry",
        "xentry",
        "pwhen",
        "xwhen",
        "nottest",
        "explicit",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str =
    "What this test guards breaks, the run stays green, and nobody remembers that it was off.";

pattern!(
    JS_SKIP,
    r"\b(?:it|test|describe|context|suite|specify|QUnit|Deno|bench)\b(?:\s*\.\s*(?:serial|concurrent|sequential|parallel|describe|test|module))*\s*(\.\s*(?:skip|fixme)\b)(?:\s*\.\s*each\b)?"
);
pattern!(
    JS_SKIP_INDEX,
    r#"\b(?:it|test|describe|context|suite)\s*(\[\s*["'`]skip["'`]\s*\])"#
);
pattern!(
    JS_PREFIX,
    r"\bx(?:it|describe|test|context|specify)\s*(?:\.\s*(?:each|only)\b|\(|`)"
);
pattern!(JS_OPTION, r"\{[^{}]*\b((?:skip|ignore)\s*:\s*true)\b");
pattern!(JS_PENDING, r"(?m)(?:^|;)[ \t]*(pending\s*\(\s*\))");
pattern!(
    PYTHON_SKIP,
    r"(?m)^[ \t]*(@(?:unittest\.|testtools\.|ut\.|pytest\.mark\.|mark\.)?skip\b|@(?:nottest|nose\.tools\.nottest|unittest\.expectedFailure\.skip)\b)|^[ \t]*(pytestmark\s*=\s*\[?\s*pytest\.mark\.skip\b)|^[ \t]*(pytest\.skip\s*\()|^[ \t]*(self\.skipTest\s*\()|^[ \t]*(raise\s+(?:unittest\.|pytest\.|nose\.)?(?:SkipTest|skip\.Exception)\b)"
);
pattern!(
    JVM_SKIP,
    r"(?m)(?:^|[\s;])(@(?:org\.junit\.)?(?:Ignore|Disabled|Ignored)\b|@Test\s*\([^)\n]*\benabled\s*=\s*false)"
);
pattern!(
    KOTEST_SKIP,
    r#"(?m)^[ \t]*(x(?:test|it|describe|context|should|given|expect|feature|scenario))\s*\(|\.config\s*\([^)\n]*(enabled\s*=\s*false)"#
);
pattern!(
    SCALA_SKIP,
    r#"(?m)^[ \t]*(ignore)\s*\(\s*"|\b(ignore)\s+(?:should|must|in)\b|(?:^|[\s{])(pending)[ \t]*(?:$|\})"#
);
pattern!(
    CSHARP_SKIP,
    r#"\[\s*(?:[A-Za-z]\w*(?:\([^)\n]*\))?\s*,\s*)*((?:NUnit\.Framework\.)?Ignore(?:Attribute)?)\s*(?:\]|,|\([^()\n]*\))|\b(?:Fact|Theory)\s*\([^\n]*?\b(Skip\s*=\s*"[^"\n]*")"#
);
pattern!(
    GO_SKIP,
    r"(?m)^[ \t]*(\w+\.Skip(?:Now|f)?\s*\([^()\n]*\))|^[ \t]*((?:ginkgo\.)?[XP](?:It|Describe|Context|When|DescribeTable|Entry|Specify))\s*\(|,\s*((?:ginkgo\.)?Pending)\s*,"
);
pattern!(RUST_SKIP, r#"#\s*\[\s*ignore\s*(?:=\s*"[^"\n]*"\s*)?\]"#);
pattern!(
    RUBY_SKIP,
    r#"(?m)^[ \t]*(x(?:it|describe|context|specify|scenario|feature|example))\b[ (]|^[ \t]*((?:pending|skip)(?:[ \t]*\([^()\n]*\)|[ \t]+["'][^"'\n]*["'])?)[ \t]*(?:$|;)|,\s*((?:skip|pending):\s*true|:(?:skip|pending)\s*=>\s*true|:skip\b|:pending\b)"#
);
pattern!(
    PHP_SKIP,
    r#"(?:->|::)\s*(markTest(?:Skipped|Incomplete)\s*\([^()\n]*\))|->\s*(skip\s*\(\s*(?:'[^'\n]*'|"[^"\n]*")?\s*\))"#
);
pattern!(
    SWIFT_SKIP,
    r"(?m)\bthrow\s+(XCTSkip\s*\([^()\n]*\))|\btry\s+(XCTSkipIf\s*\(\s*true\b[^()\n]*\))|(?m:^)[ \t]*(x(?:it|describe|context))\s*\(|[(,\s](\.disabled\s*\([^()\n]*\))"
);
pattern!(
    CPP_SKIP,
    r"\b(GTEST_SKIP\s*\(\s*\)\s*;)|\bTEST(?:_F|_P)?\s*\(\s*\w+\s*,\s*(DISABLED_\w+)|\bTEST(?:_F|_P)?\s*\(\s*(DISABLED_\w+)|\*\s*(?:doctest::)?(skip\s*\(\s*\))|\*\s*(?:boost::unit_test::)?(disabled\s*\(\s*\))"
);
pattern!(
    DART_SKIP,
    r#"\b(skip\s*:\s*(?:true\b|'[^'\n]*'|"[^"\n]*"))"#
);
pattern!(
    ELIXIR_SKIP,
    r#"(@(?:module|describe)?tag\s+(?::skip\b|skip:\s*(?:true|"[^"\n]*")))"#
);
pattern!(BATS_SKIP, r"(?m)^[ \t]+(skip)[ \t]*(?:;|$)");
pattern!(
    EMPTY_WORDS,
    r#"(?i)^\W*(?:(?:is|it|its|this|the|test|tests|currently|too|very|sometimes|always|still|on|in|the|ci|for|now|temporar(?:y|ily)|flaky|flakey|broken|fails?|failing|failed|skip(?:ped|ping)?|ignored?|disabled?|wip|todo|fixme|x+|temp|later|off|not|working|doesn|t|work|yet|hangs?|unstable|red|fix|me|please|reason)\b\W*)*$"#
);
pattern!(
    CONDITION,
    r"^\s*\}?\s*(?:if|else|elif|case|switch|when|unless|except|catch|rescue|default|match|guard)\b"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    use Language::*;
    if matches!(file.role, Role::Docs | Role::Fixture) {
        return;
    }
    let side = &hunk.new;
    let (pattern, with_strings) = match file.language {
        JavaScript | TypeScript | Vue => {
            javascript(file, side, sink);
            return;
        }
        Python => (&PYTHON_SKIP, false),
        Java => (&JVM_SKIP, false),
        Kotlin => {
            collect(file, side, sink, &JVM_SKIP, false);
            (&KOTEST_SKIP, false)
        }
        Scala => {
            collect(file, side, sink, &JVM_SKIP, false);
            (&SCALA_SKIP, false)
        }
        CSharp => (&CSHARP_SKIP, true),
        Go => (&GO_SKIP, true),
        Rust => (&RUST_SKIP, true),
        Ruby => (&RUBY_SKIP, true),
        Php => (&PHP_SKIP, true),
        Swift => (&SWIFT_SKIP, true),
        C | Cpp | ObjectiveC => (&CPP_SKIP, false),
        Dart => (&DART_SKIP, true),
        Elixir => (&ELIXIR_SKIP, true),
        Shell if file.name.ends_with(".bats") => (&BATS_SKIP, false),
        _ if file.name.ends_with(".bats") => (&BATS_SKIP, false),
        _ => return,
    };
    collect(file, side, sink, pattern, with_strings);
}

fn is_test(file: &FileView<'_>, side: &Side) -> bool {
    let name = file.name.to_ascii_lowercase();
    file.role == Role::Test
        || name.contains("test")
        || name.contains("spec")
        || name.ends_with(".bats")
        || ["@Test", "[Test", "[Fact", "#[test", "describe("]
            .iter()
            .any(|sign| side.code.contains(sign))
}

fn collect(
    file: &FileView<'_>,
    side: &Side,
    sink: &mut Sink,
    pattern: &regex::Regex,
    with_strings: bool,
) {
    if !is_test(file, side) {
        return;
    }
    let text = if with_strings { &side.live } else { &side.code };
    for found in pattern.captures_iter(text) {
        let Some(group) = (1..found.len())
            .find_map(|i| found.get(i))
            .or_else(|| found.get(0))
        else {
            continue;
        };
        if with_strings && side.code.as_bytes()[group.start()] == b' ' {
            continue;
        }
        if !is_excused(file, side, group.range()) {
            sink.hit(Hit::at(calls::trim(text, group.range()), TRIGGER));
        }
    }
}

/// True where a reason stands with it, or a condition decides.
fn is_excused(file: &FileView<'_>, side: &Side, range: Range<usize>) -> bool {
    let line = side.line_at(range.start);
    let mut around = scope::comment_around(side, range.clone());
    if let Some(below) = (line + 1 < side.lines.len()).then(|| side.line_range(line + 1))
        && scope::is_comment_line(side, line + 1)
        && file.language == Language::Rust
    {
        around.push_str(&scope::comments(side, below));
    }
    if scope::gives_reason(&around) || says_something(file, side, &range) {
        return true;
    }
    is_call(file.language, &side.code[range]) && is_conditional(file, side, line)
}

/// True for a skip at run time (which a condition may guard), false for a mark on the test.
fn is_call(language: Language, found: &str) -> bool {
    match language {
        Language::Python => !found.starts_with('@'),
        Language::Go => found.contains(".Skip"),
        Language::Ruby => found.starts_with("skip") || found.starts_with("pending"),
        Language::Php | Language::Shell | Language::Unknown => true,
        Language::Swift => found.starts_with("XCT"),
        Language::Cpp => found.starts_with("GTEST_SKIP"),
        _ => false,
    }
}

fn is_conditional(file: &FileView<'_>, side: &Side, line: usize) -> bool {
    let depth = scope::indent(side, line);
    let own = scope::code_line(side, line).trim();
    if own.contains(" if ") || own.contains(" unless ") || own.contains("&&") || own.contains("||")
    {
        return true;
    }
    let outer = (0..line)
        .rev()
        .find(|i| !scope::code_line(side, *i).trim().is_empty() && scope::indent(side, *i) < depth);
    match outer {
        Some(outer) => CONDITION.is_match(scope::code_line(side, outer)),
        // The header is not in sight: a skip deep inside is most likely guarded.
        None => depth > if file.language == Language::Go { 1 } else { 8 },
    }
}

/// True if the skip's own arguments (or what it is set to) give a reason.
fn says_something(file: &FileView<'_>, side: &Side, range: &Range<usize>) -> bool {
    let found = &side.live[range.clone()];
    if found.contains("enabled") || found.contains("true") {
        return false;
    }
    // The reason is a part of what was found, or follows it.
    let text = match found.find(['=', '(', ':', '"', '\'']) {
        Some(at)
            if !found.trim_end().ends_with('(')
                && !found.starts_with("pytestmark")
                && !found.starts_with('@') =>
        {
            found[at..].trim_start_matches(['=', '(', ':'])
        }
        _ => {
            let open = range.end - usize::from(found.ends_with('('));
            let open = scope::skip_space(&side.code, open);
            if !matches!(
                file.language,
                Language::Python | Language::Java | Language::Kotlin | Language::Scala
            ) || !side.code[open..].starts_with('(')
            {
                return false;
            }
            side.live[calls::inside(&side.code, open)].trim()
        }
    };
    let text = text.trim().trim_end_matches([')', ']', ',']);
    let text = text.strip_prefix("reason").map_or(text, |rest| {
        rest.trim_start().trim_start_matches('=').trim()
    });
    // A name stands for a text that is given elsewhere.
    !text.trim().is_empty()
        && (scope::has_reference(text)
            || !EMPTY_WORDS.is_match(text.trim_start_matches(['f', 'r', 'u'])))
}

fn javascript(file: &FileView<'_>, side: &Side, sink: &mut Sink) {
    let code = &side.code;
    let live = &side.live;
    for found in JS_SKIP.captures_iter(code) {
        let (Some(whole), Some(skip)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let before = code[..whole.start()].trim_end();
        let open = scope::skip_space(code, whole.end());
        let is_call = code[open..].starts_with(['(', '`']);
        let is_chosen =
            before.ends_with(['?', ':', '.']) || before.ends_with("||") || before.ends_with("&&");
        if !is_call || is_chosen {
            continue;
        }
        let first = code[open + 1..].trim_start();
        let names = whole.as_str().contains("each");
        // `test.skip(condition, why)` and `test.skip()` inside a test decide at run time.
        let takes_title = names || first.starts_with(['"', '\'', '`']);
        let in_body = first.starts_with(')') && !guarded(side, whole.start());
        if (takes_title || in_body) && !excused_by_comment(side, skip.range()) {
            sink.hit(Hit::at(skip.range(), TRIGGER));
        }
    }
    for found in JS_SKIP_INDEX.captures_iter(live).filter_map(|c| c.get(1)) {
        if code[found.start()..].starts_with('[') && !excused_by_comment(side, found.range()) {
            sink.hit(Hit::at(found.range(), TRIGGER));
        }
    }
    if !is_test(file, side) {
        return;
    }
    for found in JS_PREFIX.find_iter(code) {
        let word: usize = found
            .as_str()
            .bytes()
            .take_while(|b| calls::is_word(*b))
            .count();
        let name = found.start()..found.start() + word;
        let open = found.end() - 1;
        if scope::starts_statement(code, name.start)
            && !calls::is_declaration(code, name.start, open)
            && !excused_by_comment(side, name.clone())
        {
            sink.hit(Hit::at(name, TRIGGER));
        }
    }
    for pattern in [&JS_OPTION, &JS_PENDING] {
        for found in pattern.captures_iter(code).filter_map(|c| c.get(1)) {
            let head =
                &code[code.floor_char_boundary(found.start().saturating_sub(300))..found.start()];
            let is_case = found.as_str().starts_with("pending")
                || ["it(", "test(", "describe("].iter().any(|t| {
                    head.rfind(t).is_some_and(|at| {
                        head[at..].matches('\n').count() <= 2 && !head[at..].contains(';')
                    })
                });
            if is_case && !excused_by_comment(side, found.range()) {
                sink.hit(Hit::at(found.range(), TRIGGER));
            }
        }
    }
}

fn guarded(side: &Side, at: usize) -> bool {
    let line = side.line_at(at);
    let own = &side.code[side.lines[line].start..at];
    own.contains("if")
        || own.contains("&&")
        || scope::previous(side, line).is_some_and(|before| {
            let text = scope::code_line(side, before).trim();
            CONDITION.is_match(text) || text.ends_with(')')
        })
}

fn excused_by_comment(side: &Side, range: Range<usize>) -> bool {
    scope::gives_reason(&scope::comment_around(side, range))
}
