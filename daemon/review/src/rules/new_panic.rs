//! Product code that may now end the program: `unwrap()`, `panic!`, `todo!`, `!!`, `try!`.

use std::ops::Range;

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{calls, habitat, pattern, scope},
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, LineKind, Side},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "new-panic",
    severity: Severity::Minor,
    title: "New code can panic",
    reason: "A panic in a library ends its caller's program on an input that an error value would have survived.",
    explain: "Finds newly added `.unwrap()`, `.expect(\"\")`, `panic!`, `todo!`, `unimplemented!` and `unreachable!` in \
        Rust code that is neither test, program, example nor build script; Go's `panic(err)`; Kotlin's `!!` and \
        `TODO()`; Swift's `try!` and `as!`; `NotImplementedException`, `UnimplementedError` and Scala's `???`.\n\n\
        Leaves alone: `expect` with a clear reason, locks and thread joins, constants (`Regex::new(\"…\")`, \
        `static`, `const`), writing to strings, values that were checked just above, lines with a comment that gives \
        the reason, functions whose documentation has a `# Panics` section, lines that were only moved or edited.\n\n\
        What to do: return an error, or say with `expect(\"why it cannot fail\")` what makes it impossible.",
    languages: &[
        Language::Rust,
        Language::Go,
        Language::Kotlin,
        Language::Swift,
        Language::CSharp,
        Language::Scala,
        Language::Dart,
        Language::Java,
    ],
    triggers: &[
        "unwrap",
        "expect",
        "panic",
        "todo",
        "unimplemented",
        "unreachable",
        "!!",
        "try!",
        "as!",
        "notimplemented",
        "???",
        "unsupportedoperation",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::File(check),
};

pattern!(
    RUST,
    r"\.\s*(?:unwrap|unwrap_err|expect|expect_err)\s*\(|\b(?:panic|todo|unimplemented|unreachable)!\s*[(\[{]|\b(?:Option|Result)(?:::<[^>\n]*>)?::(?:unwrap|expect)\b"
);
pattern!(
    RUST_PROVEN,
    r##"\.(?:lock|read|write|try_lock|join|into_inner|borrow|borrow_mut|get_mut|wait|recv_lock)\s*\(\s*\)\s*(?:\.await\s*)?$|\.wait(?:_while|_timeout)?\s*\([^;]*\)\s*$|\b(?:Regex|RegexBuilder|RegexSet|ByteRegex|Glob|Url|Uri|HeaderValue|HeaderName|Version|VersionReq|CString|Duration|NonZero\w*|Layout|NaiveDate|NaiveTime|Uuid|Selector|Template|Style|ProgressStyle|EnvFilter|Level|AhoCorasick|Mime|Method|CStr|IpAddr|Ipv4Addr|SocketAddr)(?:::<[^>\n]*>)?::\w+\s*\(\s*(?:r?#*"[^"]*"#*|[\d_]+(?:\s*,\s*[\d_]+)*)[^()]*\)\s*$|"\s*\)?\.parse(?:::<[^>\n]*>)?\s*\(\s*\)\s*$|\bwrite(?:ln)?!\s*\([^;]*\)\s*$|\btry_into\s*\(\s*\)\s*$|\.duration_since\s*\([^;]*UNIX_EPOCH\s*\)\s*$|\bchar::from_(?:digit|u32)\s*\([^;]*\)\s*$|\b(?:to_string|to_vec|to_value)\s*\([^;]*\)\s*$"##
);
pattern!(
    RUST_CONSTANT,
    r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?(?:const|static)\b|LazyLock|OnceLock|OnceCell|Lazy::new|lazy_static|thread_local|get_or_init|sync::Once"
);
pattern!(
    CHECKED,
    r"\.(?:is_some|is_ok|is_none|is_err|is_empty|contains_key|contains|len|is_some_and|peek|starts_with|find|any|position|ends_with|insert|push|strip_prefix|all)\s*\(|\bmatches!|\bassert|\bdebug_assert"
);
// A caller's mistake that the documentation of a collection or number speaks of.
pattern!(
    CONTRACT,
    r"(?i)out of (?:bounds|range)|overflow|should be [<>=]|must (?:be|not)|out of memory|\bindex\b|\bcapacity\b|divi(?:de|sion) by|poisoned|invariant|internal error|\bbug\b|unreachable|impossible|never happens"
);
pattern!(
    PANICKING,
    r"#\[cold\]|#\[track_caller\]|\bconst\s+(?:unsafe\s+)?fn\b|->\s*!\s*\{|\bfn\s+\w*(?:panic|fail|assert|overflow|must_)\w*"
);
pattern!(GO_PANIC, r"(?:^|[^\w.])panic\s*\(");
pattern!(
    GO_ALLOWED,
    r"\bfunc\s+(?:\([^)]*\)\s*)?(?:[Mm]ust\w*|init|main|\w*OrPanic|\w*Panic\w*)\s*[(\[]|\brecover\s*\("
);
pattern!(KOTLIN, r"[\w)\]]\s*!!|\bTODO\s*\(");
pattern!(SWIFT, r"\btry!|\bas!");
pattern!(
    SWIFT_USUAL,
    r#"dequeueReusable|NSRegularExpression\s*\(|\bRegex\s*\(|\bstatic\b|instantiate(?:Initial)?ViewController|\bRealm\s*\(|layer as!|NSMutableAttributedString|\.copy\(\)|mutableCopy|makeCell|object\(forInfoDictionaryKey"#
);
pattern!(
    CSHARP,
    r"\bthrow\s+new\s+(?:System\.)?NotImplementedException\s*\("
);
pattern!(SCALA, r"(?:^|[=\s>{(])\?\?\?(?:\s|$|\}|\))");
pattern!(DART, r"\bthrow\s+(?:new\s+)?UnimplementedError\s*\(");
pattern!(
    JAVA,
    r#"\bthrow\s+new\s+UnsupportedOperationException\s*\(\s*"(?i:(?:todo|fixme|not (?:yet )?implemented|implement me)[^"\n]*)"\s*\)"#
);

