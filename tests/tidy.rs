//! The house's rules that a compiler does not know.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::root;

/// A source file beyond this wants to be two.
const SOURCE_MAX_LINES: usize = 500;
/// Tests may be tables.
const TEST_MAX_LINES: usize = 800;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "common", "manager", "core", "helpers", "misc",
];

fn tracked(pattern: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .current_dir(root())
        // Whoever owns the checkout, its list of files does no harm.
        .args(["-c", "safe.directory=*"])
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            pattern,
        ])
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let files: Vec<PathBuf> = text.lines().map(PathBuf::from).collect();
    files
        .into_iter()
        .filter(|path| root().join(path).is_file())
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn is_test(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.starts_with("tests/")
        || text.contains("/tests/")
        || text.ends_with("/tests.rs")
        || text.starts_with("benches/")
}

#[test]
fn files_keep_to_one_room() {
    let mut long = Vec::new();
    for path in tracked("*.rs") {
        let lines = read(&path).lines().count();
        let max = if is_test(&path) {
            TEST_MAX_LINES
        } else {
            SOURCE_MAX_LINES
        };
        if lines > max {
            long.push(format!("{}: {lines} lines, at most {max}", path.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn names_say_what_is_inside() {
    for path in tracked("*") {
        for part in path.components() {
            let name = part.as_os_str().to_string_lossy();
            let stem = name.split('.').next().unwrap_or_default();
            assert!(
                !EMPTY_NAMES.contains(&stem),
                "{}: \"{stem}\" says nothing",
                path.display()
            );
        }
    }
}

#[test]
fn every_file_speaks_of_the_project_alone() {
    // Put together here, so that this file does not hold what it looks for.
    let banned: Vec<String> = [
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["crates", ".io"],
        ["pypi", ".org"],
        ["npmjs", ".com"],
        ["shared/", "design"],
        ["before", "-stop"],
    ]
    .iter()
    .map(|parts| parts.concat())
    .collect();
    let mut found = Vec::new();
    for path in tracked("*") {
        let name = path.to_string_lossy().into_owned();
        let data =
            name.contains("/corpus/") || name.contains("/fixtures/") || name.ends_with(".lock");
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        if data {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            for word in banned.iter().filter(|word| line.contains(word.as_str())) {
                found.push(format!("{name}:{}: {word}", index + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn lints_are_silenced_only_with_a_reason() {
    let marker = ["#[al", "low("].concat();
    let inner = ["#![al", "low("].concat();
    let mut found = Vec::new();
    for path in tracked("*.rs") {
        for (index, line) in read(&path).lines().enumerate() {
            if line.trim_start().starts_with(&marker) || line.trim_start().starts_with(&inner) {
                found.push(format!("{}:{}", path.display(), index + 1));
            }
        }
    }
    assert!(
        found.is_empty(),
        "use #[expect(…, reason = …)]: {}",
        found.join(", ")
    );
}

#[test]
fn permits_to_send_are_made_in_two_places() {
    // Put together here, so that this file does not hold what it looks for.
    let maker = ["granted_after", "_commit"].concat();
    let allowed = [
        "daemon/egress/src/permit.rs",
        "models/remote/src/permit.rs",
        "daemon/convergiod/src/egress.rs",
    ];
    let mut found = Vec::new();
    for path in tracked("*.rs") {
        let name = path.to_string_lossy().into_owned();
        let gates_own_test = name.starts_with("daemon/egress/tests/");
        let named = read(&path).contains(&maker);
        if named && !gates_own_test && !allowed.contains(&name.as_str()) {
            found.push(name);
        }
    }
    assert!(found.is_empty(), "permits are made in {}", found.join(", "));
    // The lint that says so where it is written knows the same name.
    let lint = format!("convergio_egress::EgressPermit::{maker}");
    assert!(read(Path::new("clippy.toml")).contains(&lint));
    assert!(read(Path::new(allowed[0])).contains(&maker));
}

#[test]
fn sockets_to_elsewhere_are_opened_by_the_gate_alone() {
    // What opens one, put together as above.
    let openers = [
        ["Tcp", "Stream"].concat(),
        ["Udp", "Socket"].concat(),
        ["lookup", "_host"].concat(),
        ["Tcp", "Socket"].concat(),
    ];
    // The knock at a server on this machine, which says nothing, is the other one.
    let allowed = ["daemon/egress/", "daemon/convergiod/src/providers/found.rs"];
    let product = ["daemon/", "models/", "ipc/", "clients/"];
    let mut looked = 0;
    let mut found = Vec::new();
    for path in tracked("*.rs") {
        let name = path.to_string_lossy().into_owned();
        let ours = product.iter().any(|folder| name.starts_with(folder));
        if !ours || is_test(&path) || allowed.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        looked += 1;
        let source = read(&path);
        if openers
            .iter()
            .any(|opener| source.contains(opener.as_str()))
        {
            found.push(name);
        }
    }
    assert!(looked > 100, "{looked} sources");
    assert!(
        found.is_empty(),
        "sockets are opened in {}",
        found.join(", ")
    );
}

#[test]
fn model_calls_are_permitted_by_the_admission_alone() {
    let maker = ["granted_by", "_admission"].concat();
    let allowed = ["models/api/src/permit.rs", "daemon/ledger/src/admit.rs"];
    let found: Vec<String> = tracked("*.rs")
        .iter()
        // Tests of providers and of the engine have no books to ask.
        .filter(|path| !is_test(path) && read(path).contains(&maker))
        .map(|path| path.to_string_lossy().into_owned())
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    assert!(found.is_empty(), "permits are made in {}", found.join(", "));
    for place in allowed {
        assert!(read(Path::new(place)).contains(&maker), "{place}");
    }
    let lint = format!("convergio_models_api::permit::Permitted::{maker}");
    assert!(read(Path::new("clippy.toml")).contains(&lint));
}

#[test]
fn every_method_of_the_contract_has_its_body_where_the_resource_is() {
    let table = read(Path::new("ipc/contract/src/lib.rs"));
    let rows = table
        .lines()
        .filter_map(|line| line.trim().strip_prefix("$crate::"));
    let mut count = 0;
    for row in rows.filter(|row| row.ends_with(',')) {
        let (resource, method) = row
            .trim_end_matches(',')
            .split_once("::")
            .expect("resource::Method");
        let body = read(&Path::new("daemon/convergiod/src/rpc").join(format!("{resource}.rs")));
        assert!(
            body.contains(method),
            "rpc/{resource}.rs does not mention {method}"
        );
        count += 1;
    }
    assert!(count >= 20, "the table was not read: {count} rows");
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let text = read(Path::new("ARCHITECTURE.md"));
    let sources: String = tracked("*.rs").iter().map(|path| read(path)).collect();
    let mut count = 0;
    for line in text.lines().filter(|line| line.contains("Test: `")) {
        for name in line
            .split("Test: `")
            .skip(1)
            .filter_map(|rest| rest.split('`').next())
        {
            // Cases may lie in files.
            if name.contains('/') {
                continue;
            }
            let function = name.rsplit("::").next().unwrap_or(name);
            assert!(
                sources.contains(&format!("fn {function}(")),
                "no test {name}"
            );
            count += 1;
        }
    }
    assert!(count >= 10, "ARCHITECTURE.md names {count} tests");
}
