//! What is reviewed, and what is left out for which reason.

use serde::{Deserialize, Serialize};

use crate::{
    diff::FileDiff,
    language::{Language, file_name},
    view::{Change, LineKind},
};

/// Why a file is not reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// Binary content.
    Binary,
    /// A source file that git calls binary, for a NUL byte or UTF-16: nobody looked at its text.
    /// Unlike the other reasons it doesn't count as covered.
    BinarySource,
    /// A package manager's lock file.
    LockFile,
    /// Written by a program.
    Generated,
    /// Somebody else's code in this tree.
    Vendored,
    /// Minified or bundled.
    Minified,
    /// Nothing was added.
    DeleteOnly,
    /// A pointer to another repository.
    Submodule,
    /// Only the mode changed.
    ModeOnly,
    /// Only the name changed.
    RenameOnly,
    /// A file without content.
    Empty,
    /// The diff names the file without its content.
    NotShown,
}

impl LeftOut {
    /// The reason in words, in the plural where it counts files ("lock files").
    pub fn words(self) -> &'static str {
        match self {
            Self::Binary => "binary files",
            Self::BinarySource => "source files that git calls binary (NUL byte or UTF-16)",
            Self::LockFile => "lock files",
            Self::Generated => "generated files",
            Self::Vendored => "vendored files",
            Self::Minified => "minified files",
            Self::DeleteOnly => "deletions only",
            Self::Submodule => "submodules",
            Self::ModeOnly => "mode changes only",
            Self::RenameOnly => "renames only",
            Self::Empty => "empty files",
            Self::NotShown => "files not shown by the diff",
        }
    }
}

/// What of a diff was reviewed. Files that are left out by rule count as covered, except for
/// [`LeftOut::BinarySource`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Files in the diff.
    pub files: u32,
    /// Files whose added lines were checked.
    pub files_reviewed: u32,
    /// Hunks that were checked.
    pub hunks_reviewed: u32,
    /// Added lines that were checked.
    pub added_lines_reviewed: u32,
    /// Added lines longer than 16 KiB, of which only so much was checked.
    pub long_lines_cut: u32,
    /// The files that these lines stand in, each once, in the diff's order.
    #[serde(default)]
    pub cut_files: Vec<String>,
    /// Files that were left out, in the diff's order.
    pub left_out: Vec<LeftOutFile>,
}

/// One file that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutFile {
    /// Its path.
    pub path: String,
    /// Why.
    pub reason: LeftOut,
}

impl Coverage {
    /// How many files were left out for each reason, most first.
    pub fn left_out_counts(&self) -> Vec<(LeftOut, u32)> {
        let mut counts: Vec<(LeftOut, u32)> = Vec::new();
        for file in &self.left_out {
            match counts.iter_mut().find(|(reason, _)| *reason == file.reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((file.reason, 1)),
            }
        }
        counts.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
        counts
    }
}

/// Why a file is left out, and whether the change itself says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reason: LeftOut,
    /// The reason is a marker that the change itself adds: rules that no change may silence
    /// look at the file all the same.
    pub(crate) by_change: bool,
}

/// How far into a file a marker such as `@generated` counts.
const MARKER_LINES: u32 = 40;
/// A line longer than this in a script or style sheet was not written by hand.
const MINIFIED_LINE_BYTES: usize = 1_000;