const TRIGGER: &str = "An input, a file or a peer is not as this line assumes, and the whole program ends instead of reporting an error.";
const UNFINISHED: &str =
    "The first caller that gets here ends the program: the code is not written yet.";

fn check(file: &FileView<'_>, sink: &mut Sink) {
    if file.role != Role::Source {
        return;
    }
    let is_rust = file.language == Language::Rust;
    if is_rust && is_tool(file) || file.language == Language::Go && habitat::is_program(file) {
        return;
    }
    // Behind the start of a test module lie tests, to the end of the file.
    let mut in_tests = false;
    for (index, hunk) in file.hunks.iter().enumerate() {
        let code = &hunk.new.code;
        let asserts = is_rust
            && [
                "assert_eq!(",
                "assert_ne!(",
                "#[test]",
                "assert_matches!(",
                "insta::",
            ]
            .iter()
            .any(|a| code.contains(a));
        if !in_tests && !asserts && hunk.new.lines.iter().any(|l| l.changed) {
            let mut found = Sink::default();
            check_hunk(file, hunk, &mut found);
            for placed in found.hits {
                sink.hit_in(index, placed.hit);
            }
        }
        in_tests |= is_rust && (code.contains("mod tests {") || code.contains("#[test]"));
    }
}

fn check_hunk(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    match file.language {
        Language::Rust => rust(hunk, sink),
        Language::Go => go(hunk, sink),
        Language::Kotlin => {
            for found in KOTLIN.find_iter(&side.code) {
                let (range, title, severity) = if found.as_str().starts_with('T') {
                    (
                        found.start()..found.end() - 1,
                        "Unfinished code: `TODO()` throws",
                        Severity::Major,
                    )
                } else {
                    (
                        found.end() - 2..found.end(),
                        "`!!` throws on null",
                        Severity::Minor,
                    )
                };
                report(side, sink, range, title, severity);
            }
        }
        Language::Swift => {
            for found in SWIFT.find_iter(&side.code) {
                let line = side.line_range(side.line_at(found.start()));
                let title = if found.as_str() == "try!" {
                    "`try!` crashes on any error"
                } else {
                    "`as!` crashes on any other type"
                };
                if !SWIFT_USUAL.is_match(&side.live[line]) {
                    report(side, sink, found.range(), title, Severity::Minor);
                }
            }
        }
        Language::CSharp => unfinished(side, sink, &CSHARP, &side.code),
        Language::Scala => unfinished(side, sink, &SCALA, &side.code),
        Language::Dart => unfinished(side, sink, &DART, &side.code),
        Language::Java => unfinished(side, sink, &JAVA, &side.live),
        _ => {}
    }
}

