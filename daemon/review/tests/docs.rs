//! The rules' pages are made from their rows.
//!
//! `UPDATE_GENERATED=1 cargo test -p convergio-review --test docs` writes them, otherwise they
//! are compared.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use convergio_review::{Severity, rule::Rule, rules::RULES};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules")
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Nit => "nit",
        Severity::Minor => "minor",
        Severity::Major => "major",
        Severity::Critical => "critical",
    }
}

fn languages(rule: &Rule) -> String {
    if rule.languages.is_empty() {
        return "every text file".to_owned();
    }
    rule.languages
        .iter()
        .map(|l| format!("{l:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn page(rule: &Rule) -> String {
    let default = if rule.strict_only {
        "with `--strict` only"
    } else {
        "yes"
    };
    let silence = if rule.never_silenced_by_change {
        "A `cv:allow` comment that the change itself adds does not silence it."
    } else {
        "A `cv:allow` comment that the change itself adds moves it to the count \"silenced by this change\"."
    };
    format!(
        "# {title}\n\n{reason}\n\n| | |\n|---|---|\n| Rule | `{id}` |\n| Severity | {severity} |\n| On by default | {default} |\n| Looks at | {languages} |\n\n{explain}\n\n## Silence\n\n`cv allow N \"why\"` for one finding, a comment `cv:allow({id})` on its line or alone on the line above,\nor in `.convergio/review.toml`:\n\n```toml\n[rules]\n{id} = \"off\"\n```\n\nBoth count from the base revision. {silence}\n",
        title = rule.title,
        reason = rule.reason,
        id = rule.id,
        severity = severity(rule.severity),
        languages = languages(rule),
        explain = rule.explain.trim(),
    )
}

fn index() -> String {
    let mut text = String::from(
        "# Rules\n\nWhat `cv review` looks for without a model, on added lines only.\n\n| Rule | Severity | Finds | Why it matters |\n|---|---|---|---|\n",
    );
    for rule in RULES {
        let strict = if rule.strict_only {
            " (`--strict`)"
        } else {
            ""
        };
        text += &format!(
            "| [`{id}`]({id}.md) | {severity}{strict} | {title} | {reason} |\n",
            id = rule.id,
            severity = severity(rule.severity),
            title = rule.title.replace('|', "\\|"),
            reason = rule.reason.replace('|', "\\|"),
        );
    }
    text
}

#[test]
fn pages_are_what_the_rows_say() {
    let mut pages: BTreeMap<String, String> = RULES
        .iter()
        .map(|rule| (format!("{}.md", rule.id), page(rule)))
        .collect();
    pages.insert("README.md".to_owned(), index());
    let folder = folder();
    let update = env::var_os("UPDATE_GENERATED").is_some();
    if update {
        fs::create_dir_all(&folder).expect("a writable tree");
    }
    let mut stale = Vec::new();
    for (name, text) in &pages {
        let path = folder.join(name);
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            if update {
                fs::write(&path, text).expect("a writable tree");
            } else {
                stale.push(name.clone());
            }
        }
    }
    let entries = fs::read_dir(&folder)
        .map(|d| d.flatten().collect::<Vec<_>>())
        .unwrap_or_default();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !pages.contains_key(&name) {
            if update {
                fs::remove_file(entry.path()).expect("a writable tree");
            } else {
                stale.push(name);
            }
        }
    }
    assert!(
        stale.is_empty(),
        "docs/rules is stale, write it with UPDATE_GENERATED=1: {stale:?}"
    );
}
