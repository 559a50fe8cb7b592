//! Answers that are kept to be given again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::UNIX_EPOCH;

use convergio_runs::{
    ANSWER_BYTES_MAX, Ending, EventType, NewAnswer, NewRun, NewSession, Retention, RunKind, Runs,
    RunsError, accept, create_session, delete_session, finish, keep_answer, kept_answer,
    local_profile, use_answer,
};
use convergio_store::{Store, StoreOptions, Tx};
use uuid::Uuid;

struct Kept {
    runs: Runs,
    _home: tempfile::TempDir,
}

impl Kept {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreOptions::new(&home.path().join("data"))).unwrap();
        let runs = Runs::new(store, Retention::default()).await.unwrap();
        Self { runs, _home: home }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, RunsError> + Send + 'static,
    ) -> T {
        self.runs.store().write("test", work).await.unwrap()
    }

    async fn body(&self, key: u8, now_ms: i64) -> Option<String> {
        let tenant = self.runs.tenant();
        let read = self.runs.store().read("test", move |conn| {
            kept_answer(conn, tenant, &[key; 32], now_ms)
        });
        read.await.unwrap()
    }

    /// An ended run, in a conversation where one is named.
    async fn run(&self, session_id: Option<Uuid>) -> Uuid {
        let (id, tenant) = (Uuid::now_v7(), self.runs.tenant());
        let retention = Retention::default();
        // The sweep goes by the real clock.
        let now_ms = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        self.write(move |tx| {
            let new = NewRun {
                id,
                kind: RunKind::Chat,
                session_id,
                root: None,
                selection: None,
                base_sha: None,
                request_hash: [0; 32],
                idempotency_key: None,
                ephemeral: false,
            };
            accept(tx, tenant, &new, now_ms)?;
            let ending = Ending {
                event_type: EventType::Completed,
                outcome: "complete".to_owned(),
                payload: serde_json::value::RawValue::from_string("{}".to_owned()).unwrap(),
            };
            finish(tx, id, &ending, now_ms, &retention)
        })
        .await;
        id
    }

    async fn keep(&self, new: NewAnswer, now_ms: i64) -> bool {
        let tenant = self.runs.tenant();
        self.write(move |tx| keep_answer(tx, tenant, &new, now_ms))
            .await
    }
}

fn answer(key: u8, run_id: Uuid, bytes: usize) -> NewAnswer {
    NewAnswer {
        key: [key; 32],
        run_id,
        session_id: None,
        body: "x".repeat(bytes),
        ttl_ms: 1_000,
        total_max_bytes: 100,
    }
}

#[tokio::test]
async fn an_answer_is_given_until_it_expires_and_the_least_used_make_room() {
    let kept = Kept::new().await;
    let run = kept.run(None).await;
    assert!(kept.keep(answer(1, run, 40), 10).await);
    assert!(kept.keep(answer(2, run, 40), 11).await);
    let tenant = kept.runs.tenant();
    kept.write(move |tx| use_answer(tx, tenant, &[1; 32], 12))
        .await;
    assert!(kept.keep(answer(3, run, 40), 13).await);
    assert!(kept.body(1, 14).await.is_some(), "it was used last");
    assert!(kept.body(2, 14).await.is_none(), "it made room");
    assert!(kept.body(3, 14).await.is_some());
    assert!(kept.body(3, 1_013).await.is_none(), "its time is over");
    assert!(
        !kept.keep(answer(4, run, 101), 15).await,
        "larger than all may be"
    );
    let large = NewAnswer {
        total_max_bytes: i64::MAX,
        ..answer(4, run, ANSWER_BYTES_MAX + 1)
    };
    assert!(!kept.keep(large, 15).await);
}

#[tokio::test]
async fn an_answer_goes_with_its_run_and_with_its_conversation() {
    let kept = Kept::new().await;
    let (session_id, tenant) = (Uuid::now_v7(), kept.runs.tenant());
    kept.write(move |tx| {
        let session = NewSession {
            id: session_id,
            profile_id: local_profile(tx, tenant)?,
            root: None,
            title: None,
            agent: None,
        };
        create_session(tx, tenant, &session, 1)
    })
    .await;
    let (alone, within) = (kept.run(None).await, kept.run(Some(session_id)).await);
    assert!(kept.keep(answer(1, alone, 10), 10).await);
    let of_session = NewAnswer {
        session_id: Some(session_id),
        ttl_ms: i64::MAX,
        ..answer(2, within, 10)
    };
    assert!(kept.keep(of_session, 10).await);
    kept.runs.delete(alone).await.unwrap();
    assert!(kept.body(1, 11).await.is_none());
    assert!(kept.body(2, 11).await.is_some());
    kept.write(move |tx| delete_session(tx, tenant, session_id, 12))
        .await;
    assert!(
        kept.body(2, 13).await.is_none(),
        "at once, before anything is swept"
    );
}