pub(crate) fn left_out(file: &FileDiff<'_>, language: Language) -> Option<Verdict> {
    let plain = |reason| {
        Some(Verdict {
            reason,
            by_change: false,
        })
    };
    if file.submodule {
        return plain(LeftOut::Submodule);
    }
    let lower = file.path.to_ascii_lowercase();
    let name = file_name(&lower);
    if file.binary.is_some() {
        let hides_source = file.change != Change::Deleted
            && is_source(language, name)
            && !is_lock_file(name)
            && !is_vendored(&lower)
            && !is_minified_name(name)
            && !is_generated_name(&lower, name)
            && !is_bundler_output(&lower, language);
        return plain(if hides_source {
            LeftOut::BinarySource
        } else {
            LeftOut::Binary
        });
    }
    if file.not_shown {
        return plain(LeftOut::NotShown);
    }
    if is_lock_file(name) {
        return plain(LeftOut::LockFile);
    }
    if file.hunks.is_empty() {
        return plain(match file.change {
            Change::Renamed | Change::Copied => LeftOut::RenameOnly,
            Change::Deleted => LeftOut::DeleteOnly,
            Change::Added => LeftOut::Empty,
            Change::Modified if file.old_mode != file.new_mode => LeftOut::ModeOnly,
            Change::Modified => LeftOut::Empty,
        });
    }
    if is_vendored(&lower) {
        return plain(LeftOut::Vendored);
    }
    if is_minified_name(name) {
        return plain(LeftOut::Minified);
    }
    if is_generated_name(&lower, name) || is_bundler_output(&lower, language) {
        return plain(LeftOut::Generated);
    }
    if let Some(by_change) = generated_marker(file) {
        return Some(Verdict {
            reason: LeftOut::Generated,
            by_change,
        });
    }
    if has_minified_lines(file, language) {
        return Some(Verdict {
            reason: LeftOut::Minified,
            by_change: true,
        });
    }
    let adds = file
        .hunks
        .iter()
        .any(|h| h.lines.iter().any(|l| l.kind == LineKind::Added));
    if !adds {
        return plain(LeftOut::DeleteOnly);
    }
    None
}

/// Code or settings by its name: somebody runs or reads it as text.
fn is_source(language: Language, name: &str) -> bool {
    // Property lists and drawings have binary forms of their own.
    let has_binary_form = [".plist", ".xib", ".storyboard", ".svg", ".ipynb"]
        .iter()
        .any(|end| name.ends_with(end));
    !has_binary_form
        && !matches!(
            language,
            Language::Unknown | Language::Text | Language::Markdown
        )
}

fn is_lock_file(name: &str) -> bool {
    matches!(
        name,
        "cargo.lock"
            | "package-lock.json"
            | "npm-shrinkwrap.json"
            | "yarn.lock"
            | "pnpm-lock.yaml"
            | "bun.lock"
            | "bun.lockb"
            | "deno.lock"
            | "poetry.lock"
            | "pdm.lock"
            | "uv.lock"
            | "pipfile.lock"
            | "pixi.lock"
            | "conda-lock.yml"
            | "gemfile.lock"
            | "composer.lock"
            | "go.sum"
            | "go.work.sum"
            | "mix.lock"
            | "pubspec.lock"
            | "podfile.lock"
            | "package.resolved"
            | "cartfile.resolved"
            | "packages.lock.json"
            | "paket.lock"
            | "gradle.lockfile"
            | "buildscript-gradle.lockfile"
            | "flake.lock"
            | "chart.lock"
            | "requirements.lock"
            | "rebar.lock"
            | "conan.lock"
            | "stack.yaml.lock"
            | "shard.lock"
            | ".terraform.lock.hcl"
            | "module.bazel.lock"
            | "cabal.project.freeze"
            | "project.assets.json"
            | "bower.lock"
            | "berksfile.lock"
    )
}

fn is_vendored(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| {
        matches!(
            folder,
            "node_modules"
                | "vendor"
                | "vendored"
                | "third_party"
                | "third-party"
                | "thirdparty"
                | "bower_components"
                | "_vendor"
                | "_vendored"
                | "site-packages"
                | ".yarn"
                | "godeps"
                | "jspm_packages"
                | "pods"
                | ".bundle"
                | "web_modules"
        )
    })
}

