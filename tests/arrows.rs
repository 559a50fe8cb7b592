//! Who may know whom. The list is the architecture; a new arrow is a decision, not an accident.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::harness::root;

/// Every package of ours and the ones of ours that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("convergio-contract", &[]),
    ("convergio-transport", &["convergio-contract"]),
    (
        "convergio-client",
        &["convergio-contract", "convergio-transport"],
    ),
    ("convergio-store", &[]),
    ("convergio-config", &[]),
    ("convergio-review", &[]),
    ("convergio-egress", &[]),
    ("convergio-models-api", &[]),
    (
        "convergio-models-remote",
        &["convergio-models-api", "convergio-egress"],
    ),
    ("convergio-runs", &["convergio-store"]),
    (
        "convergio-ledger",
        &["convergio-store", "convergio-models-api"],
    ),
    (
        "convergio-engine",
        &["convergio-models-api", "convergio-ledger"],
    ),
    ("convergio-gateway", &["convergio-models-api"]),
    ("convergio-tasks", &["convergio-store"]),
    (
        "convergiod",
        &[
            "convergio-contract",
            "convergio-transport",
            "convergio-store",
            "convergio-config",
            "convergio-runs",
            "convergio-review",
            "convergio-egress",
            "convergio-ledger",
            "convergio-engine",
            "convergio-gateway",
            "convergio-tasks",
            "convergio-models-api",
            "convergio-models-remote",
        ],
    ),
    ("convergio-fake-provider", &[]),
    ("convergio-cv", &["convergio-client", "convergio-contract"]),
    (
        "convergio-menubar",
        &["convergio-client", "convergio-contract"],
    ),
    (
        "convergio-search-provider",
        &["convergio-client", "convergio-contract"],
    ),
];

/// Users of everything.
const FREE: &[&str] = &["convergio-tests", "convergio-benches"];

/// Whom anybody's tests may use.
const FOR_TESTS: &str = "convergio-fake-provider";

const HTTP_CLIENTS: &[&str] = &[
    "reqwest",
    "hyper",
    "hyper-util",
    "hyper-rustls",
    "ureq",
    "curl",
    "isahc",
    "attohttpc",
];

/// The one gate through which anything leaves; it names hyper to tell its errors apart.
const GATE: &str = "convergio-egress";
const GATE_KNOWS: &[&str] = &["reqwest", "hyper"];

/// The server of programs that speak the wires of others; it uses hyper's server alone.
const FACE: &str = "convergiod";
const FACE_KNOWS: &[&str] = &["hyper", "hyper-util"];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let metadata: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn crates_know_only_whom_their_arrows_allow() {
    let mut seen = BTreeSet::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap().to_owned();
        if FREE.contains(&name.as_str()) {
            continue;
        }
        let allowed = ARROWS
            .iter()
            .find(|(of, _)| *of == name)
            .map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_else(|| panic!("{name} has no arrows in the list"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            let in_tests = dependency["kind"].as_str() == Some("dev");
            let speaks = (name == GATE && GATE_KNOWS.contains(&other))
                || (name == FACE && FACE_KNOWS.contains(&other));
            assert!(
                !HTTP_CLIENTS.contains(&other) || speaks,
                "{name} depends on the HTTP client {other}"
            );
            let ours = other.starts_with("convergio");
            let itself = other == name;
            let for_tests = in_tests && other == FOR_TESTS;
            assert!(
                !ours || itself || for_tests || allowed.contains(&other),
                "{name} must not know {other}"
            );
        }
        seen.insert(name);
    }
    let listed: BTreeSet<String> = ARROWS.iter().map(|(of, _)| (*of).to_owned()).collect();
    assert_eq!(seen, listed, "the list names packages that are gone");
}

#[test]
fn who_serves_with_hyper_calls_nobody_with_it() {
    let mut folders = vec![root().join("daemon/convergiod/src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for name in [
                "hyper::client",
                "hyper_util::client",
                "client::conn",
                "client::legacy",
            ] {
                assert!(!text.contains(name), "{} names {name}", path.display());
            }
            files += 1;
        }
    }
    assert!(files > 50, "the sources are somewhere else");
}
