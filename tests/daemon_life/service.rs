//! Under a service manager.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{
    binaries,
    home::Home,
    process::{LIMIT, ended_within, run, signal},
    root, skip,
    wire::{VERSION, Wire},
};

/// A child that is killed when it is dropped.
pub(super) struct Foreground(pub(super) Child);

impl Foreground {
    pub(super) fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().expect("the daemon's command starts"))
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What stands in for the service manager's ear.
pub(super) struct Notify(UnixDatagram);

impl Notify {
    /// Waits for a message that holds this line.
    pub(super) fn wait_for(&self, line: &str) {
        let mut message = [0; 4096];
        let asked = Instant::now();
        while asked.elapsed() < LIMIT {
            let count = match self.0.recv(&mut message) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("waiting for {line}: {error}"),
            };
            let text = String::from_utf8_lossy(&message[..count]).into_owned();
            if text.lines().any(|found| found == line) {
                return;
            }
        }
        panic!("no {line}");
    }
}

/// `convergiod serve` and an ear for what it tells its manager.
pub(super) fn foreground(home: &Home) -> (Command, Notify) {
    let path = home.everything().join("notify");
    let ear = UnixDatagram::bind(&path).expect("a socket");
    ear.set_read_timeout(Some(LIMIT)).expect("a timeout");
    let mut command = home.command(binaries().join("convergiod"));
    command.arg("serve").env("NOTIFY_SOCKET", &path);
    (command, Notify(ear))
}

#[test]
fn the_manager_is_told_of_readiness_liveness_and_the_end() {
    let home = Home::new();
    let (mut command, notify) = foreground(&home);
    command.env("WATCHDOG_USEC", "2000000");
    let child = Foreground::start(command);
    notify.wait_for("READY=1");
    Wire::open(&home).result("health.get", json!({}));
    notify.wait_for("WATCHDOG=1");
    notify.wait_for("WATCHDOG=1");
    signal(child.0.id(), Signal::TERM);
    notify.wait_for("STOPPING=1");
    assert!(ended_within(child.0.id(), Duration::from_secs(5)));
}

#[test]
fn the_first_connection_activates_the_daemon() {
    if !skip::has_program("systemd-socket-activate") {
        skip::loudly("socket activation", "systemd-socket-activate");
        return;
    }
    let home = Home::new();
    let run_folder = home.convergio().join("run");
    fs::create_dir_all(&run_folder).expect("a folder");
    fs::set_permissions(&run_folder, fs::Permissions::from_mode(0o700)).expect("a mode");
    let socket = home.socket();
    let mut command = home.command("systemd-socket-activate");
    command
        .arg("-l")
        .arg(&socket)
        .arg(format!("-ECONVERGIO_HOME={}", home.convergio().display()))
        .arg(binaries().join("convergiod"))
        .arg("serve");
    let activator = Foreground::start(command);
    let asked = Instant::now();
    let mut wire = loop {
        // The activator tells nobody when it listens.
        match Wire::try_connect(&socket) {
            Ok(wire) => break wire,
            Err(_) => assert!(asked.elapsed() < LIMIT, "nobody listens"),
        }
        std::thread::yield_now();
    };
    wire.result("initialize", crate::harness::wire::handshake(VERSION));
    let health = wire.result("health.get", json!({}));
    assert_eq!(health["started_by"], "service", "{health}");
    assert_eq!(health["pid"], activator.0.id());
    signal(activator.0.id(), Signal::TERM);
    assert!(ended_within(activator.0.id(), Duration::from_secs(5)));
    // The socket is its opener's.
    assert!(socket.exists());
}

