//! Runs as the daemon uses them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use convergio_runs::{
    Accepted, Ending, EventType, ListFilter, NewEvent, NewRun, NewSilence, NewUndo, Retention,
    RunCursor, RunKind, RunState, Runs, RunsError, UndoState,
};
use convergio_store::{Store, StoreOptions};
use serde_json::value::RawValue;
use tempfile::TempDir;
use uuid::Uuid;

async fn runs_with(retention: Retention) -> (TempDir, Runs) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions::new(&home.path().join("data"))).unwrap();
    (home, Runs::new(store, retention).await.unwrap())
}

async fn runs() -> (TempDir, Runs) {
    runs_with(Retention::default()).await
}

fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

fn review(hash: u8) -> NewRun {
    NewRun {
        id: Uuid::now_v7(),
        kind: RunKind::Review,
        session_id: None,
        root: Some("/home/ada/shop".into()),
        selection: Some("HEAD".into()),
        base_sha: Some("abc".into()),
        request_hash: [hash; 32],
        idempotency_key: None,
        ephemeral: false,
    }
}

fn event(event_type: EventType, payload: &str) -> NewEvent {
    NewEvent {
        event_type,
        payload: json(payload),
    }
}

fn finding(n: usize) -> NewEvent {
    event(EventType::Finding, &format!("{{\"n\":{n}}}"))
}

fn ending(event_type: EventType, outcome: &str) -> Ending {
    Ending {
        event_type,
        outcome: outcome.into(),
        payload: json("{}"),
    }
}

