//! A dependency that changed in the manifest, not in the lock file.

use crate::{
    finding::Severity,
    language::Role,
    matching::{manifests, product},
    rule::{Check, Hit, Rule, Sink},
    view::{Change, DiffView, FileView},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "dependency-without-lock",
    severity: Severity::Minor,
    title: "Dependency changed without its lock file",
    reason: "Others build with what the old lock file says, or their build refuses to start.",
    explain: "Finds an external dependency that is added, dropped or wanted in another version in `Cargo.toml`, \
        `package.json`, `go.mod`, `Gemfile`, `composer.json`, `Pipfile`, Poetry's `pyproject.toml`, `mix.exs`, \
        `pubspec.yaml`, `Podfile` or `requirements.in`, while no lock file of that package manager changes.\n\n\
        Leaves alone: paths and workspaces, peers and engines, reordering, changes of the package's own version \
        (releases of libraries, which often keep no lock file), tests and examples.\n\n\
        What to do: run the package manager and commit its lock file in the same change.",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Diff(check),
};

fn check(diff: &DiffView<'_>, sink: &mut Sink) {
    for ecosystem in &manifests::ECOSYSTEMS {
        let is_locked = diff.files.iter().any(|f| ecosystem.is_lock(f.name));
        if is_locked {
            continue;
        }
        let candidates = diff
            .files
            .iter()
            .enumerate()
            .filter(|(_, f)| ecosystem.manifests.contains(&f.name) && counts(f));
        for (index, file) in candidates {
            let Some(changed) = ecosystem.changed(file) else {
                continue;
            };
            if manifests::is_release(diff) {
                return;
            }
            let lock = ecosystem.locks[0];
            let trigger = format!(
                "A build that goes by {lock} gets another `{}` than the one that was tried here, or fails.",
                changed.name
            );
            let side = &file.hunks[changed.hunk].new;
            if side.lines.is_empty() {
                sink.file(Some(file.path), trigger, None);
                break;
            }
            let line = if changed.added {
                (0..side.lines.len())
                    .find(|i| {
                        side.lines[*i].changed && &side.text[side.line_range(*i)] == changed.line
                    })
                    .unwrap_or(0)
            } else {
                product::place_of_removed(file, changed.hunk, changed.line.trim())
            };
            let mut hit = Hit::lines(side.line_range(line), trigger);
            hit.confidence = 0.7;
            sink.hit_in_file(index, changed.hunk, hit);
            // One lock file serves all manifests of a workspace.
            break;
        }
    }
}

fn counts(file: &FileView<'_>) -> bool {
    !matches!(
        file.role,
        Role::Test | Role::Fixture | Role::Docs | Role::Example
    ) && file.change == Change::Modified
        && file.left_out.is_none()
        && !file
            .path
            .split('/')
            .any(|f| f.contains("template") || f.contains("skeleton"))
}
