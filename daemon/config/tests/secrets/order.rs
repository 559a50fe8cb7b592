//! Which place wins, what is cached, and what is said when there is no key.

use std::fs;

use convergio_config::secrets::{Missing, Source, StoredIn};

use crate::support::{Place, text, variable};

#[tokio::test]
async fn the_first_place_that_has_a_key_wins() {
    let mut place = Place::new();
    place.file_allowed = true;
    place.client = variable("MOCK_KEY", "of-the-client");
    place.credential("mock", "of-the-service\n");
    place.key_cmd = Some("printf of-the-command".to_owned());
    place.daemon = variable("MOCK_KEY_2", "of-the-daemon");
    let secrets = place.secrets();
    let kept = secrets.set(&place.name, "of-the-file".into(), true).await;
    assert_eq!(kept.unwrap(), StoredIn::File);

    let mut order = Vec::new();
    for step in 0..6 {
        match place.find(&place.secrets()).await {
            Ok(found) => order.push((found.source.label(), text(&found).to_owned())),
            Err(error) => order.push(("", error.to_string())),
        }
        match step {
            0 => place.client.clear(),
            1 => fs::remove_file(place.credentials_dir().join("mock")).unwrap(),
            2 => place.key_cmd = None,
            3 => place.daemon.clear(),
            _ => place.file_allowed = false,
        }
    }
    let order: Vec<(&str, &str)> = order.iter().map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(
        order,
        [
            ("client_environment", "of-the-client"),
            ("credentials", "of-the-service"),
            ("key_cmd", "of-the-command"),
            ("daemon_environment", "of-the-daemon"),
            ("encrypted_file", "of-the-file"),
            (
                "",
                "no key for the provider \"mock\": $MOCK_KEY of the client not set; \
                 $MOCK_KEY_2 of the client not set; $MOCK_KEY of the daemon not set; \
                 $MOCK_KEY_2 of the daemon not set"
            ),
        ]
    );
}

#[tokio::test]
async fn who_finds_nothing_hears_every_place_and_the_ways_out() {
    let place = Place::new();
    let error = place.find(&place.secrets()).await.unwrap_err();
    assert_eq!(error.env_names, ["MOCK_KEY", "MOCK_KEY_2"]);
    let tried: Vec<(&str, Missing)> = error
        .tried
        .iter()
        .map(|(source, why)| (source.label(), why.clone()))
        .collect();
    assert_eq!(
        tried,
        [
            ("client_environment", Missing::NotSet),
            ("client_environment", Missing::NotSet),
            ("credentials", Missing::NotSet),
            ("keychain", Missing::Off),
            ("key_cmd", Missing::NotConfigured),
            ("daemon_environment", Missing::NotSet),
            ("daemon_environment", Missing::NotSet),
            ("encrypted_file", Missing::Off),
        ]
    );
    assert_eq!(
        error.hint(),
        "export MOCK_KEY=…, or: cv provider set-key mock"
    );
}

#[tokio::test]
async fn what_cannot_be_a_key_is_said_and_the_next_place_is_asked() {
    let mut place = Place::new();
    for bad in ["two\nlines", " canary", "tab\there", "\u{7f}x"] {
        place.client = variable("MOCK_KEY", bad);
        let error = place.find(&place.secrets()).await.unwrap_err();
        assert!(
            matches!(error.tried[0].1, Missing::Unusable(_)),
            "{bad:?}: {error}"
        );
        assert!(!format!("{error} {error:?}").contains(bad));
    }
    place.daemon = variable("MOCK_KEY", "good");
    let found = place.find(&place.secrets()).await.unwrap();
    assert_eq!(text(&found), "good");
    // A line end behind a key is what editors and `echo` leave.
    place.client = variable("MOCK_KEY", "good-too\r\n");
    assert_eq!(
        text(&place.find(&place.secrets()).await.unwrap()),
        "good-too"
    );
    place.client = variable("MOCK_KEY", &"x".repeat(16 * 1024 + 1));
    let error = place.secrets().set(&place.name, "".into(), true).await;
    assert!(error.unwrap_err().to_string().contains("empty"));
}

#[tokio::test]
async fn a_key_is_read_once_until_it_is_forgotten_or_asked_for_otherwise() {
    let mut place = Place::new();
    let count = place.folder.path().join("count");
    place.key_cmd = Some(format!("echo x >> '{0}'; wc -l < '{0}'", count.display()));
    let secrets = place.secrets();
    let both = tokio::join!(place.find(&secrets), place.find(&secrets));
    assert_eq!((text(&both.0.unwrap()), text(&both.1.unwrap())), ("1", "1"));
    assert_eq!(text(&place.find(&secrets).await.unwrap()), "1");
    secrets.forget(&place.name);
    assert_eq!(text(&place.find(&secrets).await.unwrap()), "2");
    // What stands above it is asked each time.
    place.client = variable("MOCK_KEY", "of-the-client");
    assert_eq!(text(&place.find(&secrets).await.unwrap()), "of-the-client");
    place.client.clear();
    place.key_cmd = Some("echo other".to_owned());
    assert_eq!(text(&place.find(&secrets).await.unwrap()), "other");
}

#[tokio::test]
async fn redactors_know_a_key_for_as_long_as_somebody_holds_it() {
    let mut place = Place::new();
    place.client = variable("MOCK_KEY", "canary-of-the-client");
    let secrets = place.secrets();
    assert!(secrets.redactor().is_empty());
    let found = place.find(&secrets).await.unwrap();
    assert_eq!(
        found.source,
        Source::ClientEnvironment {
            name: "MOCK_KEY".to_owned()
        }
    );
    let line = "it said canary-of-the-client, twice: canary-of-the-client";
    assert_eq!(secrets.redactor().redact(line), "it said •••, twice: •••");
    let shown = format!("{found:?} {secrets:?} {:?}", place.client);
    assert!(!shown.contains("canary"), "{shown}");
    drop(found);
    assert!(secrets.redactor().is_empty());
    let known = secrets.know(&"canary-2-canary".into());
    assert_eq!(secrets.redactor().redact("canary-2-canary"), "•••");
    drop(known);
    // What is kept for the next question stays known.
    place.client.clear();
    place.key_cmd = Some("echo canary-of-the-command".to_owned());
    drop(place.find(&secrets).await.unwrap());
    assert!(!secrets.redactor().is_empty());
    secrets.forget(&place.name);
    assert!(secrets.redactor().is_empty());
}

#[tokio::test]
async fn without_keychain_and_file_a_key_is_not_kept_and_the_ways_out_are_told() {
    let place = Place::new();
    let secrets = place.secrets();
    let refused = secrets
        .set(&place.name, "canary-canary".into(), false)
        .await;
    let refused = refused.unwrap_err();
    assert!(!place.file().exists());
    assert!(!format!("{refused} {refused:?}").contains("canary"));
    for way in ["export", "key_cmd", "cv config set secrets.file true"] {
        assert!(refused.hint().contains(way), "{}", refused.hint());
    }
    assert_eq!(secrets.remove(&place.name).await.unwrap(), []);
}
