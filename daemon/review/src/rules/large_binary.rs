//! Files that don't belong in a repository: large binaries, programs, archives, droppings.

use crate::{
    finding::Severity,
    language::Role,
    rule::{Check, Rule, Sink},
    view::{Change, FileView, LineKind},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "large-binary",
    severity: Severity::Minor,
    title: "A file that doesn't belong in the repository",
    reason: "What is committed stays in every clone for ever: it cannot be reviewed, merged or taken back.",
    explain: "Finds added binaries over 1 MiB (where the diff tells the size), programs and libraries (`.exe`, `.dll`, \
        `.so`, `.jar`, executables without an extension), archives, compiled files (`.pyc`, `.class`, `.o`), \
        droppings (`.DS_Store`, core dumps), and `.env` files with values. Where the size is unknown, also \
        disk images, model weights and `.bin` files.\n\n\
        Leaves alone: images, fonts and small binaries, archives among test data, the Gradle wrapper, \
        `.env.example` and its like.\n\n\
        What to do: build or fetch it instead, or use large file storage; ignore the file.",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::File(check),
};

const LARGE_BYTES: u64 = 1024 * 1024;

/// Programs and libraries.
const EXECUTABLES: [&str; 14] = [
    ".exe", ".dll", ".so", ".dylib", ".jar", ".war", ".ear", ".msi", ".apk", ".ipa", ".deb",
    ".rpm", ".dmg", ".node",
];
const ARCHIVES: [&str; 13] = [
    ".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar", ".tar.bz2", ".tar.xz", ".gz", ".xz", ".whl",
    ".gem", ".iso",
];
/// Made from sources at hand.
const COMPILED: [&str; 10] = [
    ".pyc", ".pyo", ".class", ".o", ".obj", ".a", ".lib", ".pdb", ".ilk", ".beam",
];
const DROPPINGS: [&str; 6] = [
    ".ds_store",
    "thumbs.db",
    "desktop.ini",
    ".swp",
    "core",
    "hs_err_pid",
];
/// Large by nature: where the diff doesn't tell the size, the name has to do.
const BULK: [&str; 14] = [
    ".bin",
    ".img",
    ".vmdk",
    ".vdi",
    ".vhd",
    ".vhdx",
    ".qcow2",
    ".ova",
    ".pt",
    ".pth",
    ".ckpt",
    ".onnx",
    ".safetensors",
    ".parquet",
];
const DUMPS: [&str; 7] = [
    ".sqlite", ".sqlite3", ".db", ".dump", ".mdb", ".bak", ".hprof",
];

fn check(file: &FileView<'_>, sink: &mut Sink) {
    if !matches!(file.change, Change::Added | Change::Copied) {
        grown(file, sink);
        return;
    }
    let name = file.name.to_ascii_lowercase();
    if file.binary.is_none() {
        environment(file, &name, sink);
        return;
    }
    let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
    let is_data = matches!(
        file.role,
        Role::Test | Role::Fixture | Role::Docs | Role::Example
    );
    let size = file.binary.flatten();
    // No extension, yet executable: what a compiler or linker writes.
    let is_program = file.new_mode == Some(0o100_755) && !file.name.contains('.');
    let kind = if DROPPINGS
        .iter()
        .any(|d| name == *d || (name.ends_with(d) && d.starts_with('.')))
        || name.starts_with("core.")
    {
        Some("A leftover of a tool or a crash is committed")
    } else if name == "gradle-wrapper.jar" || name == "maven-wrapper.jar" {
        None
    } else if ends(&COMPILED) && !is_data {
        Some("A compiled file is committed")
    } else if ends(&EXECUTABLES) && !is_data {
        Some("A program or library is committed as a binary")
    } else if ends(&ARCHIVES) && !is_data {
        Some("An archive is committed")
    } else if ends(&DUMPS) && !is_data {
        Some("A database or dump is committed")
    } else if is_program && !is_data {
        Some("A program is committed as a binary")
    } else if size.is_none() && ends(&BULK) && !is_data {
        Some("A file of bulk data is committed")
    } else {
        None
    };
    if let Some(title) = kind {
        let trigger = format!(
            "`{}` cannot be reviewed, and every clone carries it from now on.",
            file.name
        );
        sink.file(None, trigger, Some(title.to_owned()));
    } else if let Some(size) = size.filter(|size| *size > LARGE_BYTES) {
        large(file, size, sink);
    }
}

/// A binary that is replaced by a large one.
fn grown(file: &FileView<'_>, sink: &mut Sink) {
    let is_changed = matches!(file.change, Change::Modified);
    if let Some(size) = file
        .binary
        .flatten()
        .filter(|size| is_changed && *size > 8 * LARGE_BYTES)
    {
        large(file, size, sink);
    }
}

fn large(file: &FileView<'_>, size: u64, sink: &mut Sink) {
    let tenths = size.saturating_mul(10) / LARGE_BYTES;
    let title = format!("Large binary ({}.{} MiB)", tenths / 10, tenths % 10);
    let trigger = format!(
        "Every clone carries `{}` from now on, even after it is deleted.",
        file.name
    );
    sink.file(None, trigger, Some(title));
}

/// A settings file with values, made for one machine.
fn environment(file: &FileView<'_>, name: &str, sink: &mut Sink) {
    // Other names hold defaults that are meant to be shared.
    let is_local = name == ".env" || (name.starts_with(".env") && name.ends_with(".local"));
    if !is_local
        || matches!(
            file.role,
            Role::Test | Role::Fixture | Role::Docs | Role::Example
        )
    {
        return;
    }
    let has_value = file.hunks.iter().flat_map(|h| &h.lines).any(|line| {
        let text = line.text.trim();
        line.kind == LineKind::Added
            && !text.starts_with('#')
            && text
                .split_once('=')
                .is_some_and(|(_, value)| !value.trim().trim_matches(['"', '\'']).is_empty())
    });
    if has_value {
        let trigger =
            "The next secret that somebody puts into it is published with the repository.";
        sink.file(None, trigger, Some("A `.env` file is committed".to_owned()));
    }
}
