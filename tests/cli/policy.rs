//! An organization's policy. It lies at a fixed place, so these tests give their programs a
//! `/etc` of their own.

use std::fs;

use serde_json::Value;

use super::three_lines;
use crate::harness::{
    binaries, diffs,
    home::{Home, Ran},
    process::run,
    skip,
};

/// Runs a shell script in which `cv` is on PATH and `/etc/convergio/policy.toml` holds `policy`
/// with this mode. `None` where this machine cannot do that.
fn under(home: &Home, policy: &str, mode: &str, script: &str) -> Option<Ran> {
    let etc = home.folder("etc");
    fs::write(etc.join("policy.toml"), policy).expect("a file");
    fs::write(etc.join("small.diff"), diffs::SMALL).expect("a file");
    // What is laid over /etc is seen in this mount namespace alone.
    let lay = "set -e; cd \"$1\"; mkdir -p upper work; mount -t tmpfs tmpfs work; \
         mkdir work/u work/w; \
         mount -t overlay overlay -o lowerdir=/etc,upperdir=work/u,workdir=work/w /etc; \
         mkdir /etc/convergio; cp policy.toml /etc/convergio/policy.toml; \
         chown -R 0:0 /etc/convergio; chmod 755 /etc/convergio";
    let try_it =
        format!("{lay}; chmod {mode} /etc/convergio/policy.toml; PATH=$2:$PATH; set +e; {script}");
    let mut command = home.command("unshare");
    command
        .args(["-m", "sh", "-c", &try_it, "sh"])
        .arg(&etc)
        .arg(binaries());
    let mut probe = home.command("unshare");
    probe
        .args(["-m", "sh", "-c", lay, "sh"])
        .arg(home.folder("probe"));
    fs::write(home.folder("probe").join("policy.toml"), "").expect("a file");
    let has_unshare = skip::has_program("unshare");
    if !rustix::process::getuid().is_root() || !has_unshare || run(&mut probe, b"").code != Some(0)
    {
        skip::loudly(
            "an organization's policy",
            "a mount namespace with an overlay",
        );
        return None;
    }
    Some(run(&mut command, b""))
}

const STRICTER: &str = "[review]\nfail_on = \"critical\"\n";

#[test]
fn a_policy_beats_every_layer_and_says_so() {
    let home = Home::new();
    let script = "cv config explain review.fail_on --format json; \
         CONVERGIO_REVIEW_FAIL_ON=never cv review -q - <small.diff >/dev/null; echo \"code $?\"; \
         cv config get review.fail_on; cv stop >/dev/null";
    let Some(ran) = under(&home, STRICTER, "644", script) else {
        return;
    };
    let mut lines = ran.out.lines();
    let explained: Value = serde_json::from_str(lines.next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(explained["fixed_by_policy"], true, "{ran:?}");
    assert_eq!(explained["effective"]["layer"], "policy", "{ran:?}");
    assert!(ran.out.contains("code 1\n"), "{ran:?}");
    assert!(ran.out.contains("critical"), "{ran:?}");
}

#[test]
fn what_a_policy_fixes_cannot_be_set() {
    let home = Home::new();
    let Some(ran) = under(
        &home,
        STRICTER,
        "644",
        "cv config set review.fail_on never; code=$?; cv stop >&2; exit $code",
    ) else {
        return;
    };
    assert_eq!(ran.code, Some(8), "{ran:?}");
    assert!(ran.err.contains("policy"), "{ran:?}");
}

#[test]
fn a_policy_that_others_can_write_or_nobody_understands_stops_everything() {
    let home = Home::new();
    for (policy, mode) in [
        (STRICTER, "666"),
        ("[review\n", "644"),
        ("[review]\nfail_on = 3\n", "644"),
    ] {
        let script = "cv review - <small.diff; code=$?; cv stop >/dev/null; exit $code";
        let Some(ran) = under(&home, policy, mode, script) else {
            return;
        };
        assert!(!ran.out.contains("finding"), "{policy} {mode}: {ran:?}");
        assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
        assert!(ran.err.contains("policy.toml"), "{ran:?}");
    }
    let doctor = under(
        &home,
        STRICTER,
        "666",
        "cv doctor; code=$?; cv stop >/dev/null; exit $code",
    );
    let doctor = doctor.expect("it worked above");
    assert!(
        doctor.code == Some(1) && doctor.out.contains("policy.toml"),
        "{doctor:?}"
    );
    three_lines(&home.cv(&home.path(), &["review"]), 2);
}
