//! Debugging aids left behind: breakpoints, dumps, prints in library code.

mod words;

use std::ops::Range;

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{calls, habitat, pattern, scope},
    rule::{Check, Fix, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

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

// A first argument that only a debugging print has.
pattern!(
    DEBUG_TEXT,
    r#"(?i)^[a-z]{0,2}["'`](?:\W*(?:debug|dbg|here\b|got here|in here|i'?m here|reached\b|xxx+|wtf|asdf|foo\b|bar\b|test\s*\d*["'`]|hello|tmp:|temp:|remove ?me|trace:|checkpoint|entering\b|inside\b)|\s*(?:>>>+|={3,}|\*{3,}|-{3,}|#{3,}|!{2,}|@{2,}|\d+["'`]))"#
);
pattern!(RUST_DUMP, r#"^"[^"{}]{0,24}\{[\w.]*:#?\?\}[^"{}]{0,3}""#);
pattern!(
    GUARD,
    r"(?i)(?:\bif\b|\bunless\b|\bwhen\b|&&|\?|#if\b).*(?:debug|verbose|__dev__|\bdev\b|isdev|trace|logging|loglevel|log_level|production|quiet|silent|development|dry_?run)"
);
pattern!(
    ACCEPTED,
    r"no-console|no-alert|avoid_print|\bT20[13]?\b|print_stdout|print_stderr|noConsole|no-debugger|forbidigo|W1203|RegexpSingleline"
);
pattern!(
    SERVING,
    r"(?i)listening|running (?:at|on)|started (?:on|at)|ready (?:on|at)"
);
pattern!(
    OUTPUT_NAME,
    r"(?i)\b(?:def|function|func|fun|fn|sub|void)\s+\w*(?:main|print|display|show|dump|usage|help|report|log|debug|verbose|banner|output|render|cli|cmd)\w*"
);

/// What is asked of the whole file, once.
#[derive(Default)]
struct Facts<'d> {
    is_program: Option<bool>,
    /// Per name of a print: the file prints already, or prints a lot.
    prints: Vec<(&'d str, bool)>,
}

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

/// Things that are debugging wherever they stand, programs included.
fn is_always_debugging(language: Language, name: &str) -> bool {
    match language {
        Language::Rust => name.starts_with("dbg"),
        Language::Php => name.starts_with("var_dump") || name.starts_with("debug_"),
        Language::Go => name.starts_with("spew") || name.starts_with("litter"),
        Language::Elixir => name == "dbg" || name.ends_with("dbg"),
        Language::Perl => name.starts_with("$DB"),
        Language::Python => name == "ic",
        _ => false,
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
        return !GUARD.is_match(line) && !matches!(file.role, Role::Test);
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

fn is_accepted(side: &Side, line: usize) -> bool {
    let from = side.lines[line.saturating_sub(1)].start;
    ACCEPTED.is_match(&side.text[from..side.line_range(line).end])
}

struct Call<'c> {
    file: &'c FileView<'c>,
    side: &'c Side,
    at: usize,
    name: &'c str,
    end: usize,
    line: usize,
}

impl<'d> Call<'d> {
    fn judge(&self, always: bool, wants_debug_text: bool, facts: &mut Facts<'d>) -> Option<f32> {
        let code = &self.side.code;
        if is_accepted(self.side, self.line) || calls::word_before(code, self.at) == "def" {
            return None;
        }
        if always {
            let is_own = matches!(
                calls::word_before(code, self.at),
                "fn" | "function" | "func" | "macro_rules!"
            );
            let is_guarded =
                self.file.language == Language::Php && code[..self.at].ends_with(['>', ':']);
            let is_ic = self.name == "ic"
                && !self
                    .file
                    .hunks
                    .iter()
                    .any(|h| h.new.live.contains("icecream"));
            return (!is_own && !is_guarded && !is_ic).then_some(0.95);
        }
        let is_debug = self.has_debug_text();
        if wants_debug_text && !is_debug {
            return None;
        }
        if !self.is_print() || self.is_guarded() {
            return None;
        }
        if is_debug {
            return Some(0.9);
        }
        let key = self
            .name
            .split(|c: char| c.is_whitespace())
            .next()
            .unwrap_or(self.name);
        let is_quiet = self.only_with_debug_text()
            || self.is_custom(key, facts)
            || self.is_in_output_function();
        (!is_quiet).then_some(0.7)
    }

    /// True if the file prints like this already, or the change prints a lot: that is its work.
    fn is_custom(&self, key: &'d str, facts: &mut Facts<'d>) -> bool {
        if let Some((_, known)) = facts.prints.iter().find(|(name, _)| *name == key) {
            return *known;
        }
        let is_custom =
            habitat::is_habit(self.file, key) || habitat::added_count(self.file, key) >= 6;
        facts.prints.push((key, is_custom));
        is_custom
    }

    fn arguments(&self) -> Option<Range<usize>> {
        let code = &self.side.code;
        let open = self.end - usize::from(code[..self.end].ends_with(['(', '[', '{']));
        if code[open..].starts_with(['(', '[', '{']) {
            return Some(calls::inside(code, open));
        }
        let open = scope::skip_space(code, self.at + self.name.len());
        if code[open..].starts_with("?.(") {
            return Some(calls::inside(code, open + 2));
        }
        code[open..]
            .starts_with('(')
            .then(|| calls::inside(code, open))
    }

    /// The text behind the name: the arguments, or the rest of the line.
    fn said(&self) -> &str {
        let live = &self.side.live;
        match self.arguments() {
            Some(range) => live[range].trim(),
            None => {
                let end = self.side.line_range(self.line).end;
                let start = (self.at + self.name.len()).min(end);
                live[start..end].trim_start_matches([' ', '<', '(']).trim()
            }
        }
    }

    fn has_debug_text(&self) -> bool {
        let said = self.said();
        match self.file.language {
            Language::Rust => DEBUG_TEXT.is_match(said) || RUST_DUMP.is_match(said),
            Language::Go if self.name.starts_with("fmt.F") => said
                .split_once(',')
                .is_some_and(|(_, rest)| DEBUG_TEXT.is_match(rest.trim())),
            Language::C | Language::Cpp if self.name.starts_with("fprintf") => said
                .split_once(',')
                .is_some_and(|(_, rest)| DEBUG_TEXT.is_match(rest.trim())),
            Language::Perl => DEBUG_TEXT.is_match(said) || self.name.contains("Dumper"),
            Language::Lua => DEBUG_TEXT.is_match(said),
            Language::Sql => {
                let line = self.side.live[self.at..self.side.line_range(self.line).end].trim();
                line.find('\'')
                    .is_some_and(|q| DEBUG_TEXT.is_match(&line[q..]))
            }
            Language::Python if said.starts_with(['f', 'F']) && said.contains("=}") => true,
            _ => DEBUG_TEXT.is_match(said),
        }
    }

    /// Output that is too common to call it a leftover unless its text says so.
    fn only_with_debug_text(&self) -> bool {
        match self.file.language {
            Language::Go => self.name.starts_with("log.") || self.name.starts_with("fmt.F"),
            Language::CSharp => {
                self.name == "Debug.WriteLine" || self.name.starts_with("Console.Error")
            }
            Language::Java | Language::Kotlin | Language::Scala => {
                self.name.starts_with("System.err")
            }
            Language::Elixir => self.name == "IO.puts",
            Language::Php => matches!(self.name, "echo" | "print"),
            Language::Python => self.name.starts_with("sys."),
            Language::JavaScript | Language::TypeScript | Language::Vue
                if self.name.starts_with("alert") =>
            {
                let said = self.said();
                let is_dump =
                    said.starts_with("JSON.stringify") || said.bytes().all(|b| b.is_ascii_digit());
                !is_dump
            }
            _ => false,
        }
    }

    /// Tells a print from a thing of the same name, and from output to a chosen place.
    fn is_print(&self) -> bool {
        let code = &self.side.code;
        let said = self.said();
        let qualifier = calls::qualifier(code, self.at);
        let before = code[self.side.lines[self.line].start..self.at].trim();
        match self.file.language {
            Language::JavaScript | Language::TypeScript | Language::Vue => {
                let globals = ["window", "globalThis", "global", "self"];
                if !qualifier.is_none_or(&globals) || SERVING.is_match(said) {
                    return false;
                }
                if self.name.starts_with("console[") || self.name == "console" {
                    let live = &self.side.live[self.at..self.side.line_range(self.line).end];
                    return ["log", "debug", "dir", "trace"].iter().any(|m| {
                        live.get(8..).is_some_and(|rest| {
                            rest.trim_start_matches(['"', '\'', '`', '['])
                                .starts_with(m)
                        })
                    });
                }
                if self.name.starts_with("alert") {
                    return !calls::is_declaration(code, self.at, self.end - 1);
                }
                if self.arguments().is_some() {
                    return true;
                }
                let after = code[self.at + self.name.len()..].trim_start();
                let passed = [
                    ".then(",
                    ".forEach(",
                    ".map(",
                    "tap(",
                    "subscribe(",
                    ".catch(",
                ];
                after.starts_with(')')
                    && passed.iter().any(|p| before.replace(' ', "").ends_with(p))
            }
            Language::Python => {
                let qualified = qualifier.is_none_or(&["builtins", "pprint", "sys", "traceback"]);
                let has_target = ["file=", "file =", "end=", "end =", "flush=", "stream="]
                    .iter()
                    .any(|k| said.contains(k));
                let is_name = self.name.starts_with("print") && self.arguments().is_none() && {
                    let rest = self.said();
                    !rest.starts_with(['"', '\'', 'f', 'u', 'r']) || rest.starts_with("for ")
                };
                qualified && !has_target && !is_name && before != "async def"
            }
            Language::Php => {
                let is_method = code[..self.at].ends_with(['>', ':', '$'])
                    || calls::word_before(code, self.at) == "function";
                let wants_text = said.ends_with("true")
                    || said.ends_with("TRUE")
                    || said.ends_with("return: true");
                let is_value = before.ends_with(['=', '.', '(', ','])
                    || before.ends_with("return")
                    || before.ends_with("=>");
                let is_plain_log = self.name.starts_with("error_log")
                    && !["print_r", "var_export", "json_encode", "var_dump"]
                        .iter()
                        .any(|f| said.starts_with(f));
                let is_markup = matches!(self.name, "echo" | "print") && said.contains('<');
                !is_method
                    && !is_markup
                    && (self.name == "error_log" && !is_plain_log
                        || !wants_text && !is_value && !is_plain_log)
            }
            Language::Java | Language::Kotlin | Language::Scala => {
                if self.name.ends_with("printStackTrace") {
                    return self.arguments().is_some_and(|a| code[a].trim().is_empty());
                }
                let is_bare = self.name.starts_with("print");
                let is_own = is_bare
                    && (self.file.language == Language::Java
                        || !matches!(qualifier, calls::Qualifier::None));
                !is_own && !matches!(calls::word_before(code, self.at), "fun" | "def" | "void")
            }
            Language::Swift | Language::ObjectiveC | Language::Dart => {
                matches!(qualifier, calls::Qualifier::None)
                    && !matches!(calls::word_before(code, self.at), "func" | "void" | "fun")
                    && !said.contains("to:")
                    && !said.contains("terminator:")
            }
            Language::Ruby => {
                !said.starts_with('=')
                    && !code[..self.at].trim_end().ends_with('.')
                    && !file_is_task(self.file)
            }
            Language::Go => !matches!(qualifier, calls::Qualifier::Word(_)),
            Language::Shell => !code.contains("set +x") && self.file.role == Role::Source,
            Language::CSharp => {
                !matches!(qualifier, calls::Qualifier::Word(w) if w != "System" && w != "UnityEngine")
            }
            _ => true,
        }
    }

    /// True behind a condition on verbosity, debugging or the environment.
    fn is_guarded(&self) -> bool {
        let side = self.side;
        let own = &side.live[side.lines[self.line].start..self.side.line_range(self.line).end];
        if GUARD.is_match(own) && !own.trim_start().starts_with(self.name) {
            return true;
        }
        let depth = scope::indent(side, self.line);
        let mut index = self.line;
        for _ in 0..6 {
            let Some(before) = scope::previous(side, index) else {
                break;
            };
            index = before;
            let line = scope::live_line(side, before);
            let is_outer =
                scope::indent(side, before) < depth || line.trim_start().starts_with("#if");
            if is_outer && GUARD.is_match(line) {
                return true;
            }
            if scope::indent(side, before) + 1 < depth && is_outer && !line.contains("if") {
                break;
            }
        }
        false
    }

    /// True in a function whose name says that it prints.
    fn is_in_output_function(&self) -> bool {
        let side = self.side;
        let depth = scope::indent(side, self.line);
        let mut index = self.line;
        for _ in 0..200 {
            let Some(before) = scope::previous(side, index) else {
                break;
            };
            index = before;
            let line = scope::code_line(side, before);
            let is_header = ["def ", "function ", "func ", "fun ", "fn ", "void ", "sub "]
                .iter()
                .any(|k| line.contains(k));
            if is_header && scope::indent(side, before) < depth {
                return OUTPUT_NAME.is_match(line);
            }
        }
        self.file
            .hunks
            .iter()
            .any(|h| std::ptr::eq(&raw const h.new, side) && OUTPUT_NAME.is_match(h.section))
    }
}

fn file_is_task(file: &FileView<'_>) -> bool {
    file.name.ends_with(".rake") || file.name.ends_with(".thor") || file.path.starts_with("db/")
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
    let line_end = side.line_range(side.line_at(at)).end;
    let mut end = hit.range.end;
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
