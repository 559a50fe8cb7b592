//! Errors that are caught and dropped.

mod braced;
mod indented;
mod worded;

use std::ops::Range;

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{pattern, scope},
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "swallowed-error",
    severity: Severity::Major,
    title: "An error is swallowed",
    reason: "The failure leaves no trace: the program goes on with wrong state and nobody can find out why.",
    explain: "Finds handlers that catch everything and do nothing (`except: pass`, `catch (e) {}`, `rescue => e; end`, \
        `.catch(() => {})`, `suppress(Exception)`, `if err != nil {}`, `Err(_) => {}`, `EXCEPTION WHEN OTHERS THEN \
        NULL`), and, at a lower severity, those that only go on (`continue`, `return None`).\n\n\
        Leaves alone: handlers of a narrow error (`except KeyError: pass`), handlers whose comment gives a reason, \
        clean-up such as closing or removing, tests.\n\n\
        What to do: handle the error, pass it on, or log it; catch the narrowest type; where dropping it is right, \
        say why in a comment.",
    languages: &[],
    triggers: &[
        "except",
        "catch",
        "suppress",
        "rescue",
        "finally",
        "err",
        "rejection",
        "pcall",
        "uncaught",
        "exceptionally",
        "resume next",
        "when others",
        "try?",
        "|| true",
        "|| :",
        "runcatching",
        "case _",
        "nonfatal",
        "on exception",
        "on error",
        "ensure",
        "pass",
        ".then(",
        "recover()",
        "@file_",
        "@fw",
        "@fputs",
        "@mkdir",
        "@copy",
        "@rename",
        "@mysqli",
        "@pg_",
        "@move_",
        "@include",
        "@require",
        "@mail",
        "@symlink",
        "@json",
        "@unserialize",
        "ignore",
        "noop",
        "continue",
        "return",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

/// The title for a handler that catches everything and does nothing.
const EVERY: &str = "Every error is swallowed";
const TRIGGER: &str = "The guarded code fails (bad input, a full disk, a typo in it), nothing is reported, and what follows works on \
    wrong state.";

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    use Language::*;
    if !matches!(file.role, Role::Source | Role::Build) {
        return;
    }
    let side = &hunk.new;
    match file.language {
        Python => indented::python(side, sink),
        Ruby => indented::ruby(side, sink),
        Elixir => worded::elixir(side, sink),
        JavaScript | TypeScript | Vue => {
            braced::handlers(file, side, sink);
            braced::promises(side, sink);
        }
        Java | CSharp | Cpp | ObjectiveC | PowerShell | Perl => braced::handlers(file, side, sink),
        Php => {
            braced::handlers(file, side, sink);
            worded::php(side, sink);
        }
        Dart => {
            braced::handlers(file, side, sink);
            braced::promises(side, sink);
        }
        Kotlin => {
            braced::handlers(file, side, sink);
            worded::kotlin(side, sink);
        }
        Scala => {
            braced::handlers(file, side, sink);
            worded::scala(side, sink);
        }
        Swift => {
            braced::handlers(file, side, sink);
            worded::swift(side, sink);
        }
        Go => worded::go(side, sink),
        Lua => worded::lua(side, sink),
        Rust => worded::rust(side, sink),
        Sql => worded::sql(side, sink),
        Shell | Makefile | Yaml | Dockerfile => worded::shell(side, sink),
        _ => worded::basic(file, side, sink),
    }
}

/// Reports whole lines, unless they lie in test code, nothing of them was added, or a comment
/// gives the reason.
fn report(
    side: &Side,
    sink: &mut Sink,
    range: Range<usize>,
    title: &str,
    severity: Severity,
    confidence: f32,
) {
    if side.in_test(range.start)
        || !side.touches_change(&range)
        || is_explained(side, range.clone())
    {
        return;
    }
    let mut hit = Hit::lines(range, TRIGGER);
    hit.title = Some(title.to_owned());
    hit.severity = Some(severity);
    hit.confidence = confidence;
    sink.hit(hit);
}

pattern!(
    ABOUT_FAILURE,
    r"(?i)error|fail|ignor|throw|exception|best[- ]effort|may not|might not|swallow"
);

/// True if a comment in the handler says why, or one right above it that speaks of failure.
fn is_explained(side: &Side, range: Range<usize>) -> bool {
    let first = side.line_at(range.start);
    let last = side.line_at(range.end.max(range.start + 1) - 1);
    let inside = scope::comments(side, side.lines[first].start..side.line_range(last).end);
    if scope::gives_reason(&inside) {
        return true;
    }
    let around = scope::comment_around(side, range);
    let above = around.strip_suffix(inside.as_str()).unwrap_or(&around);
    ABOUT_FAILURE.is_match(above) && scope::gives_reason(above)
}

/// Calls whose failure is nobody's loss: tidying up.
fn is_cleanup(code: &str) -> bool {
    const VERBS: [&str; 34] = [
        "close",
        "unlink",
        "rm",
        "remove",
        "kill",
        "destroy",
        "dispose",
        "abort",
        "cancel",
        "disconnect",
        "stop",
        "terminate",
        "unlinkSync",
        "rmSync",
        "rmdirSync",
        "delete",
        "removeItem",
        "deleteIfExists",
        "Dispose",
        "Close",
        "Delete",
        "Kill",
        "end",
        "quit",
        "shutdown",
        "removeEventListener",
        "releaseLock",
        "removeDirectory",
        "revokeObjectURL",
        "sleep",
        "cleanup",
        "releasePointerCapture",
        "closeQuietly",
        "detach",
    ];
    let code = code.trim().trim_end_matches(';').trim();
    let Some(open) = code.find('(') else {
        return false;
    };
    let name = crate::matching::calls::last_word(code[..open].trim_end());
    !code.contains(';') && code.matches('\n').count() == 0 && VERBS.contains(&name)
}