/// Runs `tests/harness/systemd_user.sh` and gives its `KEY value` lines.
fn under_systemd(scenario: &str) -> Option<Vec<(String, String)>> {
    let manager = std::path::Path::new("/lib/systemd/systemd");
    let tried = Command::new("unshare")
        .args([
            "-m",
            "-C",
            "-p",
            "--fork",
            "--mount-proc",
            "mount",
            "-t",
            "tmpfs",
            "tmpfs",
            "/run/systemd",
        ])
        .output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !manager.exists() || !can || !skip::has_program("systemctl") {
        skip::loudly(scenario, "systemd that can run in a namespace");
        return None;
    }
    let home = Home::new();
    let mut command = home.command("unshare");
    command
        .args([
            "-m",
            "-C",
            "-p",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "bash",
        ])
        .arg(root().join("tests/harness/systemd_user.sh"))
        .arg(scenario)
        .arg(binaries())
        .arg(home.everything())
        .env_remove("CONVERGIO_HOME");
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let pairs = ran.out.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.to_owned()))
    });
    Some(pairs.collect())
}

fn value<'a>(pairs: &'a [(String, String)], key: &str) -> &'a str {
    let found = pairs.iter().find(|(name, _)| name == key);
    found.map_or_else(|| panic!("no {key} in {pairs:?}"), |(_, value)| value)
}

#[test]
fn a_real_user_manager_starts_it_on_the_first_connection() {
    let Some(said) = under_systemd("fresh") else {
        return;
    };
    assert_eq!(value(&said, "enabled"), "enabled");
    assert_eq!(value(&said, "verify"), "[]");
    assert_eq!(value(&said, "active-before"), "inactive");
    assert_eq!(value(&said, "started-by"), "service");
    assert_eq!(value(&said, "active-after"), "active");
    assert_ne!(value(&said, "pid"), value(&said, "pid-after-kill"));
    assert_eq!(value(&said, "started-by-after-kill"), "service");
    assert_eq!(value(&said, "left-over"), "[]");
    assert_eq!(value(&said, "started-by-after-uninstall"), "on_demand");
}

#[test]
fn enabling_the_service_takes_over_from_a_daemon_on_demand() {
    let Some(said) = under_systemd("takeover") else {
        return;
    };
    assert_eq!(value(&said, "started-by"), "on_demand");
    assert_eq!(value(&said, "old-gone"), "yes");
    assert_eq!(value(&said, "started-by-after"), "service");
    assert_ne!(value(&said, "pid"), value(&said, "pid-after"));
    assert_eq!(value(&said, "runs-after"), "1");
}

#[test]
fn the_property_list_of_launchd_is_one() {
    if !skip::has_program("python3") {
        skip::loudly("the property list", "python3");
        return;
    }
    let list = root().join("launchd/com.convergio.daemon.plist");
    let text = fs::read_to_string(&list).expect("the property list");
    assert!(!text.contains('~'), "launchd expands nothing");
    let mut python = Command::new("python3");
    python
        .args([
            "-c",
            "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))",
        ])
        .arg(&list);
    let ran = run(&mut python, b"");
    let parsed: serde_json::Value =
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let listener = &parsed["Sockets"]["Listeners"];
    for path in [&parsed["ProgramArguments"][0], &listener["SockPathName"]] {
        assert!(
            path.as_str().is_some_and(|path| path.starts_with('/')),
            "{parsed}"
        );
    }
    assert_eq!(listener["SockPathMode"], 0o600);
    assert_eq!(parsed["KeepAlive"]["SuccessfulExit"], false);
}

#[test]
fn an_enabled_service_without_a_socket_is_said_and_served() {
    let home = Home::new();
    let runtime = home.folder("r");
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).expect("a mode");
    let wants = home
        .path()
        .join(".config/systemd/user/sockets.target.wants");
    fs::create_dir_all(&wants).expect("a folder");
    std::os::unix::fs::symlink("../convergio.socket", wants.join("convergio.socket"))
        .expect("a link");
    let mut command = home.cv_command(&home.path(), &["status"]);
    command
        .env_remove("CONVERGIO_HOME")
        .env("XDG_RUNTIME_DIR", &runtime);
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("service"), "{ran:?}");
    // A home of one's own means another daemon.
    let own = home.cv(&home.path(), &["status"]);
    assert_eq!((own.code, own.err.as_str()), (Some(0), ""), "{own:?}");
}
