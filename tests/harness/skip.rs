//! Tests that need something that a machine may lack skip loudly, or fail where it was promised.

use std::io::Write;

/// Says that the test named by `what` is skipped for want of `missing`; panics where
/// `CONVERGIO_REQUIRE_SERVICES=1` promises that nothing is missing (CI).
pub fn loudly(what: &str, missing: &str) {
    let required = std::env::var("CONVERGIO_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(
        !required,
        "{what} needs {missing}, which this machine was to have"
    );
    // Not `eprintln!`, which is kept from sight where a test passes.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {what}: this machine has no {missing}"
    );
}

/// Whether a program is on PATH.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
