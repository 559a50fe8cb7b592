//! The keychain: there, locked, absent, hanging, late.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use convergio_config::secrets::{Keychain, KeychainState, Missing, Secrets, Source, StoredIn};

use crate::service::{Bus, Fake};
use crate::support::{Place, skip, text, variable};

/// What a person may wait for the keychain, and what this machine may add.
const BOUND: Duration = Duration::from_secs(2 + 3);

fn bus(what: &str) -> Option<Bus> {
    let bus = Bus::start();
    if bus.is_none() {
        skip(what, "dbus-daemon");
    }
    bus
}

/// A place whose keychain is this.
fn place(keychain: Keychain) -> Place {
    let mut place = Place::new();
    place.keychain = keychain;
    place
}

#[expect(clippy::unwrap_used, reason = "a key that is found must fail the test")]
/// Why the keychain had no key; it must be told in one line, in time.
async fn missing(place: &Place, secrets: &Secrets) -> Missing {
    let begun = Instant::now();
    let error = place.find(secrets).await.unwrap_err();
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    let line = error.to_string();
    assert!(!line.contains('\n') && line.len() < 400, "{line}");
    let (_, why) = error
        .tried
        .into_iter()
        .find(|(source, _)| *source == Source::Keychain)
        .unwrap();
    assert!(line.contains(&format!("keychain {why}")), "{line}");
    why
}

#[tokio::test]
async fn a_key_is_kept_found_replaced_and_removed() {
    let Some(bus) = bus("a keychain") else { return };
    let fake = Fake::default();
    let _there = fake.serve(&bus).await;
    let place = place(bus.keychain());
    let secrets = place.secrets();
    assert_eq!(secrets.keychain_state().await, KeychainState::Available);
    assert_eq!(missing(&place, &secrets).await, Missing::NoItem);
    for key in ["first-key", "second-key"] {
        let kept = secrets.set(&place.name, key.into(), false).await.unwrap();
        assert_eq!(kept, StoredIn::Keychain);
        let found = place.find(&secrets).await.unwrap();
        assert_eq!((text(&found), &found.source), (key, &Source::Keychain));
    }
    assert!(!place.file().exists());
    // It was read once for each that was set.
    place.find(&secrets).await.unwrap();
    assert_eq!(fake.state().reads, 2);
    secrets.forget(&place.name);
    place.find(&secrets).await.unwrap();
    assert_eq!(fake.state().reads, 3);
    assert_eq!(
        secrets.remove(&place.name).await.unwrap(),
        [StoredIn::Keychain]
    );
    assert_eq!(missing(&place, &secrets).await, Missing::NoItem);
    assert_eq!(secrets.remove(&place.name).await.unwrap(), []);
    assert_eq!(fake.state().unlocks, 0);
}

#[tokio::test]
async fn a_locked_one_is_never_asked_to_unlock_and_tried_again() {
    let Some(bus) = bus("a locked keychain") else {
        return;
    };
    let fake = Fake::default();
    let _there = fake.serve(&bus).await;
    let mut place = place(bus.keychain());
    let secrets = place.secrets();
    let kept = secrets.set(&place.name, "kept-key".into(), false).await;
    kept.unwrap();
    fake.state().locked = true;
    assert_eq!(missing(&place, &secrets).await, Missing::Locked);
    assert_eq!(secrets.keychain_state().await, KeychainState::Locked);
    let error = place.find(&secrets).await.unwrap_err();
    assert!(
        error
            .hint()
            .starts_with("unlock the keychain, or: export MOCK_KEY")
    );
    let refused = secrets.set(&place.name, "new-key".into(), false).await;
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("is locked"), "{refused}");
    assert!(refused.hint().starts_with("unlock the keychain"));
    assert!(secrets.remove(&place.name).await.is_err());
    // The places below it serve meanwhile, and are not what is remembered.
    place.daemon = variable("MOCK_KEY", "of-the-daemon");
    place.key_cmd = Some("echo of-the-command".to_owned());
    let secrets = place.secrets();
    assert_eq!(text(&place.find(&secrets).await.unwrap()), "of-the-command");
    fake.state().locked = false;
    assert_eq!(text(&place.find(&secrets).await.unwrap()), "kept-key");
    assert_eq!(fake.state().unlocks, 0);
}

#[tokio::test]
async fn an_absent_one_is_said_and_found_once_it_appears() {
    let place = place(Keychain::SecretService {
        address: "unix:path=/nonexistent/bus".to_owned(),
    });
    let why = missing(&place, &place.secrets()).await;
    assert!(
        matches!(&why, Missing::Absent(why) if why.contains("no session bus")),
        "{why:?}"
    );

    let Some(bus) = bus("a keychain that appears later") else {
        return;
    };
    let place = self::place(bus.keychain());
    let secrets = place.secrets();
    let none = Missing::Absent("no Secret Service".to_owned());
    assert_eq!(missing(&place, &secrets).await, none);
    assert!(matches!(
        secrets.keychain_state().await,
        KeychainState::Absent { .. }
    ));
    let refused = secrets.set(&place.name, "late-key".into(), false).await;
    assert!(refused.unwrap_err().to_string().contains("is not there"));

    let fake = Fake::default();
    fake.state().empty = true;
    let there = fake.serve(&bus).await;
    let refused = secrets.set(&place.name, "late-key".into(), false).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("no default collection")
    );
    fake.state().empty = false;
    let kept = secrets.set(&place.name, "late-key".into(), false).await;
    assert_eq!(kept.unwrap(), StoredIn::Keychain);
    secrets.forget(&place.name);
    assert_eq!(text(&place.find(&secrets).await.unwrap()), "late-key");
    secrets.forget(&place.name);
    there.close().await.unwrap();
    assert_eq!(missing(&place, &secrets).await, none);
}

