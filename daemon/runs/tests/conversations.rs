//! Conversations, templates, and what left the machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "used in part here, in full by other tests")]
mod support;

use std::path::{Path, PathBuf};

use convergio_runs::{
    EgressFilter, MESSAGE_BYTES_MAX, MessageRole, NewEgress, NewMessage, NewSession, NewTemplate,
    Retention, RunKind, Runs, RunsError, SessionFilter, TEMPLATE_BYTES_MAX, append_message,
    create_session, delete_session, egress_by_destination, egress_of_run, egress_totals,
    get_session, get_template, latest_session, list_egress, list_sessions, list_templates,
    local_profile, messages, record_egress, remove_template, save_template,
};
use convergio_store::{Connection, Store, StoreOptions, Tx};
use support::{ending, finding, new_run};
use tempfile::TempDir;
use uuid::Uuid;

async fn open() -> (TempDir, Runs, Uuid) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions::new(&home.path().join("data"))).unwrap();
    let runs = Runs::new(store, Retention::default()).await.unwrap();
    let tenant = runs.tenant();
    let profile = runs
        .store()
        .read("profile", move |conn| local_profile(conn, tenant))
        .await
        .unwrap();
    (home, runs, profile)
}

async fn write<T: Send + 'static>(
    runs: &Runs,
    f: impl FnOnce(&Tx<'_>) -> Result<T, RunsError> + Send + 'static,
) -> Result<T, RunsError> {
    runs.store().write("test", f).await
}

async fn begin(runs: &Runs, profile_id: Uuid, root: Option<&str>, now_ms: i64) -> Uuid {
    let tenant = runs.tenant();
    let new = NewSession {
        id: Uuid::now_v7(),
        profile_id,
        root: root.map(Into::into),
        title: Some("hello".into()),
        agent: None,
    };
    write(runs, move |tx| create_session(tx, tenant, &new, now_ms))
        .await
        .unwrap()
        .id
}

fn said(role: MessageRole, body: &str, run_id: Option<Uuid>) -> NewMessage {
    NewMessage {
        id: Uuid::now_v7(),
        role,
        body: body.into(),
        model: None,
        recipient: None,
        run_id,
    }
}

async fn say(
    runs: &Runs,
    session: Uuid,
    message: NewMessage,
    now_ms: i64,
) -> Result<u64, RunsError> {
    let tenant = runs.tenant();
    write(runs, move |tx| {
        append_message(tx, tenant, session, &message, now_ms)
    })
    .await
}

async fn latest(runs: &Runs, root: &'static str) -> Option<Uuid> {
    let tenant = runs.tenant();
    runs.store()
        .read("latest", move |conn| latest_session(conn, tenant, root))
        .await
        .unwrap()
        .map(|session| session.id)
}

#[tokio::test]
async fn a_folder_continues_its_latest_conversation() {
    let (_home, runs, profile) = open().await;
    let tenant = runs.tenant();
    assert_eq!(latest(&runs, "/a").await, None);
    let first = begin(&runs, profile, Some("/a"), 1).await;
    let second = begin(&runs, profile, Some("/a"), 2).await;
    let elsewhere = begin(&runs, profile, Some("/b"), 3).await;
    let nowhere = begin(&runs, profile, None, 4).await;
    assert_eq!(latest(&runs, "/a").await, Some(second));
    // The last one spoken in, not the last one begun.
    say(&runs, first, said(MessageRole::User, "again", None), 5)
        .await
        .unwrap();
    assert_eq!(latest(&runs, "/a").await, Some(first));

    let mut seen = Vec::new();
    let mut filter = SessionFilter {
        limit: 3,
        ..SessionFilter::default()
    };
    loop {
        let asked = filter.clone();
        let page = runs
            .store()
            .read("list", move |conn| list_sessions(conn, tenant, &asked))
            .await
            .unwrap();
        seen.extend(page.sessions.iter().map(|session| session.id));
        let Some(next) = page.next else { break };
        filter.cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen, [first, nowhere, elsewhere, second]);
}

