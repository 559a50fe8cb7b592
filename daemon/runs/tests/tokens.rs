//! Tokens of the gateway.

use std::collections::BTreeMap;

use convergio_runs::{
    NewToken, Retention, Runs, RunsError, create_token, find_token, list_tokens,
    revoke_bound_tokens, revoke_token, touch_token,
};
use convergio_store::{Store, StoreOptions, Tx};
use uuid::Uuid;

type Work = Box<dyn FnOnce(&Tx<'_>) -> Result<(), RunsError> + Send>;

fn new(name: &str, byte: u8) -> NewToken {
    NewToken {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        hash: [byte; 32],
        client: "tool".to_owned(),
        root: Some("/r".to_owned()),
        models: Some(vec!["a/x".to_owned()]),
        map: BTreeMap::from([("*".to_owned(), "a/x".to_owned())]),
        policy: Some("local-only".to_owned()),
        bound: false,
        expires_ms: Some(1_000),
    }
}

#[tokio::test]
async fn a_token_is_found_by_its_hash_until_it_ends_and_its_name_is_never_given_twice() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions::new(&home.path().join("data"))).unwrap();
    let runs = Runs::new(store, Retention::default()).await.unwrap();
    let tenant = runs.tenant();
    let write = async |work: Work| runs.store().write("test", work).await;
    let find = async |byte: u8| {
        let read = runs
            .store()
            .read("test", move |conn| find_token(conn, tenant, [byte; 32]));
        read.await.unwrap()
    };
    let (one, other) = (new("one", 1), new("other", 2));
    let bound = NewToken {
        bound: true,
        expires_ms: None,
        models: None,
        ..new("bound", 3)
    };
    let kept = one.clone();
    write(Box::new(move |tx| {
        assert!(create_token(tx, tenant, &kept, 10)?);
        assert!(create_token(tx, tenant, &other, 11)?);
        assert!(create_token(tx, tenant, &bound, 12)?);
        assert!(!create_token(tx, tenant, &new("one", 9), 13)?);
        Ok(())
    }))
    .await
    .unwrap();
    let found = find(1).await.unwrap();
    assert_eq!(found.token, one);
    assert!(found.is_good(999) && !found.is_good(1_000));
    assert!(find(9).await.is_none());

    let id = one.id;
    write(Box::new(move |tx| {
        touch_token(tx, tenant, id, 100_000)?;
        touch_token(tx, tenant, id, 100_001)?;
        assert!(revoke_token(tx, tenant, "nobody", 5)?.is_none());
        let before = revoke_token(tx, tenant, "one", 500)?.unwrap();
        assert_eq!(before.revoked_ms, None);
        assert_eq!(
            revoke_token(tx, tenant, "one", 600)?.unwrap().revoked_ms,
            Some(500)
        );
        assert_eq!(revoke_bound_tokens(tx, tenant, 700)?, 1);
        assert_eq!(revoke_bound_tokens(tx, tenant, 701)?, 0);
        assert!(!create_token(tx, tenant, &new("one", 9), 800)?);
        Ok(())
    }))
    .await
    .unwrap();
    let found = find(1).await.unwrap();
    assert_eq!(found.last_used_ms, Some(100_000));
    assert!(!found.is_good(20));
    let listed = runs
        .store()
        .read("test", move |conn| list_tokens(conn, tenant, 20));
    let names: Vec<String> = listed
        .await
        .unwrap()
        .into_iter()
        .map(|token| token.token.name)
        .collect();
    assert_eq!(names, ["other", "bound", "one"]);
}

#[tokio::test]
async fn no_other_names_are_taken() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions::new(&home.path().join("data"))).unwrap();
    let runs = Runs::new(store, Retention::default()).await.unwrap();
    let tenant = runs.tenant();
    for name in ["", "-x", "a b", "a/b", "ü", &"x".repeat(65)] {
        let token = new(name, 1);
        let refused = runs
            .store()
            .write("test", move |tx| create_token(tx, tenant, &token, 1))
            .await;
        assert!(
            matches!(refused, Err(RunsError::Invalid { .. })),
            "{name:?}"
        );
    }
}