#[tokio::test]
async fn one_that_hangs_costs_two_seconds() {
    let Some(bus) = bus("a keychain that hangs") else {
        return;
    };
    let fake = Fake::default();
    fake.state().hangs = true;
    let _there = fake.serve(&bus).await;
    let hanging = place(bus.keychain());
    let timed_out = Missing::TimedOut { after_ms: 2_000 };
    let secrets = hanging.secrets();
    assert_eq!(missing(&hanging, &secrets).await, timed_out);
    let begun = Instant::now();
    let state = secrets.keychain_state().await;
    assert!(matches!(state, KeychainState::Failing { .. }), "{state:?}");
    assert!(begun.elapsed() < BOUND);
    // It is bounded for many at once, too.
    let begun = Instant::now();
    let all = tokio::join!(
        hanging.find(&secrets),
        hanging.find(&secrets),
        hanging.find(&secrets),
    );
    assert!(all.0.is_err() && all.1.is_err() && all.2.is_err());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_socket_that_accepts_and_says_nothing_costs_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let place = place(Keychain::SecretService {
        address: format!("unix:path={}", socket.display()),
    });
    let why = missing(&place, &place.secrets()).await;
    assert_eq!(why, Missing::TimedOut { after_ms: 2_000 });
}

#[tokio::test]
async fn a_bus_that_is_a_host_or_a_program_is_not_asked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("ran");
    for address in [
        format!("tcp:host=127.0.0.1,port={port}"),
        format!("unixexec:path=touch,argv1={}", trace.display()),
        String::new(),
    ] {
        let place = place(Keychain::SecretService { address });
        let why = missing(&place, &place.secrets()).await;
        let wanted = "the session bus is no socket of this machine";
        assert_eq!(why, Missing::Absent(wanted.to_owned()));
    }
    let accepted = listener.accept().map(|_| ());
    assert_eq!(accepted.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert!(!trace.exists());
}

#[tokio::test]
async fn no_connection_is_made_before_a_question_and_none_stays() {
    let Some(bus) = bus("connections to the bus") else {
        return;
    };
    let fake = Fake::default();
    let _there = fake.serve(&bus).await;
    let watcher = bus.connect().await;
    let watcher = zbus::fdo::DBusProxy::new(&watcher).await.unwrap();
    let count = async || watcher.list_names().await.unwrap().len();
    let before = count().await;
    let place = place(bus.keychain());
    let secrets = place.secrets();
    assert_eq!(count().await, before);
    missing(&place, &secrets).await;
    // The bus hears of the closed connection on its own time.
    let gone = async {
        while count().await != before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .expect("the connection is closed");
}

#[tokio::test]
async fn a_real_keyring_keeps_a_key_and_is_not_asked_while_locked() {
    let what = "a real keyring";
    let Some(bus) = bus(what) else { return };
    let started = Command::new("gnome-keyring-daemon")
        .args(["--unlock", "--foreground", "--components=secrets"])
        .arg(format!(
            "--control-directory={}",
            bus.folder.path().display()
        ))
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
        .env("HOME", bus.folder.path())
        .env("XDG_DATA_HOME", bus.folder.path().join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut daemon) = started else {
        skip(what, "gnome-keyring-daemon");
        return;
    };
    let mut stdin = daemon.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"password").unwrap();
    drop(stdin);
    let place = place(bus.keychain());
    let secrets = place.secrets();
    let ready = async {
        while secrets.keychain_state().await != KeychainState::Available {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ready)
        .await
        .expect("the keyring opens");

    let kept = secrets.set(&place.name, "real-key".into(), false).await;
    assert_eq!(kept.unwrap(), StoredIn::Keychain);
    let again = place.secrets();
    let found = place.find(&again).await.unwrap();
    assert_eq!(
        (text(&found), &found.source),
        ("real-key", &Source::Keychain)
    );

    let connection = bus.connect().await;
    let service = secret_service::SecretService::connect_with_existing(
        secret_service::EncryptionType::Plain,
        connection,
    );
    let service = service.await.unwrap();
    let collection = service.get_default_collection().await.unwrap();
    collection.lock().await.unwrap();
    let locked = place.secrets();
    assert_eq!(missing(&place, &locked).await, Missing::Locked);
    let _ = daemon.kill();
    let _ = daemon.wait();
}
