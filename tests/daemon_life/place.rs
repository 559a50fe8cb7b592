//! Where the socket may be, and where not.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use serde_json::json;

use super::{pid_by_cv, pid_in, status_of, three_lines};
use crate::harness::{
    binaries,
    home::{Home, Ran},
    process::run,
    skip,
    wire::Wire,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[test]
fn everything_of_a_home_is_closed_to_others() {
    let home = Home::new();
    let mut command = home.command("sh");
    command
        .args(["-c", "umask 0; exec \"$0\" review"])
        .arg(binaries().join("cv"));
    let ran = run(&mut command, crate::harness::diffs::SMALL.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(mode(&home.socket()), 0o600);
    let mut open = vec![
        home.convergio().join("data"),
        home.convergio().join("state"),
        home.convergio().join("run"),
    ];
    while let Some(folder) = open.pop() {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                open.push(path);
            } else {
                assert_eq!(mode(&path) & 0o177, 0, "{}", path.display());
            }
        }
    }
}

#[test]
fn a_symlink_in_the_sockets_place_is_refused() {
    let home = Home::new();
    let run_folder = home.convergio().join("run");
    fs::create_dir_all(&run_folder).expect("a folder");
    fs::set_permissions(&run_folder, fs::Permissions::from_mode(0o700)).expect("a mode");
    let elsewhere = home.everything().join("elsewhere");
    symlink(&elsewhere, home.socket()).expect("a link");
    let ran = home.cv(&home.path(), &["status"]);
    three_lines(&ran, &[7, 8]);
    assert!(ran.err.contains("symbolic link"), "{ran:?}");
    assert!(
        fs::symlink_metadata(home.socket())
            .expect("the link")
            .is_symlink()
    );
    assert_eq!(home.owner(), None);
}

#[test]
fn a_folder_that_others_can_write_is_refused() {
    for open in ["run", "data"] {
        let home = Home::new();
        let folder = home.convergio().join(open);
        fs::create_dir_all(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("a mode");
        let ran = home.cv(&home.path(), &["status"]);
        three_lines(&ran, &[7, 8]);
        assert!(ran.err.contains("others can write"), "{ran:?}");
        assert_eq!(home.owner(), None);
        // The way out works.
        let way_out = format!("chmod go-w '{}'", folder.display());
        assert!(ran.err.contains(&way_out), "{ran:?}");
        run(home.command("sh").args(["-c", &way_out]), b"");
        pid_by_cv(&home);
    }
}

#[test]
fn convergio_socket_says_where() {
    let home = Home::new();
    let socket = home.folder("elsewhere").join("s");
    fs::set_permissions(
        home.everything().join("elsewhere"),
        fs::Permissions::from_mode(0o700),
    )
    .expect("a mode");
    let mut command = home.cv_command(&home.path(), &["status", "--format", "json"]);
    command
        .env_remove("CONVERGIO_HOME")
        .env("CONVERGIO_SOCKET", &socket);
    let status = status_of(&run(&mut command, b""));
    assert_eq!(status["socket"], json!(socket));
    let mut wire = Wire::open_as(&socket, crate::harness::wire::VERSION);
    wire.result("health.get", json!({}));
    assert!(
        home.path()
            .join(".local/share/convergio/convergiod.lock")
            .exists()
    );
}

#[test]
fn a_relative_home_is_the_callers() {
    let home = Home::new();
    let mut command = home.cv_command(home.everything(), &["status", "--format", "json"]);
    command.env("CONVERGIO_HOME", "c");
    let first = pid_in(&status_of(&run(&mut command, b"")));
    assert_eq!(pid_by_cv(&home), first);
}

#[test]
fn without_a_runtime_folder_the_same_daemon_is_found() {
    let uid = rustix::process::getuid().as_raw();
    if Path::new(&format!("/run/user/{uid}/convergio/cv.sock")).exists() {
        skip::loudly(
            "a client without XDG_RUNTIME_DIR",
            "free place in /run/user",
        );
        return;
    }
    let home = Home::new();
    let runtime = home.folder("runtime");
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).expect("a mode");
    let mut command = home.cv_command(&home.path(), &["status", "--format", "json"]);
    command
        .env_remove("CONVERGIO_HOME")
        .env("XDG_RUNTIME_DIR", &runtime);
    let first = status_of(&run(&mut command, b""));
    assert_eq!(first["socket"], json!(runtime.join("convergio/cv.sock")));

    // As from cron.
    let mut bare = home.command(binaries().join("cv"));
    bare.env_remove("CONVERGIO_HOME")
        .args(["status", "--format", "json"]);
    let second = status_of(&run(&mut bare, b""));
    assert_eq!(pid_in(&first), pid_in(&second));

    let other = home.folder("other-runtime");
    command.env("XDG_RUNTIME_DIR", &other);
    let third = status_of(&run(&mut command, b""));
    assert_eq!(pid_in(&first), pid_in(&third));
}

