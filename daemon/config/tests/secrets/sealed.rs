//! The encrypted file: what it keeps, what it refuses, and what it is worth.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use convergio_config::secrets::{FileState, KeyName, Missing, Protection, StoredIn};

use crate::support::{Place, text};

const CANARY: &str = "canary-0123456789";

fn place() -> Place {
    let mut place = Place::new();
    place.file_allowed = true;
    place
}

#[expect(
    clippy::unwrap_used,
    reason = "a file that is not there must fail the test"
)]
fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn keys_are_kept_private_and_unreadable_and_removed() {
    let place = place();
    let secrets = place.secrets();
    assert_eq!(secrets.file_state().await, FileState::Absent);
    let other = KeyName::new("other").unwrap();
    for (name, key) in [(&place.name, CANARY), (&other, "second-key")] {
        let kept = secrets.set(name, key.into(), true).await.unwrap();
        assert_eq!(kept, StoredIn::File);
    }
    let (file, key) = (place.file(), place.file().with_extension("key"));
    assert_eq!((mode(&file), mode(&key)), (0o600, 0o600));
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    let content = fs::read_to_string(&file).unwrap();
    assert!(!content.contains("canary") && !content.contains("second"));
    assert_eq!(
        secrets.file_state().await,
        FileState::Present {
            protection: Protection::KeyFile,
            keys: 2
        }
    );
    // Another start of the daemon.
    let again = place.secrets();
    assert_eq!(text(&place.find(&again).await.unwrap()), CANARY);
    again
        .set(&place.name, "changed-key".into(), true)
        .await
        .unwrap();
    assert_eq!(text(&place.find(&again).await.unwrap()), "changed-key");
    assert_eq!(again.remove(&place.name).await.unwrap(), [StoredIn::File]);
    assert_eq!(again.remove(&place.name).await.unwrap(), []);
    let error = place.find(&again).await.unwrap_err();
    assert_eq!(error.tried.last().unwrap().1, Missing::NoItem);
    assert!(
        error
            .to_string()
            .contains("encrypted file has no key for it")
    );
}

#[tokio::test]
async fn a_file_that_is_not_allowed_is_not_read() {
    let mut place = place();
    let secrets = place.secrets();
    secrets.set(&place.name, CANARY.into(), true).await.unwrap();
    place.file_allowed = false;
    let error = place.find(&secrets).await.unwrap_err();
    assert_eq!(error.tried.last().unwrap().1, Missing::Off);
}

#[tokio::test]
async fn with_a_passphrase_the_file_is_worth_nothing_without_it() {
    let place = place();
    place.credential("convergio-passphrase", "correct horse\n");
    let secrets = place.secrets();
    secrets.set(&place.name, CANARY.into(), true).await.unwrap();
    assert!(!place.file().with_extension("key").exists());
    assert_eq!(
        secrets.file_state().await,
        FileState::Present {
            protection: Protection::Passphrase,
            keys: 1
        }
    );
    assert_eq!(text(&place.find(&place.secrets()).await.unwrap()), CANARY);
    place.credential("convergio-passphrase", "wrong horse\n");
    let error = place.find(&place.secrets()).await.unwrap_err();
    assert!(error.to_string().contains("does not fit"), "{error}");
    fs::remove_file(place.credentials_dir().join("convergio-passphrase")).unwrap();
    let error = place.find(&place.secrets()).await.unwrap_err();
    assert!(
        error.to_string().contains("convergio-passphrase"),
        "{error}"
    );
    // Nor is it written over by somebody who could not read it.
    let refused = place
        .secrets()
        .set(&place.name, "new-key".into(), true)
        .await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn what_others_could_read_or_change_is_refused() {
    let place = place();
    let secrets = place.secrets();
    secrets.set(&place.name, CANARY.into(), true).await.unwrap();
    for path in [place.file(), place.file().with_extension("key")] {
        for wrong in [0o644, 0o640, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(wrong)).unwrap();
            let error = place.find(&place.secrets()).await.unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
            assert!(matches!(
                secrets.file_state().await,
                FileState::Broken { .. }
            ));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    place.find(&place.secrets()).await.unwrap();
    let moved = place.folder.path().join("moved");
    fs::rename(place.file(), &moved).unwrap();
    std::os::unix::fs::symlink(&moved, place.file()).unwrap();
    let error = place.find(&place.secrets()).await.unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[tokio::test]
async fn no_damage_goes_unseen_and_none_is_written_over() {
    let place = place();
    let secrets = place.secrets();
    secrets.set(&place.name, CANARY.into(), true).await.unwrap();
    let good = fs::read_to_string(place.file()).unwrap();
    let document: serde_json::Value = serde_json::from_str(&good).unwrap();
    let sealed = document["sealed"].as_str().unwrap();
    let mut flipped = sealed.to_owned();
    let first = if flipped.starts_with('A') { "B" } else { "A" };
    flipped.replace_range(..1, first);
    let nonce = document["nonce"].as_str().unwrap();
    for bad in [
        String::new(),
        "{}".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replace("\"version\": 1", "\"version\": 2"),
        good.replace(sealed, &flipped),
        good.replace(sealed, "%%%"),
        good.replace(nonce, "AAAA"),
        good.replace("key_file", "passphrase"),
    ] {
        assert_ne!(bad, good);
        fs::write(place.file(), &bad).unwrap();
        let error = place.find(&place.secrets()).await.unwrap_err();
        assert!(
            matches!(error.tried.last().unwrap().1, Missing::Failed(_)),
            "{bad}: {error}"
        );
        assert!(
            secrets
                .set(&place.name, "new-key".into(), true)
                .await
                .is_err()
        );
        assert!(secrets.remove(&place.name).await.is_err());
        assert_eq!(fs::read_to_string(place.file()).unwrap(), bad);
    }
    fs::write(place.file(), &good).unwrap();
    let key = place.file().with_extension("key");
    fs::write(&key, [7; 32]).unwrap();
    assert!(place.find(&place.secrets()).await.is_err());
    fs::remove_file(&key).unwrap();
    let error = place.find(&place.secrets()).await.unwrap_err();
    assert!(error.to_string().contains("is not there"), "{error}");
}

#[tokio::test]
async fn many_changes_at_once_all_stand() {
    let place = place();
    let secrets = place.secrets();
    let names: Vec<KeyName> = (0..8)
        .map(|n| KeyName::new(&format!("p{n}")).unwrap())
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for name in &names {
        let (secrets, name) = (secrets.clone(), name.clone());
        tasks.spawn(async move { secrets.set(&name, CANARY.into(), true).await.unwrap() });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(
        secrets.file_state().await,
        FileState::Present {
            protection: Protection::KeyFile,
            keys: 8
        }
    );
}