fn unfinished(side: &Side, sink: &mut Sink, pattern: &regex::Regex, text: &str) {
    for found in pattern.find_iter(text) {
        let range = calls::trim(text, found.range());
        report(side, sink, range, "Unfinished code throws", Severity::Minor);
    }
}

fn report(side: &Side, sink: &mut Sink, range: Range<usize>, title: &str, severity: Severity) {
    let line = side.line_at(range.start);
    if !side.lines[line].changed
        || side.in_test(range.start)
        || scope::gives_reason(&scope::comment_around(side, range.clone()))
    {
        return;
    }
    let is_unfinished = title.starts_with("Unfinished");
    let mut hit = Hit::at(range, if is_unfinished { UNFINISHED } else { TRIGGER });
    hit.title = Some(title.to_owned());
    hit.severity = Some(severity);
    hit.confidence = if is_unfinished { 0.9 } else { 0.75 };
    sink.hit(hit);
}

fn is_tool(file: &FileView<'_>) -> bool {
    let path = file.path;
    file.name == "build.rs"
        || ["xtask/", "fuzz/", "examples/", "benches/"]
            .iter()
            .any(|folder| path.starts_with(folder) || path.contains(&format!("/{folder}")))
        || habitat::words(path).iter().any(|w| {
            matches!(
                w.as_str(),
                "macro" | "macros" | "derive" | "testing" | "testutil"
            )
        })
}

/// How many panic points of this kind the hunk removes: an edited line is not a new panic.
fn removed(hunk: &HunkView<'_>, kind: &str) -> usize {
    hunk.lines
        .iter()
        .filter(|l| l.kind == LineKind::Removed && !l.text.trim_start().starts_with("//"))
        .map(|l| {
            let ends =
                |at: usize| !l.text[at..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
            let whole = |(at, text): &(usize, &str)| ends(at + text.len());
            l.text.match_indices(kind).filter(whole).count()
        })
        .sum()
}

fn rust(hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let code = &side.code;
    let mut edits: Vec<(&str, usize)> = Vec::new();
    for found in RUST.find_iter(code) {
        let at = found.start() + found.as_str().len()
            - found
                .as_str()
                .trim_start_matches(['.', ' ', '\n', '\t'])
                .len();
        let line = side.line_at(at);
        if !side.lines[line].changed {
            continue;
        }
        let name: String = code[at..found.end()]
            .chars()
            .take_while(|c| c.is_alphanumeric() || "_!:".contains(*c))
            .collect();
        let Some((title, severity)) = rust_fault(side, &name, at, found.end()) else {
            continue;
        };
        let kind = [
            "unwrap",
            "expect",
            "panic!",
            "todo!",
            "unimplemented!",
            "unreachable!",
        ]
        .into_iter()
        .find(|k| name.contains(k))
        .unwrap_or("panic!");
        let left = match edits.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, left)) => left,
            None => {
                edits.push((kind, removed(hunk, kind)));
                let Some((_, left)) = edits.last_mut() else {
                    continue;
                };
                left
            }
        };
        if *left > 0 {
            *left -= 1;
            continue;
        }
        let is_call = found.as_str().starts_with('.');
        if is_proven(side, hunk, line, found.start(), is_call) {
            continue;
        }
        report(side, sink, at..at + name.len(), title, severity);
    }
}

fn rust_fault(side: &Side, name: &str, at: usize, end: usize) -> Option<(&'static str, Severity)> {
    let code = &side.code;
    let said = || side.live[calls::inside(code, end - 1)].trim();
    match name {
        "todo!" | "unimplemented!" => Some(("Unfinished code panics", Severity::Major)),
        "panic!" => {
            (!CONTRACT.is_match(said())).then_some(("`panic!` in library code", Severity::Minor))
        }
        "unreachable!" => {
            let is_arm = code[..at].trim_end().ends_with("=>");
            (said().is_empty() && !is_arm)
                .then_some(("`unreachable!` without a proof", Severity::Minor))
        }
        "expect" | "expect_err" => {
            let said = said();
            let text = said.trim_matches(['"', 'r', '#']).trim();
            let is_text = said.starts_with(['"', 'r']);
            let is_message = is_text && text.len() < 15;
            is_message.then_some((
                "`expect` that doesn't say why it cannot fail",
                Severity::Minor,
            ))
        }
        "unwrap" | "unwrap_err" => said()
            .is_empty()
            .then_some(("`unwrap` in library code", Severity::Minor)),
        _ => Some(("`unwrap` in library code", Severity::Minor)),
    }
}

