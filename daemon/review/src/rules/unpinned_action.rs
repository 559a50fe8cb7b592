//! `unpinned-action`: CI that runs whatever a name points at today.

use crate::{
    finding::Severity,
    language::Language,
    matching::pattern,
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "unpinned-action",
    severity: Severity::Minor,
    title: "CI action is not pinned",
    reason: "A tag can be moved: the next run executes other code, with this repository's secrets.",
    explain: "\
Finds GitHub Actions of third parties whose `uses:` names a tag instead of a commit (minor), any action that \
names a branch or nothing (major), and container images of a CI job without a version or with `latest`.\n\n\
Leaves alone: a 40-digit commit, local actions (`./…`), `actions/*` and `github/*` with a version.\n\n\
Do: name the commit and keep the version as a comment: `uses: owner/name@<commit> # v4.1.0`.",
    languages: &[Language::Yaml],
    triggers: &["uses:", "image:", "container:", "docker://"],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

pattern!(
    USES,
    r#"(?m)^[ \t]*(?:-[ \t]+)?(?:\{[ \t]*(?:[^{}\n]*,[ \t]*)?)?["']?uses["']?:[ \t]*["']?([^\s"'#,}]+)["']?"#
);
pattern!(
    IMAGE,
    r#"(?m)^[ \t]*(?:-[ \t]+)?(?:image|container|name):[ \t]*["']?([a-z0-9][\w./:-]*(?::[\w.-]+)?)["']?[ \t]*$"#
);
pattern!(VERSION, r"^v?\d+(?:\.\d+)*(?:[-.+]\w+)*$");

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let is_action = file.path.contains(".github/")
        || file.path.contains(".gitea/")
        || file.path.contains(".forgejo/")
        || matches!(file.name, "action.yml" | "action.yaml");
    let is_job = is_action
        || matches!(
            file.name,
            ".gitlab-ci.yml"
                | ".gitlab-ci.yaml"
                | "bitbucket-pipelines.yml"
                | "azure-pipelines.yml"
                | ".drone.yml"
                | ".woodpecker.yml"
        )
        || file.path.contains(".circleci/");
    let side = &hunk.new;
    if is_action {
        for found in USES.captures_iter(&side.live) {
            let Some(group) = found.get(1) else { continue };
            let Some(severity) = judge(group.as_str()) else {
                continue;
            };
            let mut hit = Hit::at(
                group.range(),
                "Someone takes over the action's account, moves the tag, and the next run sends this repository's secrets out.",
            );
            hit.severity = Some(severity);
            sink.hit(hit);
        }
    }
    if is_job {
        for found in IMAGE.captures_iter(&side.live) {
            let (Some(whole), Some(group)) = (found.get(0), found.get(1)) else {
                continue;
            };
            let image = group.as_str();
            let key = whole
                .as_str()
                .trim_start()
                .trim_start_matches('-')
                .trim_start();
            if key.starts_with("name:") || image.starts_with("$") || !(image.ends_with(":latest")) {
                continue;
            }
            let mut hit = Hit::at(
                group.range(),
                "The image changes overnight, and the job runs what is in it with this repository's secrets.",
            );
            hit.title = Some("CI image is not pinned".to_owned());
            sink.hit(hit);
        }
    }
}

/// How bad a reference is; `None` where it is pinned well enough.
fn judge(reference: &str) -> Option<Severity> {
    if reference.starts_with("./")
        || reference.starts_with("$/")
        || reference.starts_with("../")
        || reference.contains("${{")
    {
        return None;
    }
    if let Some(image) = reference.strip_prefix("docker://") {
        let pinned = image.contains("@sha256:");
        let tag = image
            .rsplit('/')
            .next()
            .and_then(|name| name.split_once(':'))
            .map(|(_, tag)| tag);
        return match tag {
            _ if pinned => None,
            Some("latest") | None => Some(Severity::Major),
            Some(_) => None,
        };
    }
    let Some((name, version)) = reference.split_once('@') else {
        return Some(Severity::Major);
    };
    let is_commit = version.len() >= 40 && version.bytes().all(|b| b.is_ascii_hexdigit());
    if is_commit {
        return None;
    }
    let is_first_party = name.starts_with("actions/") || name.starts_with("github/");
    let is_version = VERSION.is_match(version);
    if !is_version {
        const CHANNELS: [&str; 5] = ["stable", "nightly", "beta", "release/v1", "unstable"];
        return Some(
            if CHANNELS.contains(&version) || version.starts_with("release") {
                Severity::Minor
            } else {
                Severity::Major
            },
        );
    }
    (!is_first_party).then_some(Severity::Minor)
}
