//! Handlers in the manner of one language each.

use super::{EVERY, RULE, is_cleanup, report};
use crate::{
    finding::Severity,
    matching::{pattern, scope},
    rule::Sink,
    view::{FileView, Side},
};

pattern!(
    GO_EMPTY,
    r"\bif\s+(?:[^{}\n;]*;\s*)?\w*[eE]rr\w*\s*!=\s*nil\s*\{\s*\}"
);
pattern!(
    GO_RECOVER,
    r"\bdefer\s+func\s*\(\s*\)\s*\{\s*(?:_\s*=\s*)?recover\s*\(\s*\)\s*;?\s*\}\s*\(\s*\)"
);
pattern!(
    RUST_ARM,
    r"\bErr\s*\(\s*(?:[a-z_]\w*|\.\.)\s*\)\s*=>\s*(?:\{\s*\}|\(\s*\))"
);
pattern!(
    RUST_IF,
    r"\bif\s+let\s+Err\s*\(\s*[a-z_]\w*\s*\)\s*=\s*[^{};]*\{\s*\}"
);
pattern!(
    SQL_OTHERS,
    r"(?i)\bwhen\s+others\s+then\s+null\s*;|\bbegin\s+catch\s*;?\s*end\s+catch\b"
);
pattern!(
    SHELL_TRUE,
    r"\b(?:npm (?:run )?(?:test|build|publish|ci|lint)|yarn (?:test|build|lint)|pnpm (?:test|build)|pytest|tox|cargo (?:test|build|publish|clippy)|go (?:test|build|vet)|make (?:test|check|install|deploy|all)|mvn|gradlew?|terraform (?:apply|plan)|kubectl apply|helm (?:upgrade|install)|docker (?:build|push)|alembic|flyway|psql|mysqldump|pg_dump|pg_restore|rsync|aws s3 (?:cp|sync)|(?:db:)?migrate|phpunit|rspec)\b[^\n|&;]*\|\|\s*(?:true|:|exit 0|/bin/true)(?:\s|;|$)"
);
pattern!(RESUME_NEXT, r"(?im)^[ \t]*on error resume next\b");
pattern!(
    ELIXIR_RESCUE,
    r"\b(?:rescue|catch)\s+(?:_\w*|_\w*,\s*_\w*)\s*->\s*(?:nil|:ok|:error|\[\s*\])"
);
pattern!(KOTLIN_RUN, r"\brunCatching\s*\{");
pattern!(
    SCALA_CASE,
    r"\bcatch\s*\{\s*case\s+(?:_|\w+|NonFatal\s*\(\s*\w+\s*\)|\w+\s*:\s*(?:Throwable|Exception))\s*=>\s*(?:\(\s*\)|\{\s*\})?\s*\}"
);
pattern!(
    PHP_SILENCED,
    r"(?m)^[ \t]*(@(?:file_put_contents|fwrite|fputs|mkdir|copy|rename|mysqli_\w+|pg_\w+|move_uploaded_file|include|require|include_once|require_once|mail|symlink|eval|json_decode|unserialize)\s*\([^;\n]*;)"
);
pattern!(
    SWIFT_TRY,
    r"(?m)^[ \t]*(_\s*=\s*)?try\?\s+(?:await\s+)?[^\n]*$"
);

pub(super) fn go(side: &Side, sink: &mut Sink) {
    for found in GO_EMPTY.find_iter(&side.code) {
        report(side, sink, found.range(), RULE.title, Severity::Major, 0.95);
    }
    for found in GO_RECOVER.find_iter(&side.code) {
        report(
            side,
            sink,
            found.range(),
            "Every panic is swallowed",
            Severity::Major,
            0.9,
        );
    }
}

