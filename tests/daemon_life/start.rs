//! Starting on demand: one daemon, whoever comes first.

use std::{collections::BTreeSet, fs, path::Path, process::Stdio};

use rustix::process::Signal;
use serde_json::json;

use super::{pid_by_cv, pid_in, status_of};
use crate::harness::{
    binaries,
    daemon::Daemon,
    home::{Home, memory_holds},
    process::{LIMIT, ended_within, finish, lives, run, signal},
    wire::Wire,
};

/// `CONVERGIO_ROUNDS=500` is the campaign.
#[test]
fn twenty_clients_at_once_start_one_daemon() {
    let rounds = std::env::var("CONVERGIO_ROUNDS").map_or(3, |text| {
        text.parse().expect("CONVERGIO_ROUNDS is a number")
    });
    for round in 0..rounds {
        let home = Home::new();
        let clients: Vec<_> = (0..20)
            .map(|_| {
                let mut command = home.cv_command(&home.path(), &["status", "--format", "json"]);
                command
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped());
                (command.spawn().expect("cv starts"), command)
            })
            .collect();
        let pids: Vec<u32> = clients
            .into_iter()
            .map(|(child, command)| pid_in(&status_of(&finish(child, &command))))
            .collect();
        let different: BTreeSet<u32> = pids.iter().copied().collect();
        assert_eq!((pids.len(), different.len()), (20, 1), "round {round}");
        assert_eq!(home.owner(), different.first().copied());
    }
}

#[test]
fn after_a_kill_the_next_client_starts_another() {
    let home = Home::new();
    let first = pid_by_cv(&home);
    signal(first, Signal::KILL);
    assert!(ended_within(first, LIMIT));
    // What is left is a stale socket and a lock file that names the dead.
    assert!(home.socket().exists());
    let second = pid_by_cv(&home);
    assert_ne!(first, second);
    assert_eq!(home.owner(), Some(second));
}

#[test]
fn a_second_daemon_leaves_politely() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let mut command = home.command(binaries().join("convergiod"));
    command.args(["serve", "--spawned"]);
    let second = run(&mut command, b"");
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(!second.out.contains("ready"), "{second:?}");
    assert_eq!(home.owner(), Some(daemon.pid));
    assert!(lives(daemon.pid));
    Wire::open(&home).result("health.get", json!({}));
}

#[test]
fn a_started_daemon_inherits_nothing() {
    let home = Home::new();
    let canary = home.everything().join("canary");
    fs::write(&canary, "x").expect("a file");
    let folder = home.folder("somewhere");
    let mut command = home.command("sh");
    command
        .args([
            "-c",
            "exec 7<\"$1\" 9<\"$1\"; exec \"$0\" status --format json",
        ])
        .arg(binaries().join("cv"))
        .arg(&canary)
        .current_dir(&folder)
        .env("CANARY_VARIABLE", "sings")
        .env("ANTHROPIC_API_KEY", "sings-too")
        .env("LD_PRELOAD_CANARY", "sings");
    let pid = pid_in(&status_of(&run(&mut command, b"")));
    let proc = Path::new("/proc").join(pid.to_string());

    let environment = fs::read(proc.join("environ")).expect("the daemon lives");
    assert!(!memory_holds(&environment, b"sings"));
    assert!(memory_holds(&environment, b"CONVERGIO_HOME="));

    assert_eq!(
        fs::read_link(proc.join("cwd")).expect("a folder"),
        Path::new("/")
    );

    let stat = fs::read_to_string(proc.join("stat")).expect("the daemon lives");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    let session = after_name.split_whitespace().nth(3).expect("a session");
    assert_eq!(session, pid.to_string(), "it leads a session of its own");

    for entry in fs::read_dir(proc.join("fd")).expect("the daemon lives") {
        let entry = entry.expect("a descriptor");
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        let text = target.to_string_lossy().into_owned();
        let own = target.starts_with(home.convergio())
            || ["socket:", "anon_inode:", "/dev/null", "/memfd:"]
                .iter()
                .any(|kind| text.starts_with(kind));
        assert!(own, "descriptor {:?} is {text}", entry.file_name());
    }
    for descriptor in ["0", "1", "2"] {
        let target = fs::read_link(proc.join("fd").join(descriptor)).expect("it is open");
        let closed = target == Path::new("/dev/null") || target.starts_with(home.convergio());
        assert!(closed, "{descriptor} is {}", target.display());
    }
}

#[test]
fn status_as_a_line_starts_nothing() {
    let home = Home::new();
    let ran = home.cv(&home.path(), &["status", "--line"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
    assert_eq!(home.owner(), None);
    assert!(!home.socket().exists());
    for offline in [&["--version"][..], &["--help"], &["completions", "bash"]] {
        let ran = home.cv(&home.path(), offline);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(home.owner(), None);
}

#[test]
fn a_removed_socket_is_noticed_when_somebody_comes() {
    let home = Home::new();
    let first = pid_by_cv(&home);
    fs::remove_file(home.socket()).expect("the socket");
    let second = pid_by_cv(&home);
    assert_ne!(first, second);
    assert!(ended_within(first, LIMIT));
}
