//! The organization's policy: it beats everything, or everything stops.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::support::{Home, chmod};
use convergio_config::{Config, ErrorKind, Health};

const STRICT: &str = "[review]\nstrict = true\n";

#[test]
fn what_the_policy_fixes_can_be_neither_set_nor_unset() {
    let home = Home::new()
        .policy(STRICT)
        .user("[review]\nstrict = false\n");
    assert!(
        home.settings()
            .unwrap()
            .value(&convergio_config::REVIEW_STRICT)
    );
    let error = home
        .editor()
        .set("review.strict", "false", None)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FixedByPolicy);
    assert!(error.to_string().contains("policy.toml:2:1"), "{error}");
    let error = home.editor().unset("review.strict", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FixedByPolicy);
    home.editor()
        .set("review.max_findings", "3", None)
        .unwrap()
        .apply()
        .unwrap();
}

#[expect(clippy::unwrap_used, reason = "what is not refused must fail the test")]
fn refused(home: &Home, kind: ErrorKind) -> String {
    let error = home.load().unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let error = home.editor().set("log.level", "warn", None).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let inspection = Config::inspect(&home.paths, &home.environment, &home.catalog);
    assert!(matches!(inspection.policy, Health::Broken(_)));
    error.to_string()
}

#[test]
fn a_policy_that_others_could_change_stops_everything() {
    for mode in [0o664, 0o646, 0o666] {
        let home = Home::new().policy(STRICT);
        chmod(&home.environment.policy_file, mode);
        let message = refused(&home, ErrorKind::PolicyUntrusted);
        assert!(message.contains(&format!("{mode:04o}")), "{message}");
    }
    for mode in [0o775, 0o757, 0o1777] {
        let home = Home::new().policy(STRICT);
        chmod(&home.policy_dir(), mode);
        refused(&home, ErrorKind::PolicyUntrusted);
    }
    let mut home = Home::new().policy(STRICT);
    home.environment.policy_owner_uid += 1;
    let message = refused(&home, ErrorKind::PolicyUntrusted);
    assert!(message.contains("owns it"), "{message}");
}

#[test]
fn a_folder_above_that_others_could_rename_in_is_refused_unless_sticky() {
    let mut home = Home::new();
    let above = home.folder.path().join("above");
    fs::create_dir_all(above.join("policy")).unwrap();
    chmod(&above.join("policy"), 0o755);
    home.environment.policy_file = above.join("policy/policy.toml");
    let home = home.policy(STRICT);
    chmod(&above, 0o777);
    refused(&home, ErrorKind::PolicyUntrusted);
    chmod(&above, 0o1777);
    home.load().unwrap();
}

#[test]
fn links_folders_and_pipes_in_the_policys_place_are_refused() {
    let home = Home::new();
    let real = home.folder.path().join("real.toml");
    fs::write(&real, STRICT).unwrap();
    symlink(&real, &home.environment.policy_file).unwrap();
    refused(&home, ErrorKind::PolicyUntrusted);

    let home = Home::new();
    fs::create_dir(&home.environment.policy_file).unwrap();
    refused(&home, ErrorKind::PolicyUntrusted);

    let home = Home::new();
    let pipe = Command::new("mkfifo")
        .arg(&home.environment.policy_file)
        .status();
    assert!(pipe.unwrap().success());
    refused(&home, ErrorKind::PolicyUntrusted);

    let home = Home::new().policy(STRICT);
    let folder = home.policy_dir();
    let moved = home.folder.path().join("moved");
    fs::rename(&folder, &moved).unwrap();
    symlink(&moved, &folder).unwrap();
    refused(&home, ErrorKind::PolicyUntrusted);
}

#[test]
fn a_policy_that_cannot_be_understood_stops_everything() {
    refused(&Home::new().policy("[review\n"), ErrorKind::Syntax);
    refused(
        &Home::new().policy("[budget]\nmonth = 3\n"),
        ErrorKind::UnknownKey,
    );
    refused(
        &Home::new().policy("[review]\nstrict = 'x'\n"),
        ErrorKind::WrongType,
    );
    let home = Home::new().policy("config_version = 9\n");
    refused(&home, ErrorKind::NewerVersion);
    let error = home.load().unwrap_err();
    assert!(!error.hint().contains("cv config"), "{}", error.hint());
}

#[test]
fn the_policys_faults_come_before_the_users() {
    let home = Home::new().policy("nonsense = 1\n").user("rubbish = 1\n");
    let error = home.load().unwrap_err();
    assert_eq!(error.path(), Some(home.environment.policy_file.as_path()));
    assert_eq!(error.faults().count(), 2);
}

#[test]
#[ignore = "run by the test below, as another user"]
fn as_nobody_an_unreadable_policy_is_an_error() {
    let folder = std::path::PathBuf::from(std::env::var_os("TEST_POLICY_FOLDER").unwrap());
    let mut home = Home::new();
    home.environment.policy_owner_uid = 0;
    home.environment.policy_file = folder.join("file/policy.toml");
    refused(&home, ErrorKind::Io);
    home.environment.policy_file = folder.join("folder/policy.toml");
    refused(&home, ErrorKind::Io);

    // A folder that can't be written: the file stays as it was, and it is said.
    let home = Home::new().user("# mine\n");
    chmod(&home.paths.config_dir, 0o500);
    let plan = home.editor().set("review.strict", "true", None).unwrap();
    let error = plan.apply().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert_eq!(home.text(), "# mine\n");
    chmod(&home.paths.config_dir, 0o700);

    // A later policy in a folder that can't be searched must not go unseen.
    let home = Home::new();
    let config = home.load().unwrap();
    chmod(&home.policy_dir(), 0o000);
    assert!(config.is_stale());
    chmod(&home.policy_dir(), 0o755);
}

#[test]
fn an_unreadable_policy_is_an_error_and_not_none() {
    if !rustix::process::geteuid().is_root() {
        // Not `eprintln!`, which is kept from sight where a test passes.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED an unreadable policy: this needs root\n",
        );
        return;
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        let required = std::env::var("CONVERGIO_REQUIRE_SERVICES").is_ok_and(|set| set == "1");
        assert!(!required, "setpriv was to be here");
        // Not `eprintln!`, which is kept from sight where a test passes.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED an unreadable policy: this machine has no setpriv\n",
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    chmod(folder.path(), 0o755);
    for (name, folder_mode, file_mode) in [("file", 0o755, 0o600), ("folder", 0o700, 0o644)] {
        let below = folder.path().join(name);
        fs::create_dir(&below).unwrap();
        fs::write(below.join("policy.toml"), STRICT).unwrap();
        chmod(&below.join("policy.toml"), file_mode);
        chmod(&below, folder_mode);
    }
    // The test binary may lie where nobody can't go, so a copy runs.
    let copy = folder.path().join("managed");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&copy)
        .args([
            "--exact",
            "--ignored",
            "--nocapture",
            "managed::as_nobody_an_unreadable_policy_is_an_error",
        ])
        .env("TEST_POLICY_FOLDER", folder.path())
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
