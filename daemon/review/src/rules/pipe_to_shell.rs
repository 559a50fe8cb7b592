//! `pipe-to-shell`: a download that runs as it arrives.

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{
        pattern,
        rows::{self, Row, row},
    },
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "pipe-to-shell",
    severity: Severity::Major,
    title: "Download is run unseen",
    reason: "Whoever controls the server, or the way to it, runs commands here; a broken transfer runs half a script.",
    explain: "\
Finds `curl … | sh`, `wget -O- … | bash`, `bash <(curl …)`, `sh -c \"$(curl …)\"`, `source <(curl …)`, \
`eval \"$(curl …)\"`, `iwr … | iex`, `iex (New-Object Net.WebClient).DownloadString(…)`, also with `sudo`, `python` and over \
several lines, in scripts, container files, CI definitions and strings of other languages.\n\n\
Leaves alone: documentation, comments, tests, messages that show the command to a reader.\n\n\
Do: download a named version, compare its checksum, then run it.",
    languages: &[],
    triggers: &[
        "curl",
        "wget",
        "iwr",
        "invoke-webrequest",
        "downloadstring",
        "irm",
        "invoke-restmethod",
        "http -b",
        "fetch -o",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str = "The server, or a proxy on the way, answers with another script, and it runs with these rights.";

static ROWS: [Row; 3] = [
    row!(
        Live,
        [],
        r#"\b((?:curl|wget|fetch)(?:\.exe)?[ \t](?:[^|\n;&#]|\\\n|\|\|?\s*true|&[^&\n ])*(?:\\\n\s*)?\|(?:\s|\\\n)*(?:(?:tee|gunzip|tr|sed|base64|gzip|zcat|xz|cat)\b[^|\n]*\|(?:\s|\\\n)*)*(?:sudo\s+(?:-\w+\s+)*|env\s+|exec\s+)?(?:[A-Z_][A-Z0-9_]*=\S*\s+)*(?:/usr/bin/env\s+|/(?:usr/)?bin/)?(?:(?:bash|sh|zsh|dash|ash|ksh|fish|"?\$\{?SHELL\}?"?)(?:\s|$|["'`;)\\])|(?:python[23]?|perl|ruby|node|php)(?:\s+-)?(?:\s*["'`;)\n]|\s*$)))"#,
        TRIGGER
    ),
    row!(
        Live,
        [],
        r#"\b((?:bash|sh|zsh|dash|source|python[23]?|perl|ruby|\.)\s+(?:-\w+\s+)*<\(\s*(?:curl|wget)\b[^\n]*?\))|\b((?:bash|sh|zsh|dash|eval|python[23]?|perl|ruby)\s+(?:-\w+\s+)*\\?["']?(?:\$\(|`)\s*(?:curl|wget)\b[^\n]*)|(?m)(?:^|[;&|]\s*)(\.\s+<\(\s*(?:curl|wget)\b[^\n]*?\))"#,
        TRIGGER
    ),
    row!(
        Live,
        [],
        r#"(?i)\b((?:iwr|irm|curl|wget|Invoke-WebRequest|Invoke-RestMethod)\b[^|\n]*\|\s*(?:iex|Invoke-Expression))\b|\b((?:iex|Invoke-Expression)\s*[("'&{$]*\s*\(?\s*(?:\(?New-Object\s+(?:System\.)?Net\.WebClient\)?\s*\.\s*DownloadString|iwr|irm|Invoke-WebRequest|Invoke-RestMethod)\b[^\n]*)|(DownloadString\s*\([^)\n]*\)\s*\)?\s*\|\s*(?:iex|Invoke-Expression))"#,
        TRIGGER
    ),
];

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if matches!(file.role, Role::Docs | Role::Test | Role::Fixture)
        || matches!(
            file.language,
            Language::Markdown | Language::Html | Language::Text | Language::Css | Language::Vue
        )
    {
        return;
    }
    let side = &hunk.new;
    if matches!(file.language, Language::Dockerfile | Language::Shell) {
        saved(side, sink);
    }
    for (row, range) in rows::merge(rows::matches(&ROWS, file, hunk), hunk, 0) {
        let line = side.line_range(side.line_at(range.start));
        let head = side.live[line.start..range.start].trim_start();
        if rows::is_shown(head)
            || is_only_text(file.language, side, range.start, head)
            || hash_is_checked(&side.live[range.clone()])
        {
            continue;
        }
        sink.hit(Hit::at(range, row.trigger));
    }
}

/// `curl -o i.sh … && sh i.sh`, with nothing in between that looks at the file.
fn saved(side: &Side, sink: &mut Sink) {
    pattern!(
        SAVED,
        r"\b(?:curl|wget)[ \t][^|;\n#]*?[ \t]-[a-zA-Z]*[oO][ \t]+(\S+)[^|;\n#]*?&&[ \t]*(?:sudo[ \t]+)?(?:ba|z|da)?sh[ \t]+(?:-\w+[ \t]+)*(\S+)"
    );
    for found in SAVED.captures_iter(&side.live) {
        let (Some(whole), Some(file), Some(run)) = (found.get(0), found.get(1), found.get(2))
        else {
            continue;
        };
        let line = side.line_range(side.line_at(whole.start()));
        let head = side.live[line.start..whole.start()].trim_start();
        let checks = ["sum", "gpg", "cosign", "verify", "openssl"]
            .iter()
            .any(|tool| whole.as_str().contains(tool));
        if file.as_str() == run.as_str()
            && !checks
            && !rows::is_shown(head)
            && !side.in_test(whole.start())
        {
            sink.hit(Hit::at(whole.range(), TRIGGER));
        }
    }
}

/// In a programming language a text counts where something runs it; in a script, not where it is
/// part of a document that is printed.
fn is_only_text(language: Language, side: &Side, start: usize, head: &str) -> bool {
    use Language::*;
    pattern!(
        RUNS,
        r"(?i)run|system|exec|popen|call|check|spawn|\bsh\b|shell|command|cmd|provision|inline|script|getoutput|ssh|sudo|user_?data|invoke|process|task|\$\("
    );
    if matches!(
        language,
        Dockerfile | Makefile | Yaml | Json | Toml | Ini | Terraform | Unknown | Xml
    ) {
        return rows::in_shown_block(side, start);
    }
    let is_text = side.code.as_bytes()[start] == b' ';
    if language == PowerShell {
        return is_text;
    }
    if language == Shell {
        let in_document = is_text && !head.contains(['"', '\'']);
        let opener = side.live[..start]
            .rfind("<<")
            .map(|at| &side.live[side.line_range(side.line_at(at)).start..at]);
        const RUNNERS: [&str; 11] = [
            "ssh", "bash", "sh ", "sudo", "su ", "docker", "kubectl", "vagrant", "chroot", "tee",
            ">",
        ];
        return in_document
            && opener.is_some_and(|o| !RUNNERS.iter().any(|runner| o.contains(runner)));
    }
    let line = side.line_at(start);
    let from = side.lines[line.saturating_sub(2)].start;
    !(is_text && RUNS.is_match(&side.code[from..start]))
}

fn hash_is_checked(text: &str) -> bool {
    text.contains("sha256sum") || text.contains("shasum") || text.contains("gpg")
}