pub(super) fn lua(side: &Side, sink: &mut Sink) {
    pattern!(CALL, r"(?m)^[ \t]*x?pcall\s*(\()");
    for found in CALL.captures_iter(&side.code) {
        let (Some(whole), Some(open)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let start = scope::skip_space(&side.code, whole.start());
        let before = side.code[..start].trim_end();
        let is_part = before.ends_with(['=', ',', '(', '{']) || before.ends_with("return");
        let Some(close) = scope::close(&side.code, open.start()) else {
            continue;
        };
        let inside = &side.code[open.end()..close];
        let tidies = [
            "close", "remove", "stop", "cleanup", "destroy", "free", "del",
        ]
        .iter()
        .any(|verb| inside.contains(verb));
        if !is_part && !tidies && !inside.contains("require") {
            report(side, sink, start..close + 1, EVERY, Severity::Minor, 0.7);
        }
    }
}

pub(super) fn rust(side: &Side, sink: &mut Sink) {
    // A failed exchange of an atomic is no error: the loop tries again.
    if side.code.contains("compare_exchange") {
        return;
    }
    for pattern in [&RUST_ARM, &RUST_IF] {
        for found in pattern.find_iter(&side.code) {
            report(side, sink, found.range(), RULE.title, Severity::Major, 0.8);
        }
    }
}

pub(super) fn sql(side: &Side, sink: &mut Sink) {
    for found in SQL_OTHERS.find_iter(&side.code) {
        report(side, sink, found.range(), EVERY, Severity::Major, 0.95);
    }
}

pub(super) fn shell(side: &Side, sink: &mut Sink) {
    for found in SHELL_TRUE.find_iter(&side.live) {
        let line = side.line_range(side.line_at(found.start()));
        let range = found.start()..found.end().min(line.end);
        let live = &side.live[line.clone()];
        if !live.contains("command -v") && !live.trim_start().starts_with("echo") {
            report(
                side,
                sink,
                range,
                "A failure is hidden by `|| true`",
                Severity::Minor,
                0.75,
            );
        }
    }
}

pub(super) fn basic(file: &FileView<'_>, side: &Side, sink: &mut Sink) {
    let name = file.name.to_ascii_lowercase();
    if ![".vb", ".vbs", ".bas", ".cls", ".asp", ".frm", ".vba"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        return;
    }
    for found in RESUME_NEXT.find_iter(&side.text) {
        report(
            side,
            sink,
            scope::skip_space(&side.text, found.start())..found.end(),
            EVERY,
            Severity::Major,
            0.9,
        );
    }
}

pub(super) fn elixir(side: &Side, sink: &mut Sink) {
    for found in ELIXIR_RESCUE.find_iter(&side.code) {
        report(side, sink, found.range(), EVERY, Severity::Major, 0.85);
    }
}

pub(super) fn kotlin(side: &Side, sink: &mut Sink) {
    let code = &side.code;
    for found in KOTLIN_RUN.find_iter(code) {
        let Some(close) = scope::close(code, found.end() - 1) else {
            continue;
        };
        let after = code[close + 1..].trim_start();
        let before = code[..found.start()].trim_end();
        let is_statement = scope::starts_line(code, found.start())
            && !before.ends_with(['=', '(', ',', ':', '>'])
            && !before.ends_with("return")
            && !before.ends_with("else");
        let is_used = after.starts_with(['.', '?', '}', ')']) || after.is_empty();
        if is_statement && !is_used && !is_cleanup(&code[found.end()..close]) {
            report(
                side,
                sink,
                found.start()..close + 1,
                EVERY,
                Severity::Minor,
                0.7,
            );
        }
    }
}

pub(super) fn scala(side: &Side, sink: &mut Sink) {
    for found in SCALA_CASE.find_iter(&side.code) {
        report(side, sink, found.range(), EVERY, Severity::Major, 0.9);
    }
}

pub(super) fn swift(side: &Side, sink: &mut Sink) {
    for found in SWIFT_TRY.captures_iter(&side.code) {
        let Some(whole) = found.get(0) else { continue };
        let line = side.line_at(scope::skip_space(&side.code, whole.start()));
        let prev = scope::previous(side, line).map_or("", |i| scope::code_line(side, i).trim_end());
        let next = scope::next(side, line).map_or("", |i| scope::code_line(side, i).trim());
        // The only expression of a block is its value.
        let is_value = found.get(1).is_none()
            && prev.ends_with(['{', '=', '(', ',', ':', '?'])
            && (next.starts_with('}') || next.is_empty());
        let statement = whole.as_str().trim();
        let call = statement.trim_end_matches([';', ' ']);
        if is_value
            || is_cleanup(call)
            || next.starts_with(['.', '?'])
            || call.contains("Task.sleep")
            || call.contains("??")
        {
            continue;
        }
        let range = side.line_range(line);
        report(side, sink, range, RULE.title, Severity::Minor, 0.7);
    }
}

pub(super) fn php(side: &Side, sink: &mut Sink) {
    for found in PHP_SILENCED
        .captures_iter(&side.code)
        .filter_map(|c| c.get(1))
    {
        report(
            side,
            sink,
            found.range(),
            "`@` hides every error of the call",
            Severity::Major,
            0.8,
        );
    }
}
