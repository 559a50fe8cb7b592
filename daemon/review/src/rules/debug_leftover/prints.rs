//! Which prints are debugging, and which are the file's work.

use std::ops::Range;

use crate::{
    language::{Language, Role},
    matching::{calls, habitat, pattern, scope},
    view::{FileView, Side},
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
    r"no-console|no-alert|avoid_print|\bT(?:20[13]?|100)\b|print_stdout|print_stderr|noConsole|no-debugger|forbidigo|W1203|RegexpSingleline"
);
pattern!(
    SERVING,
    r"(?i)listening|running (?:at|on)|started (?:on|at)|ready (?:on|at)"
);
pattern!(
    USAGE,
    r"(?i)^(?:\w+\.)*\w*(?:usage|help|version|banner)(?:_?(?:text|message|msg|string))?(?:\(\))?$"
);
pattern!(
    OUTPUT_NAME,
    r"(?i)\b(?:def|function|func|fun|fn|sub|void)\s+\w*(?:main|print|display|show|dump|usage|help|report|log|debug|verbose|banner|output|render|cli|cmd)\w*"
);

/// What is asked of the whole file, once.
#[derive(Default)]
pub(super) struct Facts<'d> {
    pub(super) is_program: Option<bool>,
    /// Per name of a print: the file prints already, or prints a lot.
    pub(super) prints: Vec<(&'d str, bool)>,
}

/// Things that are debugging wherever they stand, programs included.
pub(super) fn is_always_debugging(language: Language, name: &str) -> bool {
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

pub(super) fn is_accepted(side: &Side, line: usize) -> bool {
    let from = side.lines[line.saturating_sub(1)].start;
    ACCEPTED.is_match(&side.text[from..side.line_range(line).end])
}

pub(super) struct Call<'c> {
    pub(super) file: &'c FileView<'c>,
    pub(super) side: &'c Side,
    pub(super) at: usize,
    pub(super) name: &'c str,
    pub(super) end: usize,
    pub(super) line: usize,
}

impl<'d> Call<'d> {
    pub(super) fn judge(
        &self,
        always: bool,
        wants_debug_text: bool,
        facts: &mut Facts<'d>,
    ) -> Option<f32> {
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
        if USAGE.is_match(self.said()) {
            return None;
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

/// True if the code is behind a condition on debugging.
pub(super) fn mentions_guard(code: &str) -> bool {
    GUARD.is_match(code)
}
