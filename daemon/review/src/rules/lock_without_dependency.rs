//! A lock file that speaks of a dependency its manifest doesn't know.

use crate::{
    finding::Severity,
    language::Role,
    matching::{manifests, pattern},
    rule::{Check, Rule, Sink},
    view::{Change, DiffView, FileView, LineKind},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "lock-without-dependency",
    severity: Severity::Minor,
    title: "Lock file changed without its manifest",
    reason: "The manifest's change was forgotten, or somebody edited the lock file by hand: what is installed is not \
        what was asked for.",
    explain: "Finds lock files whose record of the manifest changes (`content-hash`, `specifier`), or that gain packages \
        and lose nothing, while the manifest stays as it is.\n\n\
        Leaves alone: routine updates, in which versions in the lock file change.\n\n\
        What to do: commit the manifest's change too, or restore the lock file.",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Diff(check),
};

pattern!(
    RECORD,
    r#"^\s*(?:"content-hash"\s*:|content-hash\s*=|specifier:\s)"#
);
pattern!(
    PACKAGE,
    r#"^\s*(?:\[\[package\]\]|"(?:node_modules/[^"]+)"\s*:\s*\{|["']?@?[\w./-]+@[^:\s][^:]*["']?:\s*$|[\w.-]+(?:/[\w.-]+)+ v\d\S* h1:|/?@?[\w./-]+@\d[^:]*:\s*$|\s{4}[\w-]+ \(\d[\w.]*\)$|"name"\s*:\s*"[\w-]+/[\w-]+")"#
);

fn check(diff: &DiffView<'_>, sink: &mut Sink) {
    for ecosystem in &manifests::ECOSYSTEMS {
        for file in diff.files.iter().filter(|f| {
            ecosystem.is_lock(f.name)
                && f.name != "requirements.txt"
                && !f.name.starts_with("requirements")
        }) {
            let is_data = matches!(
                file.role,
                Role::Test | Role::Fixture | Role::Docs | Role::Example
            );
            let has_manifest = diff
                .files
                .iter()
                .any(|f| ecosystem.manifests.contains(&f.name) || is_other_manifest(f));
            if is_data || has_manifest || file.change != Change::Modified {
                continue;
            }
            if speaks_of_manifest(file) {
                let trigger = "A clean install refuses the lock file, or installs something that nobody asked for.";
                sink.file(Some(file.path), trigger, None);
            }
        }
    }
}

fn is_other_manifest(file: &FileView<'_>) -> bool {
    file.name.ends_with(".gemspec")
        || matches!(
            file.name,
            "pnpm-workspace.yaml" | "setup.py" | "setup.cfg" | "go.work" | "requirements.txt"
        )
}

fn speaks_of_manifest(file: &FileView<'_>) -> bool {
    let lines = || file.hunks.iter().flat_map(|h| &h.lines);
    let records = lines().any(|l| l.kind == LineKind::Added && RECORD.is_match(l.text));
    let gains = lines().any(|l| l.kind == LineKind::Added && PACKAGE.is_match(l.text));
    let loses = lines().any(|l| l.kind == LineKind::Removed);
    // A record of the manifest also changes when a tool of another version writes it.
    let is_rewritten = lines().filter(|l| l.kind == LineKind::Removed).count() > 40 && !gains;
    (records && !is_rewritten) || (gains && !loses)
}
