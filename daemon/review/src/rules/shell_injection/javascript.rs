//! Commands that JavaScript runs.

use std::ops::Range;

use super::report;
use crate::{
    language::Language,
    matching::{
        calls::{self, Qualifier},
        imports::Imports,
        pattern,
        rows::{self, Argument},
        strings,
    },
    rule::Sink,
    view::{FileView, HunkView, Side},
};

pattern!(JAVASCRIPT_CALL, r"(?:\b([A-Za-z_]\w*)\.)?\b(\w+)\s*\(");

pub(super) fn javascript(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let imports = Imports::of(file);
    promised(file, hunk, sink);
    for found in JAVASCRIPT_CALL.captures_iter(&side.code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(2)) else {
            continue;
        };
        let open = whole.end() - 1;
        let owner = found.get(1).map(|o| o.as_str());
        let is_of = |member: &str| match owner {
            Some(owner) => name.as_str() == member && imports.is_module(owner, "child_process"),
            None => imports.is_member(name.as_str(), "child_process", member),
        };
        let named_so = owner.is_none()
            && matches!(
                name.as_str(),
                "exec" | "execSync" | "execAsync" | "execPromise"
            )
            && calls::qualifier(&side.code, name.start()) == Qualifier::None;
        let takes_text = is_of("exec")
            || is_of("execSync")
            || named_so
            || owner.is_some_and(|o| o == "shell" || o == "shelljs") && name.as_str() == "exec"
            || name.as_str() == "execaCommand"
            || name.as_str() == "execaCommandSync";
        let spawns = is_of("spawn")
            || is_of("spawnSync")
            || is_of("execFile")
            || is_of("execFileSync")
            || matches!(name.as_str(), "spawn" | "spawnSync" | "execa");
        if !(takes_text || spawns)
            || side.in_test(whole.start())
            || calls::is_declaration(&side.code, whole.start(), open)
        {
            continue;
        }
        if takes_text {
            let is_sure = !named_so || is_of("exec") || is_of("execSync");
            let wanted = if is_sure && rows::is_input(&side.code[calls::inside(&side.code, open)]) {
                Argument::NotConstant
            } else {
                Argument::Built
            };
            if let Some(call) = rows::judge(side, file.language, whole.start(), open, wanted, 0) {
                report(side, call.whole, sink);
            }
            continue;
        }
        let inside = calls::inside(&side.code, open);
        let range = whole.start()..(inside.end + 1).min(side.code.len());
        let uses_shell = side.code[inside.clone()].contains("shell: true")
            || side.code[inside.clone()].contains("shell:true");
        let parts = calls::split(&side.code, inside.clone());
        let first_built = parts
            .first()
            .is_some_and(|p| strings::is_built(side, file.language, p.clone()));
        let list_built = parts.get(1).is_some_and(|p| {
            side.code[p.clone()].starts_with('[')
                && strings::is_built(side, file.language, p.clone())
        });
        if side.touches_change(&range)
            && ((uses_shell && (first_built || list_built))
                || dash_c_list(side, file.language, inside))
        {
            report(side, range, sink);
        }
    }
}

/// Names of `promisify(exec)`, and `execa.command`.
fn promised(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    pattern!(
        PROMISED,
        r"\b(\w+)\s*=\s*(?:util\.)?promisify\s*\(\s*(?:\w+\.)?exec\s*\)"
    );
    let side = &hunk.new;
    let mut names: Vec<&str> = PROMISED
        .captures_iter(&side.code)
        .filter_map(|c| c.get(1).map(|name| name.as_str()))
        .filter(|name| !matches!(*name, "exec" | "execAsync" | "execPromise"))
        .take(8)
        .collect();
    names.extend(["execa.command", "execa.commandSync"]);
    for name in names {
        for (at, _) in side.code.match_indices(name) {
            let open = at + name.len();
            let is_part = side.code[..at]
                .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'));
            if is_part || !side.code[open..].starts_with('(') || side.in_test(at) {
                continue;
            }
            if let Some(call) = rows::judge(side, file.language, at, open, Argument::Built, 0) {
                report(side, call.whole, sink);
            }
        }
    }
}

/// `spawn("sh", ["-c", x])`.
fn dash_c_list(side: &Side, language: Language, inside: Range<usize>) -> bool {
    pattern!(
        LIST,
        r#"["'`](?:/(?:usr/)?bin/)?(?:ba|z|da)?sh["'`]\s*,\s*\[\s*["'`]-[a-z]*c["'`]\s*,\s*|["'`]cmd(?:\.exe)?["'`]\s*,\s*\[\s*["'`]/[cC]["'`]\s*,\s*"#
    );
    let text = &side.live[inside.clone()];
    LIST.find(text).is_some_and(|found| {
        let start = inside.start + found.end();
        let end = calls::expression_end(&side.code, start)
            .min(inside.end)
            .max(start);
        let value = calls::trim(&side.code, start..end);
        !value.is_empty() && !strings::is_constant(side, language, value)
    })
}
