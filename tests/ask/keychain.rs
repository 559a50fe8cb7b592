//! Keychains that are not there, come later, are locked or never answer.

use std::{
    io::{BufRead, BufReader},
    os::unix::net::UnixListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Script};

use super::{House, json_of, three_lines};
use crate::harness::{
    home::Ran,
    process::{LIMIT, finish, run},
    skip,
};

/// A keychain gets two seconds; the rest is for a machine that is busy with other tests. What
/// hangs here would do so for ever.
const ASKED: Duration = Duration::from_secs(6);
const STORED: &str = "the-stored-key-91";

/// A house whose provider's key can only be stored.
fn house() -> House {
    let provider = FakeProvider::start(Script::always(Reply::text("Hello there.")));
    let base = provider.base_url(Dialect::OpenAi);
    let house = House::before(provider, Dialect::OpenAi, &base, "");
    house.configure(&format!(
        "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n\
         [provider.mock]\nkind = \"openai\"\nbase_url = \"{base}\"\n\
         key_env = \"SET_NOWHERE_KEY\"\n[provider.mock.model.\"gpt-test\"]\n\
         price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n"
    ));
    house
}

fn command(house: &House, bus: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = house.home.cv_command(&house.folder, arguments);
    command.env("CONVERGIO_NO_PROMPT", "1");
    if let Some(bus) = bus {
        command.env("DBUS_SESSION_BUS_ADDRESS", bus);
    }
    command
}

/// `cv` where the keychain is at `bus`, within its time.
fn cv(house: &House, bus: Option<&str>, arguments: &[&str]) -> Ran {
    let mut command = command(house, bus, arguments);
    let begun = Instant::now();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ran = finish(command.spawn().expect("cv starts"), &command);
    assert!(begun.elapsed() < ASKED, "{arguments:?}: {ran:?}");
    ran
}

fn set_key(house: &House, bus: Option<&str>) -> Ran {
    let mut command = command(house, bus, &["provider", "set-key", "mock"]);
    let begun = Instant::now();
    let ran = run(&mut command, STORED.as_bytes());
    assert!(begun.elapsed() < ASKED, "{ran:?}");
    ran
}

/// No key can be read or stored: each says so, names `why`, and none waits.
fn says_that_there_is_none(house: &House, bus: Option<&str>, why: &str) {
    let stored = set_key(house, bus);
    let code = stored.code.expect("no signal");
    assert_ne!(code, 0, "{why}: {stored:?}");
    three_lines(&stored, code);
    assert!(stored.err.to_lowercase().contains(why), "{why}: {stored:?}");
    assert!(!stored.err.contains(STORED) && !stored.out.contains(STORED));
    let listed = cv(house, bus, &["provider", "list"]);
    assert_eq!(listed.code, Some(0), "{why}: {listed:?}");
    assert!(listed.out.contains("mock"), "{why}: {listed:?}");
    let asked = cv(house, bus, &["ask", "hi"]);
    three_lines(&asked, 3);
    assert!(asked.err.contains("SET_NOWHERE_KEY"), "{why}: {asked:?}");
    assert_eq!(house.provider.connections(), 0, "{why}: nothing is sent");
}

#[test]
fn an_absent_keychain_is_said_at_once() {
    let without = house();
    says_that_there_is_none(&without, None, "keychain");
    let nowhere = house();
    let path = nowhere.home.everything().join("no-bus");
    let bus = format!("unix:path={}", path.display());
    says_that_there_is_none(&nowhere, Some(&bus), "keychain");
}

#[test]
fn a_keychain_that_never_answers_is_given_up() {
    let house = house();
    let path = house.home.everything().join("bus");
    let _silent = UnixListener::bind(&path).expect("a socket");
    let bus = format!("unix:path={}", path.display());
    says_that_there_is_none(&house, Some(&bus), "keychain");
}

/// A bus of the test's own, on which nothing starts by itself.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    fn start(house: &House) -> Self {
        let folder = house.home.everything();
        let config = folder.join("bus.conf");
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>session</type><listen>unix:path={}</listen>\n\
             <policy context=\"default\"><allow send_destination=\"*\"/>\
             <allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>",
            folder.join("bus").display()
        );
        std::fs::write(&config, text).expect("a file");
        let mut command = house.home.command("dbus-daemon");
        command
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut daemon = command.spawn().expect("a bus");
        let mut output = BufReader::new(daemon.stdout.take().expect("a pipe"));
        let mut address = String::new();
        output.read_line(&mut address).expect("an address");
        Self {
            daemon,
            address: address.trim().to_owned(),
        }
    }

    /// GNOME's keyring with an open collection of its own; it ends with its home.
    fn keyring(&self, house: &House) {
        let mut command = house.home.command("gnome-keyring-daemon");
        command
            .args(["--unlock", "--components=secrets"])
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("XDG_RUNTIME_DIR", house.home.folder("keyring"));
        // It leaves a child that keeps its output open, so that is not waited for.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("a keyring");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, b"password").expect("it reads");
        drop(stdin);
        child.wait().expect("it goes into the background");
    }

    fn lock(&self, house: &House) {
        let mut command = house.home.command("dbus-send");
        command
            .args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.secrets",
            ])
            .args([
                "/org/freedesktop/secrets",
                "org.freedesktop.Secret.Service.Lock",
            ])
            .arg("array:objpath:/org/freedesktop/secrets/collection/login")
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        let ran = run(&mut command, b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn a_keychain_that_comes_later_is_used_and_a_locked_one_is_said() {
    for program in ["dbus-daemon", "dbus-send", "gnome-keyring-daemon"] {
        if !skip::has_program(program) {
            return skip::loudly("a keychain that comes later", program);
        }
    }
    let house = house();
    let bus = Bus::start(&house);
    let address = Some(bus.address.as_str());
    says_that_there_is_none(&house, address, "keychain");
    bus.keyring(&house);
    // It takes its name on the bus a moment after it went into the background.
    let begun = Instant::now();
    let stored = loop {
        let stored = set_key(&house, address);
        if stored.code == Some(0) || begun.elapsed() > LIMIT {
            break stored;
        }
    };
    assert_eq!(stored.code, Some(0), "the same daemon finds it: {stored:?}");
    let asked = cv(&house, address, &["ask", "hi"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert_eq!(house.provider.calls()[0].key(), Some(STORED));

    // A daemon that has not read the key finds the collection locked.
    assert_eq!(house.home.cv(&house.folder, &["stop"]).code, Some(0));
    bus.lock(&house);
    let asked = cv(&house, address, &["ask", "hi"]);
    three_lines(&asked, 3);
    assert!(asked.err.contains("lock"), "{asked:?}");
    let stored = set_key(&house, address);
    assert_ne!(stored.code, Some(0), "{stored:?}");
    assert!(stored.err.contains("lock"), "{stored:?}");
    let listed = cv(&house, address, &["provider", "list", "--format", "json"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(json_of(&listed)["providers"].is_array(), "{listed:?}");
    assert_eq!(house.provider.calls().len(), 1, "nothing was sent");
}