fn is_minified_name(name: &str) -> bool {
    [
        ".min.js",
        ".min.css",
        ".min.mjs",
        ".min.cjs",
        "-min.js",
        ".bundle.js",
        ".js.map",
        ".css.map",
        ".ts.map",
        ".mjs.map",
        ".cjs.map",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

fn is_generated_name(path: &str, name: &str) -> bool {
    [
        ".pb.go",
        ".pb.gw.go",
        ".pb.cc",
        ".pb.h",
        ".pb.swift",
        "_pb2.py",
        "_pb2.pyi",
        "_pb2_grpc.py",
        "_pb.js",
        "_pb.ts",
        "_pb.d.ts",
        "_grpc_pb.js",
        ".g.dart",
        ".freezed.dart",
        ".gr.dart",
        ".designer.cs",
        ".g.cs",
        ".g.i.cs",
        ".generated.cs",
        ".generated.ts",
        ".generated.js",
        ".generated.go",
        ".generated.rs",
        ".generated.swift",
        "_generated.go",
        "_generated.rs",
        "_generated.ts",
        ".gen.go",
        ".gen.ts",
        "_gen.go",
        "_string.go",
        ".snap",
        ".pbxproj",
        ".xcworkspacedata",
        ".resx.cs",
        ".tsbuildinfo",
    ]
    .iter()
    .any(|end| name.ends_with(end))
        || name.starts_with("zz_generated.")
        || matches!(
            name,
            "parsetab.py" | "bindings.gen.rs" | "schema.gen.graphql"
        )
        || path
            .split('/')
            .any(|f| matches!(f, "__generated__" | "__snapshots__"))
}

/// What a bundler or compiler wrote for the web: by convention it lies in `dist`.
fn is_bundler_output(path: &str, language: Language) -> bool {
    let for_web = matches!(
        language,
        Language::JavaScript | Language::TypeScript | Language::Css | Language::Html
    );
    for_web
        && path.rsplit_once('/').is_some_and(|(folders, _)| {
            folders
                .split('/')
                .any(|f| f == "dist" || f.starts_with("dist-"))
        })
}

/// `Some(added)` where a marker near the file's start says that a program wrote it; `added` is
/// true where the change itself adds the marker.
fn generated_marker(file: &FileDiff<'_>) -> Option<bool> {
    let first = file.hunks.first()?;
    for line in &first.lines {
        if line.new_line.is_none_or(|number| number > MARKER_LINES) {
            continue;
        }
        let Some(content) = comment_content(line.text) else {
            continue;
        };
        if is_marker(content) {
            let added = line.kind == LineKind::Added;
            // An old file does not become generated by a comment.
            if added && file.change != Change::Added {
                continue;
            }
            return Some(added);
        }
    }
    None
}

fn comment_content(line: &str) -> Option<&str> {
    let line = line.trim();
    let content = line.trim_start_matches(['/', '*', '#', '-', ';', '<', '!', '%', '"', '\'']);
    (content.len() < line.len()).then(|| content.trim())
}

fn is_marker(content: &str) -> bool {
    if content.len() > 400 {
        return false;
    }
    let first = content.split_whitespace().next().unwrap_or("");
    if matches!(first, "@generated" | "@partially-generated") || content.ends_with("@generated") {
        return true;
    }
    let lower = content.to_ascii_lowercase();
    let by_program = [
        "code generated",
        "generated by",
        "autogenerated",
        "auto-generated",
        "automatically generated",
        "generated code",
        "<auto-generated",
        "generated from",
        "generated file",
        "this file is generated",
        "this file was generated",
    ]
    .iter()
    .any(|words| lower.contains(words));
    let hands_off = [
        "do not edit",
        "don't edit",
        "do not modify",
        "don't modify",
        "do not change",
        "not be edited",
        "<auto-generated",
        "changes will be lost",
        "do not manually edit",
    ]
    .iter()
    .any(|words| lower.contains(words));
    by_program && hands_off
}

fn has_minified_lines(file: &FileDiff<'_>, language: Language) -> bool {
    if !matches!(
        language,
        Language::JavaScript | Language::TypeScript | Language::Css
    ) {
        return false;
    }
    let added = || {
        file.hunks
            .iter()
            .flat_map(|h| &h.lines)
            .filter(|l| l.kind == LineKind::Added)
            .map(|l| l.text)
    };
    let long: usize = added()
        .filter(|l| l.len() > MINIFIED_LINE_BYTES && is_dense(l))
        .map(str::len)
        .sum();
    // The long lines must be the file's bulk: one data URL in a source file is not minified code.
    long > 0 && long * 10 > added().map(str::len).sum::<usize>() * 8
}

/// Minified code is full of punctuation and has few blanks; a data URL or a long text isn't.
fn is_dense(line: &str) -> bool {
    let bytes = &line.as_bytes()[..MINIFIED_LINE_BYTES];
    let blanks = bytes.iter().filter(|b| **b == b' ').count();
    let marks = bytes
        .iter()
        .filter(|b| matches!(b, b'(' | b')' | b'{' | b'}' | b';' | b',' | b':' | b'='))
        .count();
    blanks * 8 < bytes.len() && marks * 12 > bytes.len()
}

#[cfg(test)]
mod tests;
