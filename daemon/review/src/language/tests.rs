use super::*;

fn role(path: &str) -> Role {
    role_of(path, language_of(path, None))
}

#[test]
fn languages_by_name_extension_and_interpreter() {
    assert_eq!(language_of("src/a.RS", None), Language::Rust);
    assert_eq!(
        language_of("deploy/Dockerfile.prod", None),
        Language::Dockerfile
    );
    assert_eq!(
        language_of("bin/run", Some("#!/usr/bin/env -S python3.12 -u")),
        Language::Python
    );
    assert_eq!(language_of("bin/run", Some("#!/bin/sh")), Language::Shell);
    assert_eq!(language_of("bin/run", Some("hello")), Language::Unknown);
    assert_eq!(language_of(".env.production", None), Language::Ini);
}

#[test]
fn roles_by_path() {
    for (path, expected) in [
        ("src/lib.rs", Role::Source),
        ("src/latest.py", Role::Source),
        ("src/contest.py", Role::Source),
        ("pkg/server_test.go", Role::Test),
        ("tests/data.rs", Role::Test),
        ("src/Button.test.tsx", Role::Test),
        ("src/main/java/OrderTest.java", Role::Test),
        ("src/main/java/Latest.java", Role::Source),
        ("tests/fixtures/test_a.py", Role::Fixture),
        ("t/unit/helpers.py", Role::Test),
        ("fuzz/corpora/edit.diff", Role::Fixture),
        ("docs/guide.md", Role::Docs),
        ("README", Role::Docs),
        ("requirements.txt", Role::Source),
        ("examples/hello.rs", Role::Example),
        (".env.example", Role::Example),
        (".github/workflows/ci.yml", Role::Build),
        ("Dockerfile", Role::Build),
    ] {
        assert_eq!(role(path), expected, "{path}");
    }
}
