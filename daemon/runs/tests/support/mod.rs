//! What the tests of crashes and power cuts have in common: a workload that tells what was
//! acknowledged, and the check that it is all there.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use convergio_runs::{
    Accepted, Ending, EventType, ListFilter, NewEvent, NewRun, RunKind, RunState, Runs, RunsError,
};
use serde_json::value::RawValue;
use uuid::Uuid;

/// What a client of these runs was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acknowledged {
    /// The last `seq` of each run that was accepted, and whether it ended.
    pub(crate) runs: BTreeMap<Uuid, (u64, bool)>,
    /// Operations that were refused.
    pub(crate) refused: Vec<String>,
}

impl Acknowledged {
    pub(crate) fn tell(&mut self, id: Uuid, seq: u64, ended: bool) {
        self.runs.insert(id, (seq, ended));
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.runs.extend(other.runs);
        self.refused.extend(other.refused);
    }
}

pub(crate) fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

pub(crate) fn new_run() -> NewRun {
    NewRun {
        id: Uuid::now_v7(),
        kind: RunKind::Review,
        session_id: None,
        root: Some("/r".into()),
        selection: None,
        base_sha: None,
        request_hash: [1; 32],
        idempotency_key: None,
        ephemeral: false,
    }
}

pub(crate) fn finding(run: Uuid, seq: u64) -> NewEvent {
    NewEvent {
        event_type: EventType::Finding,
        payload: json(&format!("\"{run} {seq}\"")),
    }
}

pub(crate) fn ending() -> Ending {
    Ending {
        event_type: EventType::Completed,
        outcome: "complete".into(),
        payload: json("{}"),
    }
}

/// One run with `events` findings, each told to `tell` when it was acknowledged. An error ends it.
pub(crate) async fn one_run(
    runs: &Runs,
    events: u64,
    mut tell: impl FnMut(Uuid, u64, bool),
) -> Result<(), RunsError> {
    let new = new_run();
    let id = new.id;
    match runs.accept(new).await? {
        Accepted::New(_) => tell(id, 0, false),
        Accepted::Replay(_) => panic!("{id} is new"),
    }
    for seq in 1..=events {
        assert_eq!(runs.append(id, vec![finding(id, seq)]).await?, seq);
        tell(id, seq, false);
    }
    let last = runs
        .finish_with(id, vec![finding(id, events + 1)], ending())
        .await?;
    assert_eq!(last, events + 2);
    tell(id, last, true);
    Ok(())
}

/// Everything acknowledged is there, and everything that is there is whole.
pub(crate) async fn check(runs: &Runs, acknowledged: &Acknowledged, what: &str) {
    let problems = runs.store().integrity_check().await.unwrap();
    assert!(problems.is_empty(), "{what}: {problems:?}");
    for (id, (seq, ended)) in &acknowledged.runs {
        let run = runs
            .get(*id)
            .await
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        let last = runs.events(*id, 0, 1_000).await.unwrap().events.len() as u64;
        assert!(
            last >= *seq,
            "{what}: {id} had {seq} acknowledged events, {last} are left"
        );
        assert!(
            !ended || run.state == RunState::Completed,
            "{what}: {id} had ended"
        );
    }
    let mut cursor = None;
    loop {
        let filter = ListFilter {
            cursor,
            limit: 200,
            ..ListFilter::default()
        };
        let page = runs.list(filter).await.unwrap();
        for run in &page.runs {
            let events = runs.events(run.id, 0, 1_000).await.unwrap().events;
            for (event, seq) in events.iter().zip(1..) {
                assert_eq!(event.seq, seq, "{what}: a gap in {}", run.id);
                if event.event_type == EventType::Finding {
                    assert_eq!(
                        event.payload.get(),
                        format!("\"{} {seq}\"", run.id),
                        "{what}"
                    );
                }
            }
            let terminal: Vec<_> = events
                .iter()
                .filter_map(|event| event.event_type.ends_as())
                .collect();
            let expected = match run.state {
                RunState::Running => vec![],
                state => vec![state],
            };
            assert_eq!(terminal, expected, "{what}: {}", run.id);
            let last = events.last().and_then(|event| event.event_type.ends_as());
            assert_eq!(last.is_some(), run.state != RunState::Running, "{what}");
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return,
        }
    }
}
