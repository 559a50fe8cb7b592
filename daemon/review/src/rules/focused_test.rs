//! A test run narrowed to one test: `.only`, `fdescribe`, `focus: true`.

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{calls, pattern, scope},
    rule::{Check, Fix, Hit, Rule, Sink},
    view::{FileView, HunkView},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "focused-test",
    severity: Severity::Major,
    title: "Only one test runs",
    reason: "A focused test switches off every other test, and the run still says that all is well.",
    explain: "Finds `it.only(`, `describe.only`, `test.only.each`, `fit(`, `fdescribe(`, RSpec's `focus: true`, \
        Ginkgo's `FIt` and `Focus`, Pest's `->only()`, Dart's `solo: true`, Kotest's `f:` names.\n\n\
        Leaves alone: `.only` and `fit(` of other objects (`schema.only(`, `model.fit(`), runner configuration, \
        strings and comments.\n\n\
        What to do: remove the focus before the change is merged.",
    languages: &[
        Language::JavaScript,
        Language::TypeScript,
        Language::Vue,
        Language::Ruby,
        Language::Go,
        Language::Swift,
        Language::Php,
        Language::Dart,
        Language::Kotlin,
        Language::Java,
        Language::Elixir,
        Language::Python,
        Language::CSharp,
        Language::Scala,
    ],
    triggers: &[
        "only",
        "fit(",
        "fit ",
        "fdescribe",
        "fcontext",
        "fspecify",
        "fscenario",
        "ffeature",
        "focus",
        "iit(",
        "ddescribe",
        "fwhen",
        "fentry",
        "solo",
        "\"f:",
        "fexample",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

pattern!(
    JS_ONLY,
    r"\b(?:it|test|describe|context|suite|specify|bench|QUnit|Deno|scenario|feature|fixture|group)\b(?:\s*\??\.\s*(?:serial|concurrent|sequential|parallel|describe|test|module|fails|failing|skipIf\([^()\n]*\)|runIf\([^()\n]*\)))*\s*(\.\s*only)\b"
);
pattern!(
    JS_ONLY_INDEX,
    r#"\b(?:it|test|describe|context|suite|specify)\s*(\[\s*["'`]only["'`]\s*\])"#
);
pattern!(
    JS_PREFIX,
    r"\b(?:f(?:it|describe|context|specify)|iit|ddescribe)\s*(?:\.\s*each\b|\(|`)"
);
pattern!(JS_OPTION, r"\{[^{}]*\bonly\s*:\s*true\b");
pattern!(
    RUBY_PREFIX,
    r#"(?m)(?:^|;)[ \t]*(?:RSpec\.)?(fit|fdescribe|fcontext|fspecify|fscenario|ffeature|fexample)\b[ (]*["'{d:A-Z]"#
);
pattern!(
    RUBY_FOCUS,
    r"(?:,\s*focus:\s*true|,\s*:focus\s*=>\s*true|,\s*:focus)\b"
);
pattern!(
    GO_PREFIX,
    r"(?m)(?:^|[\s=(.])(F(?:It|Describe|Context|When|DescribeTable|Entry|Specify))\s*\("
);
pattern!(GO_FOCUS, r",\s*(?:ginkgo\.)?Focus\s*,");
pattern!(
    SWIFT_PREFIX,
    r"(?m)^[ \t]*(fit|fdescribe|fcontext|fitBehavesLike)\s*\("
);
pattern!(PHP_ONLY, r"->\s*only\s*\(\s*\)");
pattern!(DART_SOLO, r"\bsolo\s*:\s*true\b|\bsolo_(?:test|group)\s*\(");
pattern!(
    KOTEST_FOCUS,
    r#"\b(?:test|should|context|describe|given|it|expect|feature|scenario)\s*\(\s*"f:|(?m:^)\s*"f:[^"\n]+"\s*(?:\{|\.config)"#
);
pattern!(
    ELIXIR_FOCUS,
    r"@(?:module|describe)?tag\s+(?::focus\b|focus:\s*true|:only\b)"
);
pattern!(PYTHON_ONLY, r"@pytest\.mark\.(?:only|focus)\b");
pattern!(
    ANNOTATED,
    r"(?m)^\s*(?:@(?:Only|Focus|Solo)\b|\[(?:Only|Focus)\])"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if matches!(file.role, Role::Docs | Role::Fixture) {
        return;
    }
    match file.language {
        Language::JavaScript | Language::TypeScript | Language::Vue => javascript(file, hunk, sink),
        Language::Ruby => ruby(file, hunk, sink),
        Language::Go => {
            let side = &hunk.new;
            if !is_test(file) {
                return;
            }
            for found in GO_PREFIX.captures_iter(&side.code).filter_map(|c| c.get(1)) {
                if !matches!(
                    calls::word_before(&side.code, found.start()),
                    "func" | "type"
                ) {
                    let rest = &found.as_str()[1..];
                    sink.hit(
                        Hit::at(found.range(), TRIGGER)
                            .fix(Fix::Replace(found.range(), rest.to_owned())),
                    );
                }
            }
            for found in GO_FOCUS.find_iter(&side.code) {
                sink.hit(Hit::at(found.range(), TRIGGER));
            }
        }
        Language::Swift => {
            for found in SWIFT_PREFIX
                .captures_iter(&hunk.new.code)
                .filter_map(|c| c.get(1))
            {
                if is_test(file) {
                    sink.hit(Hit::at(found.range(), TRIGGER));
                }
            }
        }
        Language::Php => {
            for found in PHP_ONLY.find_iter(&hunk.new.code) {
                let is_pest = ["it(", "test(", "describe("]
                    .iter()
                    .any(|t| hunk.new.code.contains(t));
                if is_test(file) && is_pest {
                    sink.hit(
                        Hit::at(found.range(), TRIGGER)
                            .fix(Fix::Replace(found.range(), String::new())),
                    );
                }
            }
        }
        Language::Dart => each(file, hunk, sink, &DART_SOLO, false),
        Language::Kotlin => {
            each(file, hunk, sink, &KOTEST_FOCUS, true);
            each(file, hunk, sink, &ANNOTATED, false);
        }
        Language::Elixir => each(file, hunk, sink, &ELIXIR_FOCUS, true),
        Language::Python => each(file, hunk, sink, &PYTHON_ONLY, false),
        _ => each(file, hunk, sink, &ANNOTATED, false),
    }
}

const TRIGGER: &str =
    "The pipeline runs this test alone; a change that breaks any other test is merged green.";

fn each(
    file: &FileView<'_>,
    hunk: &HunkView<'_>,
    sink: &mut Sink,
    pattern: &regex::Regex,
    with_strings: bool,
) {
    if !is_test(file) {
        return;
    }
    let text = if with_strings {
        &hunk.new.live
    } else {
        &hunk.new.code
    };
    for found in pattern.find_iter(text) {
        sink.hit(Hit::at(calls::trim(text, found.range()), TRIGGER));
    }
}

fn is_test(file: &FileView<'_>) -> bool {
    let name = file.name.to_ascii_lowercase();
    file.role == Role::Test
        || name.contains("test")
        || name.contains("spec")
        || name.contains(".cy.")
}

fn javascript(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let code = &side.code;
    for found in JS_ONLY.captures_iter(code) {
        let (Some(whole), Some(only)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let after = code[only.end()..].trim_start();
        let is_use = after.starts_with(['(', '`', '.', ';'])
            || after.is_empty()
            || assigned(code, whole.start());
        let is_other = code[..whole.start()].trim_end().ends_with('.');
        if is_use && !is_other {
            sink.hit(Hit::at(only.range(), TRIGGER).fix(Fix::Replace(only.range(), String::new())));
        }
    }
    for found in JS_ONLY_INDEX
        .captures_iter(&side.live)
        .filter_map(|c| c.get(1))
    {
        sink.hit(Hit::at(found.range(), TRIGGER).fix(Fix::Replace(found.range(), String::new())));
    }
    if !is_test(file) {
        return;
    }
    for found in JS_PREFIX.find_iter(code) {
        let name = calls::trim(code, found.range());
        let word: usize = code[name.clone()]
            .bytes()
            .take_while(|b| calls::is_word(*b))
            .count();
        let name = name.start..name.start + word;
        let open = found.end() - 1;
        let first = code[open + 1..].trim_start();
        let is_call = code[open..].starts_with('(');
        let takes_title = !is_call
            || first.starts_with(['"', '\'', '`'])
            || first.starts_with(|c: char| c.is_alphabetic());
        if scope::starts_statement(code, name.start)
            && takes_title
            && !calls::is_declaration(code, name.start, open)
        {
            let plain = match &code[name.clone()] {
                "iit" => "it",
                "ddescribe" => "describe",
                other => &other[1..],
            };
            sink.hit(Hit::at(name.clone(), TRIGGER).fix(Fix::Replace(name, plain.to_owned())));
        }
    }
    for found in JS_OPTION.find_iter(code) {
        let head = code[code.floor_char_boundary(found.start().saturating_sub(300))..found.start()]
            .trim_end();
        let is_case = ["it(", "test(", "describe("].iter().any(|t| {
            head.rfind(t).is_some_and(|at| {
                head[at..].matches('\n').count() <= 2 && !head[at..].contains(';')
            })
        });
        if is_case {
            let at = found.start() + found.as_str().rfind("only").unwrap_or(0);
            sink.hit(Hit::at(at..found.end(), TRIGGER));
        }
    }
}

fn assigned(code: &str, at: usize) -> bool {
    let before = code[..at].trim_end();
    before.ends_with('=') && !before.ends_with("==")
}

fn ruby(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !is_test(file) {
        return;
    }
    let side = &hunk.new;
    for found in RUBY_PREFIX
        .captures_iter(&side.code)
        .filter_map(|c| c.get(1))
    {
        let plain = &found.as_str()[1..];
        sink.hit(
            Hit::at(found.range(), TRIGGER).fix(Fix::Replace(found.range(), plain.to_owned())),
        );
    }
    for found in RUBY_FOCUS.find_iter(&side.code) {
        let line = scope::code_line(side, side.line_at(found.start()));
        let is_case = [
            "it ",
            "describe ",
            "context ",
            "specify ",
            "scenario ",
            "feature ",
            "it(",
            "example ",
            "describe(",
            "context(",
        ]
        .iter()
        .any(|k| line.contains(k));
        if is_case && !line.contains("filter_run") {
            sink.hit(
                Hit::at(found.range(), TRIGGER).fix(Fix::Replace(found.range(), String::new())),
            );
        }
    }
}