/// True if the hunk shows why this cannot fail.
fn is_proven(side: &Side, hunk: &HunkView<'_>, line: usize, at: usize, is_call: bool) -> bool {
    let start = statement_start(&side.code, at);
    let before = &side.live[start..at];
    if RUST_CONSTANT.is_match(before) || RUST_CONSTANT.is_match(hunk.section) {
        return true;
    }
    if is_call && RUST_PROVEN.is_match(before) {
        return true;
    }
    if documents_panics(side, line) || in_panicking_function(side, hunk, line) {
        return true;
    }
    is_call && was_checked(side, line, before)
}

fn statement_start(code: &str, at: usize) -> usize {
    let from = code.floor_char_boundary(at.saturating_sub(600));
    code[from..at]
        .rfind([';', '{', '}'])
        .map_or(from, |offset| from + offset + 1)
}

/// True if the function around it is made for panicking, or runs at compile time.
fn in_panicking_function(side: &Side, hunk: &HunkView<'_>, line: usize) -> bool {
    let header = (0..=line)
        .rev()
        .find(|i| scope::code_line(side, *i).contains("fn "));
    let Some(header) = header else {
        return PANICKING.is_match(hunk.section);
    };
    let from = header.saturating_sub(4);
    PANICKING.is_match(
        &side.code[side.lines[from].start
            ..side
                .line_range(header)
                .end
                .max(side.line_range((header + 3).min(line)).end)],
    )
}

/// True if the function's documentation, as far as it is in sight, says when it panics.
fn documents_panics(side: &Side, line: usize) -> bool {
    let from = line.saturating_sub(40);
    let text = &side.text[side.lines[from].start..side.line_range(line).end];
    text.contains("# Panics")
}

/// True if a line shortly before asks about the same value.
fn was_checked(side: &Side, line: usize, before: &str) -> bool {
    let expression = before
        .rsplit(['=', ',', '|', '&', '!', '\n'])
        .find(|p| !p.trim().is_empty())
        .unwrap_or("")
        .trim();
    let expression = expression
        .trim_start_matches("return ")
        .trim_start_matches(['*', '('])
        .trim();
    let root: String = expression
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '.')
        .collect();
    let mut parts = root.split('.').filter(|p| !p.is_empty());
    let name = match parts.next() {
        Some("self") => parts.next().unwrap_or("self"),
        Some(name) => name,
        None => return false,
    };
    if name.len() < 2 {
        return false;
    }
    (line.saturating_sub(6)..=line).any(|index| {
        let code = scope::code_line(side, index);
        let is_own = index == line;
        let code = if is_own {
            code.split(expression).next().unwrap_or("")
        } else {
            code
        };
        code.contains(name) && CHECKED.is_match(code)
    })
}

fn go(hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    for found in GO_PANIC.find_iter(&side.code) {
        let at = found.end() - found.as_str().trim_start_matches(|c: char| c != 'p').len();
        let inside = calls::inside(&side.code, found.end() - 1);
        let said = side.live[inside].trim();
        let is_unfinished = ["not implemented", "todo", "implement me", "unimplemented"]
            .iter()
            .any(|w| said.to_ascii_lowercase().contains(w));
        let is_error = said == "err" || said.ends_with("Err") || said.starts_with("err.");
        let allowed = GO_ALLOWED.is_match(hunk.section)
            || GO_ALLOWED
                .is_match(&side.code[side.code.floor_char_boundary(at.saturating_sub(1500))..at]);
        if is_unfinished {
            report(
                side,
                sink,
                at..at + 5,
                "Unfinished code panics",
                Severity::Major,
            );
        } else if is_error && !allowed {
            report(
                side,
                sink,
                at..at + 5,
                "`panic` on an error in library code",
                Severity::Minor,
            );
        }
    }
}
