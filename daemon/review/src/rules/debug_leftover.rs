//! Debugging aids left behind: breakpoints, dumps, prints in library code.

mod prints;
mod words;

use std::ops::Range;

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{calls, habitat, scope},
    rule::{Check, Fix, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

use prints::{Call, Facts, is_accepted, is_always_debugging};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "debug-leftover",
    severity: Severity::Minor,
    title: "Debugging output left in",
    reason: "A breakpoint stops production; a debugging print leaks data into logs and outputs.",
    explain: "Finds breakpoints (`debugger`, `breakpoint()`, `pdb.set_trace()`, `binding.pry`, `Debugger.Break()`; \
        severity major) and debugging output (`dbg!`, `console.log`, `print(` and their like in library code).\n\n\
        Leaves alone: programs and scripts (`cli`, `bin`, `scripts`, `main`, argument parsers), examples, tests, \
        documentation, loggers, output behind a verbosity or debug condition, output to a chosen stream, and files \
        that print already. Breakpoints count in tests too.\n\n\
        What to do: remove it, or use the project's logger.",
    languages: &[],
    triggers: &[
        "debugger",
        "breakpoint",
        "set_trace",
        "pdb",
        "pudb",
        "embed(",
        "code.interact",
        "binding.",
        "byebug",
        "save_and_open",
        "pry",
        "console",
        "alert(",
        "print",
        "dbg",
        "xdebug_break",
        "dd(",
        "ddd(",
        "var_dump",
        "var_export",
        "dump(",
        "ray(",
        "error_log",
        "backtrace",
        "$db::single",
        "dumper",
        "iex.",
        "io.inspect",
        "io.puts",
        "fmt.p",
        "spew.",
        "dumpstack",
        "system.out",
        "system.err",
        "stacktrace",
        "debug.log",
        "nslog",
        "debugbreak",
        "debugtrap",
        "sigtrap",
        "int3",
        "cout",
        "cerr",
        "qdebug",
        "set -x",
        "xtrace",
        "wait-debugger",
        "set-psdebug",
        "puts",
        "ic(",
        "die(",
        "litter.",
        "debugpy",
        "raise notice",
        "log.p",
        "\tp ",
        " p ",
        "pp ",
        "write",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::File(check),
};

fn check(file: &FileView<'_>, sink: &mut Sink) {
    if matches!(file.role, Role::Docs | Role::Fixture) {
        return;
    }
    let Some(family) = words::family(file.language) else {
        return;
    };
    let mut facts = Facts::default();
    for (index, hunk) in file.hunks.iter().enumerate() {
        if hunk.new.lines.iter().any(|l| l.changed) {
            check_hunk(file, index, &family, &mut facts, sink);
        }
    }
}

fn check_hunk<'d>(
    file: &'d FileView<'_>,
    index: usize,
    family: &words::Family,
    facts: &mut Facts<'d>,
    sink: &mut Sink,
) {
    let hunk = &file.hunks[index];
    let side = &hunk.new;
    let mut last_line = usize::MAX;
    if let Some(stop) = family.stop {
        let text = if matches!(file.language, Language::C | Language::Cpp) {
            &side.live
        } else {
            &side.code
        };
        for found in stop.find_iter(text) {
            let at = scope::skip_space(&side.code, found.start()).min(found.end());
            let line = side.line_at(at);
            if line == last_line
                || !side.lines[line].changed
                || !is_stop(file, hunk, at, found.end())
            {
                continue;
            }
            last_line = line;
            let mut hit = Hit::at(
                trimmed(side, at..found.end()),
                "The first request or job that reaches this line stops and waits for a debugger that nobody attached.",
            );
            hit.severity = Some(Severity::Major);
            hit.title = Some("Breakpoint left in".to_owned());
            hit.confidence = 0.95;
            sink.hit_in(index, with_fix(file, side, at, hit));
        }
    }
    let Some(print) = family.print else { return };
    let is_rust = file.language == Language::Rust;
    for found in print.find_iter(&side.code) {
        let at = scope::skip_space(&side.code, found.start());
        let at = at + side.code[at..found.end()].len()
            - side.code[at..found.end()]
                .trim_start_matches(['{', ';', '(', '>', '|'])
                .trim_start()
                .len();
        let line = side.line_at(at);
        if line == last_line || !side.lines[line].changed || side.in_test(at) {
            continue;
        }
        let name = side.code[at..found.end()]
            .trim_end()
            .trim_end_matches(['(', '[', '{'])
            .trim_end();
        let always = is_always_debugging(file.language, name);
        let is_script = file.language == Language::Shell;
        if !always
            && !is_script
            && *facts
                .is_program
                .get_or_insert_with(|| habitat::is_program(file))
        {
            continue;
        }
        if always && !matches!(file.role, Role::Source | Role::Build) && !is_rust {
            continue;
        }
        let call = Call {
            file,
            side,
            at,
            name,
            end: found.end(),
            line,
        };
        let Some(confidence) = call.judge(always, family.wants_debug_text, facts) else {
            continue;
        };
        last_line = line;
        let mut hit = Hit::at(
            at..at + name.len(),
            format!(
                "`{}` writes to the output of whoever uses this code, in production too.",
                squeeze(name)
            ),
        );
        hit.confidence = confidence;
        if let Some(title) = title(file.language, name) {
            hit.title = Some(title.to_owned());
        }
        sink.hit_in(index, with_fix(file, side, at, hit));
    }
}