#[test]
fn a_path_that_no_socket_holds_is_said_plainly() {
    let home = Home::new();
    let long = home.everything().join("d".repeat(120));
    let mut command = home.cv_command(&home.path(), &["status"]);
    command.env("CONVERGIO_HOME", &long);
    let ran = run(&mut command, b"");
    three_lines(&ran, &[2, 7]);
    assert!(ran.err.contains("107"), "{ran:?}");
}

/// Runs `cv` as nobody with a home under `convergio`. Root ignores mode bits, so modes are
/// tested as somebody who does not.
fn as_nobody(home: &Home, convergio: &Path, arguments: &[&str]) -> Ran {
    let mut command = home.command("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(home.everything().join("programs/cv"))
        .args(arguments)
        .env("CONVERGIO_HOME", convergio)
        .current_dir(home.path());
    run(&mut command, crate::harness::diffs::SMALL.as_bytes())
}

/// Lets nobody run the programs and have a home; false where that cannot be.
fn lets_nobody_in(home: &Home) -> bool {
    if !rustix::process::getuid().is_root() || !skip::has_program("setpriv") {
        skip::loudly("modes that bind", "root and setpriv");
        return false;
    }
    let programs = home.folder("programs");
    for folder in [home.everything(), &programs] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    for program in ["cv", "convergiod"] {
        fs::copy(binaries().join(program), programs.join(program)).expect("a program");
    }
    std::os::unix::fs::chown(home.path(), Some(65534), Some(65534)).expect("an owner");
    true
}

#[test]
fn a_folder_that_cannot_be_written_costs_only_the_saving() {
    let home = Home::new();
    if !lets_nobody_in(&home) {
        return;
    }
    let convergio = home.path().join("c");
    let saved = as_nobody(&home, &convergio, &["review"]);
    assert!(
        saved.code == Some(0) && !saved.out.contains("not saved"),
        "{saved:?}"
    );
    as_nobody(&home, &convergio, &["stop"]);
    let data = convergio.join("data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o500)).expect("a mode");
    let unsaved = as_nobody(&home, &convergio, &["review"]);
    assert_eq!(unsaved.code, Some(0), "{unsaved:?}");
    assert!(
        unsaved.out.contains("2 findings") && unsaved.out.contains("not saved"),
        "{unsaved:?}"
    );
    let runs = as_nobody(&home, &convergio, &["runs"]);
    assert!(runs.out.contains("completed, not saved"), "{runs:?}");
    as_nobody(&home, &convergio, &["stop"]);
}

#[test]
fn a_home_of_somebody_else_is_not_used() {
    let home = Home::new();
    if !lets_nobody_in(&home) {
        return;
    }
    let theirs = home.folder("theirs");
    for folder in ["", "data", "run"] {
        let folder = theirs.join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let refused = as_nobody(&home, &theirs, &["status"]);
    three_lines(&refused, &[7, 8]);
    // Nor where everybody may write: the folder is another's all the same.
    for folder in ["", "data", "run"] {
        let folder = theirs.join(folder);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("a mode");
    }
    let refused = as_nobody(&home, &theirs, &["status"]);
    three_lines(&refused, &[7, 8]);
}

/// Runs a shell script in which `cv` is the program and the data folder is read-only, whatever
/// the user may do; `None` where nothing can be mounted.
fn on_a_read_only_disk(home: &Home, script: &str) -> Option<Ran> {
    let mounted = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\"";
    let with = |script: String| {
        let mut command = home.command("unshare");
        command
            .args(["-m", "sh", "-c", &script])
            .arg(binaries().join("cv"))
            .arg(home.convergio().join("data"))
            .current_dir(home.path());
        run(&mut command, crate::harness::diffs::SMALL.as_bytes())
    };
    if !skip::has_program("unshare") || with(mounted.to_owned()).code != Some(0) {
        skip::loudly("a read-only disk", "mount namespace");
        return None;
    }
    Some(with(format!("{mounted} || exit 99; {script}")))
}

#[test]
fn a_read_only_disk_costs_only_the_saving() {
    let home = Home::new();
    home.cv_with_input(
        &home.path(),
        &["review"],
        crate::harness::diffs::SMALL.as_bytes(),
    );
    home.cv(&home.path(), &["stop"]);
    let script = "\"$0\" review; \"$0\" runs; \"$0\" doctor; echo \"doctor $?\"; \"$0\" stop >&2";
    let Some(ran) = on_a_read_only_disk(&home, script) else {
        return;
    };
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.contains("2 findings") && ran.out.contains("not saved"),
        "{ran:?}"
    );
    // What was saved before is still read.
    assert_eq!(ran.out.matches("completed").count(), 2, "{ran:?}");
    assert!(ran.out.contains("completed, not saved"), "{ran:?}");
    assert!(
        ran.out.contains("cannot be written") && ran.out.contains("findmnt -T"),
        "{ran:?}"
    );
    assert!(
        ran.out.contains("core.db is sound") && !ran.out.contains(".damaged"),
        "{ran:?}"
    );
    assert!(ran.out.contains("doctor 1"), "{ran:?}");
}
