//! Ruby and the shell, where a call needs no brackets.

use super::{plain, report};
use crate::{
    matching::{calls, pattern, rows::Called},
    rule::{Hit, Sink},
    view::{FileView, HunkView},
};

pattern!(
    RUBY_BARE,
    r"(?m)(?:^|[=;(\s])(?:Kernel\.|binding\.)?(eval)[ (]\s*([^\s{|&#)][^\n]*)"
);
pattern!(
    RUBY_SENT,
    r"\.(?:public_)?(?:send|__send__)\s*\(?\s*:(?:instance_|class_|module_)?eval\s*,\s*[a-zA-Z_@$][^\n]*"
);
pattern!(SHELL_EVAL, r#"(?m)(?:^|[;&|({\s])eval\s+([^\n]+)"#);
pattern!(SHELL_SPLICED, r#"\$\(?[A-Za-z_@*{1-9!]"#);
pattern!(
    SHELL_COMMAND,
    r#"^["']?(?:\$\(([^\n]*)\)|`([^`\n]*)`)["']?\s*(?:[;|&#>2].*)?$"#
);

pub(super) fn ruby(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    plain(&RUBY_SENT, hunk, sink);
    for found in RUBY_BARE.captures_iter(&side.code) {
        let (Some(name), Some(argument)) = (found.get(1), found.get(2)) else {
            continue;
        };
        let end = calls::expression_end(&side.code, argument.start());
        let argument = calls::trim(&side.code, argument.start()..end.max(argument.start()));
        let text = &side.code[argument.clone()];
        let literal = crate::matching::strings::is_constant(side, file.language, argument.clone());
        if literal
            || text.is_empty()
            || text.starts_with(['=', '<', '.', ':'])
            || side.in_test(name.start())
            || calls::word_before(&side.code, name.start()) == "def"
        {
            continue;
        }
        let call = Called {
            name: name.start(),
            open: name.end(),
            whole: name.start()..argument.end,
            argument,
        };
        if side.touches_change(&call.whole) {
            report(hunk, &call, sink);
        }
    }
}

pub(super) fn shell(hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    for found in SHELL_EVAL.captures_iter(&side.live) {
        let (Some(whole), Some(argument)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let text = argument.as_str().trim();
        let at = side.live[..argument.start()]
            .rfind("eval")
            .unwrap_or(argument.start());
        if side.code.as_bytes()[at] == b' '
            || !SHELL_SPLICED.is_match(text)
            || text.starts_with("set --")
            || side.in_test(at)
        {
            continue;
        }
        // `eval "$(tool env)"` runs what a named tool prints: the usual way to set up a shell.
        if let Some(command) = SHELL_COMMAND.captures(text) {
            let command = command
                .iter()
                .skip(1)
                .flatten()
                .next()
                .map_or("", |c| c.as_str());
            let takes_input = command.contains("$1")
                || command.contains("$@")
                || command.contains("curl")
                || command.contains("wget");
            if !takes_input {
                continue;
            }
        }
        // `eval "var=\$$name"` and `eval echo` of a fixed name are as bad: kept.
        sink.hit(Hit::at(
            at..whole.end().min(argument.end()),
            "A value with `;` or `$(…)` in it is run as a command.",
        ));
    }
}