fn trimmed(side: &Side, range: Range<usize>) -> Range<usize> {
    let trimmed = calls::trim(&side.code, range.clone());
    let name = side.code[trimmed.clone()]
        .trim_end_matches(['(', ';', '#'])
        .trim_end();
    if name.is_empty() {
        range
    } else {
        trimmed.start..trimmed.start + name.len()
    }
}

fn squeeze(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn title(language: Language, name: &str) -> Option<&'static str> {
    match (language, name) {
        (Language::Rust, n) if n.starts_with("dbg") => Some("`dbg!` left in"),
        (Language::Shell, _) => Some("Command tracing left on"),
        (_, n) if n.ends_with("printStackTrace") => {
            Some("Stack trace printed instead of handled or logged")
        }
        _ => None,
    }
}

fn is_stop(file: &FileView<'_>, hunk: &HunkView<'_>, at: usize, end: usize) -> bool {
    let side = &hunk.new;
    let code = &side.code;
    let line = side.line_at(at);
    let found = code[at..end].trim();
    if is_accepted(side, line) {
        return false;
    }
    match file.language {
        Language::JavaScript | Language::TypeScript | Language::Vue => {
            let before = code[..at].trim_end();
            let head = code[side.lines[line].start..at].trim();
            let after = code[end..].split('\n').next().unwrap_or("").trim();
            let opens = (head.is_empty()
                && !before.ends_with([',', '(', '.', ':', '=', '['])
                && !before.ends_with("({"))
                || head.ends_with([';', '{', '}', ')'])
                || head.ends_with("else");
            opens && (after.is_empty() || after.starts_with([';', '}']))
        }
        Language::Python => is_python_stop(file, side, at, end, found),
        Language::Ruby => file.name != "Gemfile" && !code[..at].ends_with('.'),
        Language::Php => {
            let before = code[..at].trim_end_matches('\\');
            let word = calls::word_before(code, at);
            !before.ends_with(['>', ':', '$']) && word != "function" && word != "new"
        }
        Language::Dart => !calls::word_before(code, at).eq("void"),
        _ => true,
    }
}

fn is_python_stop(file: &FileView<'_>, side: &Side, at: usize, end: usize, found: &str) -> bool {
    let code = &side.code;
    if found.starts_with("import") || found.starts_with("from") {
        // The call that follows is the better place to point at.
        let uses = file.hunks.iter().any(|h| {
            let code = &h.new.code;
            code.contains("set_trace(") || code.contains("pdb.") || code.contains("pu.db")
        });
        return !uses;
    }
    if calls::word_before(code, at) == "def" {
        return false;
    }
    if found.starts_with("set_trace") && code[..at].ends_with("Pdb().") {
        // A debugger that the program offers.
        return false;
    }
    if found.starts_with("set_trace") {
        return !matches!(
            calls::qualifier(code, at),
            calls::Qualifier::Word("self" | "cls" | "sys")
        ) && !scope::code_line(side, side.line_at(at)).contains("def ");
    }
    if found.starts_with("embed") {
        return file.hunks.iter().any(|h| h.new.live.contains("IPython"));
    }
    if found.starts_with("pdb.") {
        let line = scope::code_line(side, side.line_at(at));
        return !prints::mentions_guard(line) && !matches!(file.role, Role::Test);
    }
    let is_own = found.starts_with("breakpoint");
    let opened = close_arguments(side, end);
    !is_own || !code[..at].ends_with('.') && opened.is_some_and(|args| args.trim().is_empty())
}

/// The arguments between the bracket before `end` and its partner.
fn close_arguments(side: &Side, end: usize) -> Option<&str> {
    let open = side.code[..end].rfind('(')?;
    Some(&side.code[calls::inside(&side.code, open)])
}

/// Adds the removal of the statement where nothing else can depend on it.
fn with_fix(file: &FileView<'_>, side: &Side, at: usize, hit: Hit) -> Hit {
    let code = &side.code;
    let by_indent = matches!(
        file.language,
        Language::Python | Language::Ruby | Language::Elixir | Language::Shell
    );
    if file.language == Language::Rust || file.language == Language::Elixir {
        return hit;
    }
    let mut end = hit.range.end;
    // A call may be named over several lines (`console`, then `.log(x)`).
    let line_end = side
        .line_range(side.line_at(end.saturating_sub(1).max(at)))
        .end
        .max(end);
    while code[end..line_end]
        .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_')
    {
        end += 1;
    }
    let open = scope::skip_space(code, end);
    if code[open..].starts_with(['(', '[']) {
        match scope::close(code, open) {
            Some(close) => end = close + 1,
            None => return hit,
        }
    } else if by_indent {
        end = line_end;
    }
    if code[end..].starts_with(';') {
        end += 1;
    }
    match scope::removable(side, at..end, by_indent) {
        Some(lines) => hit.fix(Fix::RemoveLines(lines)),
        None => hit,
    }
}