#[tokio::test]
async fn messages_have_numbers_without_a_gap() {
    let (_home, runs, profile) = open().await;
    let tenant = runs.tenant();
    let session = begin(&runs, profile, None, 1).await;
    for seq in 1..=5 {
        let role = if seq % 2 == 1 {
            MessageRole::User
        } else {
            MessageRole::Assistant
        };
        let message = said(role, &format!("m{seq}"), None);
        assert_eq!(
            say(&runs, session, message, seq).await.unwrap(),
            seq.unsigned_abs()
        );
        // What fails leaves no number behind.
        let long = said(role, &"x".repeat(MESSAGE_BYTES_MAX + 1), None);
        assert!(matches!(
            say(&runs, session, long, seq).await,
            Err(RunsError::TooLarge { .. })
        ));
        let lost = said(role, "x", Some(Uuid::now_v7()));
        assert!(matches!(
            say(&runs, session, lost, seq).await,
            Err(RunsError::NotFound { .. })
        ));
    }
    let last = runs
        .store()
        .read("messages", move |conn| messages(conn, tenant, session, 3))
        .await
        .unwrap();
    let shown: Vec<_> = last
        .iter()
        .map(|m| (m.seq, m.body.as_str(), m.role))
        .collect();
    assert_eq!(
        shown,
        [
            (3, "m3", MessageRole::User),
            (4, "m4", MessageRole::Assistant),
            (5, "m5", MessageRole::User)
        ]
    );
    assert_eq!(last[1].parent_id, Some(last[0].id));
    let found = runs
        .store()
        .read("session", move |conn| get_session(conn, tenant, session))
        .await
        .unwrap();
    assert_eq!(
        (found.messages, found.active_ms, found.created_ms),
        (5, 5, 1)
    );
    let unknown = say(&runs, Uuid::now_v7(), said(MessageRole::User, "x", None), 1).await;
    assert!(matches!(
        unknown,
        Err(RunsError::NotFound {
            what: "session",
            ..
        })
    ));
    // An id begins one conversation.
    let again = NewSession {
        id: session,
        profile_id: profile,
        root: None,
        title: None,
        agent: None,
    };
    let again = write(&runs, move |tx| create_session(tx, tenant, &again, 1)).await;
    assert!(matches!(again, Err(RunsError::Conflict { .. })));
}

/// The store's files that hold a text.
fn holding(home: &Path, text: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(home.join("data")).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
        .collect()
}