async fn reviewed(runs: &Runs, new: NewRun, findings: usize) -> Uuid {
    let id = new.id;
    runs.accept_with(new, vec![event(EventType::Started, "{}")])
        .await
        .unwrap();
    runs.finish_with(
        id,
        (0..findings).map(finding).collect(),
        ending(EventType::Completed, "complete"),
    )
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn a_run_from_start_to_end() {
    let (_home, runs) = runs().await;
    let new = review(1);
    let id = new.id;
    let (accepted, seq) = runs
        .accept_with(new, vec![event(EventType::Started, r#"{"a":"è"}"#)])
        .await
        .unwrap();
    assert!(matches!(accepted, Accepted::New(run) if run.state == RunState::Running));
    assert_eq!(seq, 1);
    assert_eq!(
        runs.append(id, vec![finding(1), finding(2)]).await.unwrap(),
        3
    );
    let end = ending(EventType::Completed, "complete");
    assert_eq!(runs.finish(id, end).await.unwrap(), 4);

    let run = runs.get(id).await.unwrap();
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(run.outcome.as_deref(), Some("complete"));
    assert!(run.expires_ms.unwrap() - run.ended_ms.unwrap() == 7 * 86_400_000);
    let page = runs.events(id, 0, 100).await.unwrap();
    assert!(!page.more);
    let seen: Vec<_> = page
        .events
        .iter()
        .map(|e| (e.seq, e.event_type.as_str(), e.payload.get()))
        .collect();
    assert_eq!(
        seen,
        [
            (1, "started", r#"{"a":"è"}"#),
            (2, "finding", r#"{"n":1}"#),
            (3, "finding", r#"{"n":2}"#),
            (4, "completed", "{}"),
        ]
    );
    let page = runs.events(id, 1, 2).await.unwrap();
    assert!(page.more);
    assert_eq!(page.events.len(), 2);
    assert_eq!(page.events[0].seq, 2);

    for refused in [
        runs.append(id, vec![finding(3)]).await,
        runs.append(id, vec![]).await,
        runs.finish(id, ending(EventType::Cancelled, "by_user"))
            .await,
    ] {
        assert!(
            matches!(
                refused,
                Err(RunsError::Ended {
                    state: RunState::Completed,
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    assert_eq!(runs.events(id, 0, 100).await.unwrap().events.len(), 4);
}

#[tokio::test]
async fn the_same_request_replays_and_another_conflicts() {
    let (_home, runs) = runs().await;
    let mut first = review(1);
    first.idempotency_key = Some("key".into());
    let id = first.id;
    assert!(matches!(
        runs.accept(first.clone()).await.unwrap(),
        Accepted::New(_)
    ));
    assert!(
        matches!(runs.accept(first.clone()).await.unwrap(), Accepted::Replay(run) if run.id == id)
    );

    let mut same_key = first.clone();
    same_key.id = Uuid::now_v7();
    assert!(matches!(runs.accept(same_key).await.unwrap(), Accepted::Replay(run) if run.id == id));

    let mut other_hash = first.clone();
    other_hash.request_hash = [2; 32];
    let error = runs.accept(other_hash.clone()).await.unwrap_err();
    assert!(
        matches!(error, RunsError::Conflict { what: "run id", .. }),
        "{error}"
    );
    other_hash.id = Uuid::now_v7();
    let error = runs.accept(other_hash).await.unwrap_err();
    assert!(
        matches!(
            error,
            RunsError::Conflict {
                what: "idempotency key",
                ..
            }
        ),
        "{error}"
    );

    let second = review(1);
    runs.accept(second.clone()).await.unwrap();
    let mut crossed = second;
    crossed.idempotency_key = Some("key".into());
    let error = runs.accept(crossed).await.unwrap_err();
    assert!(
        matches!(
            error,
            RunsError::Conflict {
                what: "idempotency key",
                ..
            }
        ),
        "{error}"
    );

    let page = runs
        .list(ListFilter {
            limit: 10,
            ..ListFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(page.runs.len(), 2);
}

#[tokio::test]
async fn what_is_too_large_or_odd_is_refused() {
    let (_home, runs) = runs().await;
    let mut new = review(1);
    new.id = Uuid::nil();
    assert!(matches!(
        runs.accept(new).await,
        Err(RunsError::Invalid { what: "run_id", .. })
    ));
    let mut new = review(1);
    new.root = Some("x".repeat(4097));
    assert!(matches!(
        runs.accept(new).await,
        Err(RunsError::TooLarge { .. })
    ));
    let mut new = review(1);
    new.session_id = Some(Uuid::now_v7());
    assert!(matches!(
        runs.accept(new).await,
        Err(RunsError::NotFound {
            what: "session",
            ..
        })
    ));

    let new = review(1);
    let id = new.id;
    runs.accept(new).await.unwrap();
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    for (refused, what) in [
        (event(EventType::Finding, &large), "large"),
        (event(EventType::Finding, "[1,\n2]"), "lines"),
        (event(EventType::Completed, "{}"), "terminal"),
    ] {
        let outcome = runs.append(id, vec![finding(1), refused]).await;
        assert!(
            matches!(
                outcome,
                Err(RunsError::TooLarge { .. } | RunsError::Invalid { .. })
            ),
            "{what}"
        );
    }
    for bad in [
        ending(EventType::Finding, "complete"),
        ending(EventType::Failed, "Not a slug"),
    ] {
        assert!(matches!(
            runs.finish(id, bad).await,
            Err(RunsError::Invalid { .. })
        ));
    }
    let unknown = Uuid::now_v7();
    assert!(matches!(
        runs.append(unknown, vec![]).await,
        Err(RunsError::NotFound { .. })
    ));
    assert!(matches!(
        runs.get(unknown).await,
        Err(RunsError::NotFound { .. })
    ));
    assert!(runs.events(id, 0, 10).await.unwrap().events.is_empty());
    assert_eq!(runs.get(id).await.unwrap().state, RunState::Running);
}

#[tokio::test]
async fn large_payloads_make_short_pages() {
    let (_home, runs) = runs().await;
    let new = review(1);
    let id = new.id;
    runs.accept(new).await.unwrap();
    let large = format!("\"{}\"", "x".repeat(900_000));
    let events = (0..12).map(|_| event(EventType::Message, &large)).collect();
    runs.append(id, events).await.unwrap();
    let (mut after, mut pages) = (0, 0);
    loop {
        let page = runs.events(id, after, 1_000).await.unwrap();
        assert!(page.events.len() <= 5);
        after = page.events.last().unwrap().seq;
        pages += 1;
        if !page.more {
            break;
        }
    }
    assert_eq!((after, pages), (12, 3));
}

#[tokio::test]
async fn lists_go_from_new_to_old_in_pages() {
    let (_home, runs) = runs().await;
    let mut ids = Vec::new();
    for n in 0..25_u8 {
        let mut new = review(n);
        if n % 5 == 0 {
            new.kind = RunKind::Chat;
        }
        ids.push(new.id);
        runs.accept(new).await.unwrap();
    }
    runs.finish(ids[24], ending(EventType::Cancelled, "by_user"))
        .await
        .unwrap();
    let mut seen = Vec::new();
    let mut cursor: Option<RunCursor> = None;
    loop {
        let page = runs
            .list(ListFilter {
                cursor,
                limit: 10,
                ..ListFilter::default()
            })
            .await
            .unwrap();
        seen.extend(page.runs.iter().map(|run| run.id));
        let Some(next) = page.next else { break };
        cursor = Some(next.to_string().parse().unwrap());
    }
    seen.sort();
    assert_eq!(seen, ids);
    let filtered = |state, kind| {
        let runs = runs.clone();
        async move {
            let filter = ListFilter {
                state,
                kind,
                limit: 100,
                ..ListFilter::default()
            };
            runs.list(filter).await.unwrap().runs.len()
        }
    };
    assert_eq!(filtered(None, Some(RunKind::Chat)).await, 5);
    assert_eq!(filtered(Some(RunState::Running), None).await, 24);
    assert_eq!(
        filtered(Some(RunState::Cancelled), Some(RunKind::Chat)).await,
        0
    );
    assert!("nonsense".parse::<RunCursor>().is_err());
}

#[tokio::test]
async fn the_latest_review_is_the_latest_that_ended_here() {
    let (_home, runs) = runs().await;
    let root = || "/home/ada/shop".to_string();
    assert!(runs.latest_review(root(), None).await.unwrap().is_none());
    let old = reviewed(&runs, review(1), 3).await;
    let mut staged = review(2);
    staged.selection = Some("staged".into());
    let staged = reviewed(&runs, staged, 2).await;
    let mut elsewhere = review(3);
    elsewhere.root = Some("/elsewhere".into());
    reviewed(&runs, elsewhere, 1).await;
    let mut unseen = review(4);
    unseen.ephemeral = true;
    reviewed(&runs, unseen, 1).await;
    let failed = review(5);
    let failed_id = failed.id;
    runs.accept(failed).await.unwrap();
    runs.finish(failed_id, ending(EventType::Failed, "internal"))
        .await
        .unwrap();
    runs.accept(review(6)).await.unwrap();

    let (run, findings) = runs.latest_review(root(), None).await.unwrap().unwrap();
    assert_eq!((run.id, findings.len()), (staged, 2));
    let same = runs
        .latest_review(root(), Some("HEAD".into()))
        .await
        .unwrap();
    let (run, findings) = same.unwrap();
    assert_eq!((run.id, findings.len()), (old, 3));
    assert!(
        findings
            .iter()
            .all(|event| event.event_type == EventType::Finding)
    );
}

#[tokio::test]
async fn a_restart_ends_what_was_running() {
    let (home, runs) = runs().await;
    let done = reviewed(&runs, review(1), 1).await;
    let mut left = Vec::new();
    for n in 0..3 {
        let new = review(n);
        left.push(new.id);
        runs.accept_with(new, vec![event(EventType::Started, "{}")])
            .await
            .unwrap();
    }
    runs.store().clone().close().await.unwrap();
    let store = Store::open(&StoreOptions::new(&home.path().join("data"))).unwrap();
    let runs = Runs::new(store, Retention::default()).await.unwrap();
    let mut ended = runs
        .recover(json(r#"{"slug":"interrupted"}"#))
        .await
        .unwrap();
    ended.sort();
    assert_eq!(ended, left);
    for id in left {
        let run = runs.get(id).await.unwrap();
        assert_eq!(
            (run.state, run.outcome.as_deref()),
            (RunState::Failed, Some("interrupted"))
        );
        let events = runs.events(id, 0, 10).await.unwrap().events;
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].event_type, EventType::Failed);
    }
    assert_eq!(runs.get(done).await.unwrap().state, RunState::Completed);
    assert!(runs.recover(json("{}")).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_expires_goes_and_leaves_no_bytes() {
    let (home, keep) = runs().await;
    let mut secret = review(1);
    secret.ephemeral = true;
    let ephemeral = secret.id;
    keep.accept(secret).await.unwrap();
    let canary = "canary-7f3a9";
    keep.finish_with(
        ephemeral,
        (0..700)
            .map(|_| event(EventType::Finding, &format!("\"{canary}\"")))
            .collect(),
        ending(EventType::Completed, "complete"),
    )
    .await
    .unwrap();
    let kept = reviewed(&keep, review(2), 5).await;

    let pruned = keep.prune().await.unwrap();
    assert_eq!((pruned.events, pruned.purged, pruned.runs), (701, 1, 0));
    let row = keep.get(ephemeral).await.unwrap();
    assert!(row.purged_ms.is_some());
    assert!(
        keep.events(ephemeral, 0, 10)
            .await
            .unwrap()
            .events
            .is_empty()
    );
    assert_eq!(keep.events(kept, 0, 10).await.unwrap().events.len(), 7);
    for entry in home.path().join("data").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(canary.len()).any(|w| w == canary.as_bytes());
            assert!(!found, "{} still holds it", path.display());
        }
    }

    let short = Retention {
        content_ms: 0,
        run_ms: 0,
        undo_ms: 0,
    };
    let strict = Runs::new(keep.store().clone(), short).await.unwrap();
    let gone = reviewed(&strict, review(3), 2).await;
    let pruned = strict.prune().await.unwrap();
    assert_eq!((pruned.events, pruned.runs), (4, 2));
    assert!(matches!(
        strict.get(gone).await,
        Err(RunsError::NotFound { .. })
    ));
    strict.get(kept).await.unwrap();
}

#[tokio::test]
async fn a_deleted_run_is_gone_at_once() {
    let (_home, runs) = runs().await;
    let id = reviewed(&runs, review(1), 450).await;
    let undo = undo(Some(id));
    runs.put_undo(undo.clone()).await.unwrap();
    let running = review(2);
    let running_id = running.id;
    runs.accept(running).await.unwrap();
    assert!(matches!(
        runs.delete(running_id).await,
        Err(RunsError::StillRunning { .. })
    ));

    let pruned = runs.delete(id).await.unwrap();
    assert_eq!((pruned.events, pruned.runs), (452, 1));
    assert!(matches!(
        runs.get(id).await,
        Err(RunsError::NotFound { .. })
    ));
    assert!(matches!(
        runs.delete(id).await,
        Err(RunsError::NotFound { .. })
    ));
    assert!(
        runs.latest_review("/home/ada/shop".into(), None)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(runs.get_undo(undo.id).await.unwrap().entry.run_id, None);
}

#[tokio::test]
async fn a_deletion_that_was_cut_short_shows_nothing() {
    let (_home, runs) = runs().await;
    let id = reviewed(&runs, review(1), 3).await;
    let tenant = runs.tenant();
    runs.store()
        .write("delete a run", move |tx| {
            convergio_runs::delete(tx, tenant, id)
        })
        .await
        .unwrap();
    assert!(matches!(
        runs.get(id).await,
        Err(RunsError::NotFound { .. })
    ));
    assert!(runs.events(id, 0, 10).await.unwrap().events.is_empty());
    assert!(
        runs.latest_review("/home/ada/shop".into(), None)
            .await
            .unwrap()
            .is_none()
    );
    let filter = ListFilter {
        limit: 10,
        ..ListFilter::default()
    };
    assert!(runs.list(filter).await.unwrap().runs.is_empty());
    assert_eq!(runs.prune().await.unwrap().runs, 1);
}

#[tokio::test]
async fn half_a_log_is_never_shown() {
    let short = Retention {
        content_ms: 0,
        ..Retention::default()
    };
    let (_home, runs) = runs_with(short).await;
    let id = reviewed(&runs, review(1), 300).await;
    let before = runs.get(id).await.unwrap();
    assert_eq!(before.last_seq, 302);
    let ended_ms = before.ended_ms.unwrap();
    let slice = async || {
        runs.store()
            .write("a slice", move |tx| {
                convergio_runs::prune(tx, ended_ms, &Retention::default(), 200)
            })
            .await
            .unwrap()
    };
    assert_eq!(slice().await.events, 200);
    assert!(runs.events(id, 0, 10).await.unwrap().events.is_empty());
    let run = runs.get(id).await.unwrap();
    assert_eq!(
        (run.last_seq, run.purged_ms, run.expires_ms),
        (0, None, None)
    );
    let latest = runs.latest_review("/home/ada/shop".into(), None).await;
    assert!(latest.unwrap().is_none());
    assert!(matches!(
        runs.accept(review_again(&run)).await.unwrap(),
        Accepted::Replay(_)
    ));
    let rest = slice().await;
    assert_eq!((rest.events, rest.purged, rest.runs), (102, 1, 0));
    assert!(runs.get(id).await.unwrap().purged_ms.is_some());
}

fn review_again(run: &convergio_runs::Run) -> NewRun {
    let mut new = review(run.request_hash[0]);
    new.id = run.id;
    new
}

#[tokio::test]
async fn silences_belong_to_a_folder() {
    let (_home, runs) = runs().await;
    let silence = |root: &str, reason: &str| NewSilence {
        root: root.into(),
        fingerprint: "f1".into(),
        rule: "secrets/aws".into(),
        reason: reason.into(),
    };
    assert!(runs.add_silence(silence("/a", "a fixture")).await.unwrap());
    assert!(
        !runs
            .add_silence(silence("/a", "a test fixture"))
            .await
            .unwrap()
    );
    assert!(runs.add_silence(silence("/b", "other")).await.unwrap());
    let kept = runs.silences("/a".into()).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].reason, "a test fixture");
    assert!(runs.remove_silence("/a".into(), "f1".into()).await.unwrap());
    assert!(!runs.remove_silence("/a".into(), "f1".into()).await.unwrap());
    assert_eq!(runs.silences("/b".into()).await.unwrap().len(), 1);
}

fn undo(run_id: Option<Uuid>) -> NewUndo {
    NewUndo {
        id: Uuid::now_v7(),
        verb: "fix".into(),
        root: Some("/a".into()),
        path: "/a/client.py".into(),
        before_image: Some(b"verify=False\n\xff".to_vec()),
        before_mode: Some(0o644),
        after_hash: Some([9; 32]),
        run_id,
        finding: Some("f1".into()),
    }
}

#[tokio::test]
async fn undo_entries_are_used_once_the_latest_first() {
    let (_home, runs) = runs().await;
    let first = undo(None);
    let mut second = undo(None);
    second.before_image = None;
    runs.put_undo(first.clone()).await.unwrap();
    runs.put_undo(second.clone()).await.unwrap();
    runs.put_undo(second.clone()).await.unwrap();
    let mut changed = second.clone();
    changed.path = "/a/other".into();
    assert!(matches!(
        runs.put_undo(changed).await,
        Err(RunsError::Conflict { .. })
    ));

    let latest = runs.latest_undo(Some("/a".into())).await.unwrap().unwrap();
    assert_eq!((latest.entry.id, latest.before_image), (second.id, None));
    assert!(runs.latest_undo(Some("/b".into())).await.unwrap().is_none());
    runs.set_undo_state(second.id, UndoState::Undone)
        .await
        .unwrap();
    runs.set_undo_state(second.id, UndoState::Undone)
        .await
        .unwrap();
    let error = runs
        .set_undo_state(second.id, UndoState::Dropped)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            RunsError::UndoSpent {
                state: "undone",
                ..
            }
        ),
        "{error}"
    );
    let latest = runs.latest_undo(None).await.unwrap().unwrap();
    assert_eq!(latest.entry.id, first.id);
    assert_eq!(latest.before_image, first.before_image);
    assert_eq!(latest.entry.before_bytes, Some(14));
    let list = runs.list_undo(None, 10).await.unwrap();
    assert_eq!(
        list.iter().map(|e| e.id).collect::<Vec<_>>(),
        [second.id, first.id]
    );

    let mut large = undo(None);
    large.before_image = Some(vec![0; (16 << 20) + 1]);
    assert!(matches!(
        runs.put_undo(large).await,
        Err(RunsError::TooLarge { .. })
    ));
}