#[tokio::test]
async fn a_deleted_conversation_leaves_nothing_in_any_file() {
    const CANARY: &str = "canary-7f3a9";
    let (home, runs, profile) = open().await;
    let tenant = runs.tenant();
    let session = begin(&runs, profile, Some("/a"), 1).await;
    let kept = begin(&runs, profile, Some("/a"), 2).await;
    say(&runs, kept, said(MessageRole::User, "stays", None), 2)
        .await
        .unwrap();
    let mut new = new_run();
    new.kind = RunKind::Chat;
    new.session_id = Some(session);
    let run_id = new.id;
    runs.accept(new).await.unwrap();
    for seq in 3..=203 {
        let message = said(MessageRole::User, &format!("{CANARY} {seq}"), Some(run_id));
        say(&runs, session, message, seq).await.unwrap();
    }
    runs.append(run_id, vec![finding(run_id, 1)]).await.unwrap();
    assert_ne!(holding(home.path(), CANARY), Vec::<PathBuf>::new());
    let running = write(&runs, move |tx| delete_session(tx, tenant, session, 9)).await;
    assert!(matches!(running, Err(RunsError::StillRunning { id }) if id == run_id));
    runs.finish(run_id, ending()).await.unwrap();

    let of_it = write(&runs, move |tx| delete_session(tx, tenant, session, 9))
        .await
        .unwrap();
    assert_eq!(of_it, [run_id]);
    // Gone at once for everybody who asks.
    assert_eq!(latest(&runs, "/a").await, Some(kept));
    assert!(matches!(
        runs.get(run_id).await,
        Err(RunsError::NotFound { .. })
    ));
    let late = say(&runs, session, said(MessageRole::User, "late", None), 9).await;
    assert!(matches!(late, Err(RunsError::NotFound { .. })));
    let again = write(&runs, move |tx| delete_session(tx, tenant, session, 9)).await;
    assert!(matches!(again, Err(RunsError::NotFound { .. })));

    let pruned = runs.prune().await.unwrap();
    assert_eq!((pruned.messages, pruned.sessions, pruned.runs), (201, 1, 1));
    assert_eq!(holding(home.path(), CANARY), Vec::<PathBuf>::new());
    let left = runs
        .store()
        .read("messages", move |conn| messages(conn, tenant, kept, 9))
        .await
        .unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        runs.store().integrity_check().await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn an_ephemeral_run_leaves_no_message() {
    let (_home, runs, profile) = open().await;
    let session = begin(&runs, profile, None, 1).await;
    let mut new = new_run();
    new.kind = RunKind::Chat;
    new.ephemeral = true;
    let run_id = new.id;
    runs.accept(new).await.unwrap();
    let outcome = say(
        &runs,
        session,
        said(MessageRole::User, "secret", Some(run_id)),
        2,
    )
    .await;
    assert!(matches!(outcome, Err(RunsError::Invalid { .. })));
}

fn leaving(run_id: Option<Uuid>, bytes: u64) -> NewEgress {
    NewEgress {
        id: Uuid::now_v7(),
        run_id,
        attempt_id: Some(Uuid::now_v7()),
        destination: "https://api.example.com".into(),
        bytes,
        purpose: "chat".into(),
        redactions: 2,
        policy: "local-first".into(),
        model: Some("example/large".into()),
    }
}

#[tokio::test]
async fn what_left_is_listed_and_outlives_its_run() {
    let (_home, runs, _) = open().await;
    let tenant = runs.tenant();
    let new = new_run();
    let run_id = new.id;
    let first = leaving(Some(run_id), 10);
    // Acceptance and egress are one commit, or none.
    let (again, lost) = (first.clone(), new_run());
    let lost_id = lost.id;
    write(&runs, move |tx| {
        convergio_runs::accept(tx, tenant, &new, 1)?;
        record_egress(tx, tenant, &first, 1)
    })
    .await
    .unwrap();
    let twice = write(&runs, move |tx| {
        convergio_runs::accept(tx, tenant, &lost, 2)?;
        record_egress(tx, tenant, &again, 2)
    })
    .await;
    assert!(twice.is_err());
    assert!(matches!(
        runs.get(lost_id).await,
        Err(RunsError::NotFound { .. })
    ));
    let mut nowhere = leaving(None, 1);
    nowhere.destination.clear();
    let nowhere = write(&runs, move |tx| record_egress(tx, tenant, &nowhere, 2)).await;
    assert!(matches!(nowhere, Err(RunsError::Invalid { .. })));
    for at_ms in 2..=4_i64 {
        let row = leaving(None, at_ms.unsigned_abs());
        write(&runs, move |tx| record_egress(tx, tenant, &row, at_ms))
            .await
            .unwrap();
    }
    let list = |filter: EgressFilter| {
        let runs = runs.clone();
        async move {
            runs.store()
                .read("list", move |conn| list_egress(conn, tenant, &filter))
                .await
                .unwrap()
        }
    };
    let page = list(EgressFilter {
        limit: 3,
        ..EgressFilter::default()
    })
    .await;
    assert_eq!(
        page.rows.iter().map(|row| row.bytes).collect::<Vec<_>>(),
        [4, 3, 2]
    );
    let cursor = page.next.unwrap().to_string().parse().unwrap();
    let page = list(EgressFilter {
        cursor: Some(cursor),
        limit: 3,
        ..EgressFilter::default()
    })
    .await;
    assert_eq!(
        (page.rows.len(), page.rows[0].bytes, page.next),
        (1, 10, None)
    );
    let since = list(EgressFilter {
        since_ms: Some(3),
        limit: 9,
        ..EgressFilter::default()
    })
    .await;
    assert_eq!(since.rows.len(), 2);
    let of_one = EgressFilter {
        run_id: Some(run_id),
        limit: 1,
        ..EgressFilter::default()
    };
    let page = list(of_one).await;
    assert_eq!(
        (page.rows[0].run_id, page.rows[0].bytes),
        (Some(run_id), 10)
    );
    let totals = |since_ms, run_id| {
        let runs = runs.clone();
        async move {
            let read = move |conn: &Connection| egress_totals(conn, tenant, since_ms, run_id);
            runs.store().read("add up", read).await.unwrap()
        }
    };
    let all = totals(None, None).await;
    assert_eq!((all.rows, all.bytes), (4, 4 + 3 + 2 + 10));
    let late = totals(Some(3), None).await;
    assert_eq!(
        (late.rows, late.bytes),
        (2, since.rows.iter().map(|row| row.bytes).sum())
    );
    let of_one = totals(None, Some(run_id)).await;
    assert_eq!((of_one.rows, of_one.bytes, page.next), (1, 10, None));
    let places = runs
        .store()
        .read("add up", move |conn| {
            egress_by_destination(conn, tenant, None, None)
        })
        .await
        .unwrap();
    let sum = places.iter().map(|(_, totals)| totals.bytes).sum::<u64>();
    assert_eq!(sum, 19);
    let of_one = runs
        .store()
        .read("add up", move |conn| {
            egress_by_destination(conn, tenant, None, Some(run_id))
        })
        .await
        .unwrap();
    let rows: Vec<(u64, u64)> = of_one.iter().map(|(_, t)| (t.rows, t.bytes)).collect();
    assert_eq!(rows, [(1, 10)]);

    runs.finish(run_id, ending()).await.unwrap();
    // Rows of 1970 are long past what is kept.
    let of_run = |runs: Runs| async move {
        runs.store()
            .read("of run", move |conn| egress_of_run(conn, tenant, run_id))
            .await
            .unwrap()
    };
    let rows = of_run(runs.clone()).await;
    assert_eq!((rows.len(), rows[0].redactions, rows[0].at_ms), (1, 2, 1));
    let kept = leaving(Some(run_id), 77);
    let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    write(&runs, move |tx| record_egress(tx, tenant, &kept, now_ms))
        .await
        .unwrap();
    let pruned = runs.delete(run_id).await.unwrap();
    assert_eq!((pruned.runs, pruned.egress), (1, 4));
    let rows = of_run(runs.clone()).await;
    assert_eq!(rows.iter().map(|row| row.bytes).collect::<Vec<_>>(), [77]);
}

#[tokio::test]
async fn templates_give_back_what_they_replace() {
    let (_home, runs, _) = open().await;
    let tenant = runs.tenant();
    let save = |name: &str, prompt: &str| {
        let new = NewTemplate {
            name: name.into(),
            system: None,
            prompt: prompt.into(),
            model: (prompt == "one").then(|| "mock/large".into()),
        };
        let runs = runs.clone();
        async move { write(&runs, move |tx| save_template(tx, tenant, &new, 1)).await }
    };
    assert_eq!(save("explain", "one").await.unwrap(), None);
    let former = save("explain", "two").await.unwrap().unwrap();
    assert_eq!(former.prompt, "one");
    assert_eq!(former.model.as_deref(), Some("mock/large"));
    save("a.b-c_9", "three").await.unwrap();
    for name in ["", ".", "-x", "../x", "a b", "a/b", "é", &"x".repeat(65)] {
        let refused = save(name, "x").await;
        assert!(
            matches!(refused, Err(RunsError::Invalid { .. })),
            "{name:?}"
        );
    }
    // Three of the largest and a little are within the bound, one more is not.
    let large = "x".repeat(TEMPLATE_BYTES_MAX);
    for name in ["l1", "l2", "l3"] {
        save(name, &large).await.unwrap();
    }
    let refused = save("l4", &large).await;
    assert!(matches!(refused, Err(RunsError::TooLarge { .. })));
    // Replacing counts what is replaced no more.
    save("l3", &large).await.unwrap();
    for name in ["l1", "l2", "l3"] {
        write(&runs, move |tx| remove_template(tx, tenant, name))
            .await
            .unwrap();
    }
    let all = runs
        .store()
        .read("list", move |conn| list_templates(conn, tenant))
        .await
        .unwrap();
    let names: Vec<_> = all.iter().map(|template| template.name.as_str()).collect();
    assert_eq!(names, ["a.b-c_9", "explain"]);
    let removed = write(&runs, move |tx| remove_template(tx, tenant, "explain"))
        .await
        .unwrap();
    let removed = removed.unwrap();
    assert_eq!((removed.prompt.as_str(), removed.model), ("two", None));
    assert_eq!(
        write(&runs, move |tx| remove_template(tx, tenant, "explain"))
            .await
            .unwrap(),
        None
    );
    let gone = runs
        .store()
        .read("get", move |conn| get_template(conn, tenant, "explain"))
        .await
        .unwrap();
    assert_eq!(gone, None);
}
