//! The event log against a model, over any order of calls.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "used in part here, in full by other tests")]
mod support;

use std::collections::HashMap;
use std::path::Path;

use convergio_runs::{Accepted, Ending, EventType, NewEvent, Retention, RunState, Runs, RunsError};
use convergio_store::{Store, StoreOptions};
use proptest::prelude::*;
use support::{json, new_run};
use uuid::Uuid;

/// Runs that the calls are about.
const RUNS: usize = 4;

#[derive(Debug, Clone)]
enum Call {
    Accept {
        run: usize,
        hash: u8,
        key: Option<u8>,
    },
    Append {
        run: usize,
        events: usize,
        terminal_among_them: bool,
    },
    Finish {
        run: usize,
        event_type: EventType,
        before: usize,
    },
    Recover,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let run = 0..RUNS;
    let call = prop_oneof![
        4 => (run.clone(), 0..2_u8, proptest::option::of(0..3_u8))
            .prop_map(|(run, hash, key)| Call::Accept { run, hash, key }),
        8 => (run.clone(), 0..5_usize, proptest::bool::weighted(0.1)).prop_map(
            |(run, events, terminal_among_them)| Call::Append { run, events, terminal_among_them }
        ),
        3 => (run, proptest::sample::select(EventType::ALL), 0..3_usize)
            .prop_map(|(run, event_type, before)| Call::Finish { run, event_type, before }),
        1 => Just(Call::Recover),
    ];
    proptest::collection::vec(call, 1..40)
}

#[derive(Debug, Clone)]
struct Model {
    hash: u8,
    key: Option<u8>,
    last_seq: u64,
    state: RunState,
}

async fn apply(
    runs: &Runs,
    ids: &[Uuid],
    model: &mut HashMap<usize, Model>,
    call: Call,
) -> Result<(), TestCaseError> {
    match call {
        Call::Accept { run, hash, key } => {
            let mut new = new_run();
            new.id = ids[run];
            new.request_hash = [hash; 32];
            new.idempotency_key = key.map(|key| key.to_string());
            let by_key = key.and_then(|key| {
                model
                    .iter()
                    .find(|(_, known)| known.key == Some(key))
                    .map(|(run, _)| *run)
            });
            let by_id = model.contains_key(&run).then_some(run);
            let same = |of: usize| model[&of].hash == hash;
            let outcome = runs.accept(new).await;
            match (by_id, by_key) {
                (Some(one), Some(other)) if one != other => {
                    prop_assert!(
                        matches!(outcome, Err(RunsError::Conflict { .. })),
                        "{outcome:?}"
                    );
                }
                (Some(known), _) | (None, Some(known)) if same(known) => {
                    prop_assert!(
                        matches!(&outcome, Ok(Accepted::Replay(run)) if run.id == ids[known]),
                        "{outcome:?}"
                    );
                }
                (None, None) => {
                    prop_assert!(matches!(&outcome, Ok(Accepted::New(new)) if new.id == ids[run]));
                    let state = RunState::Running;
                    model.insert(
                        run,
                        Model {
                            hash,
                            key,
                            last_seq: 0,
                            state,
                        },
                    );
                }
                _ => prop_assert!(
                    matches!(outcome, Err(RunsError::Conflict { .. })),
                    "{outcome:?}"
                ),
            }
        }
        Call::Append {
            run,
            events,
            terminal_among_them,
        } => {
            let mut new = findings(events);
            if terminal_among_them {
                new.push(NewEvent {
                    event_type: EventType::Completed,
                    payload: json("{}"),
                });
            }
            let outcome = runs.append(ids[run], new).await;
            match model.get_mut(&run) {
                _ if terminal_among_them => {
                    prop_assert!(
                        matches!(outcome, Err(RunsError::Invalid { .. })),
                        "{outcome:?}"
                    );
                }
                None => prop_assert!(
                    matches!(outcome, Err(RunsError::NotFound { .. })),
                    "{outcome:?}"
                ),
                Some(known) if known.state != RunState::Running => {
                    prop_assert!(
                        matches!(outcome, Err(RunsError::Ended { .. })),
                        "{outcome:?}"
                    );
                }
                Some(known) => {
                    known.last_seq += events as u64;
                    prop_assert_eq!(outcome.unwrap(), known.last_seq);
                }
            }
        }
        Call::Finish {
            run,
            event_type,
            before,
        } => {
            let ending = Ending {
                event_type,
                outcome: "done".into(),
                payload: json("{}"),
            };
            let outcome = runs.finish_with(ids[run], findings(before), ending).await;
            match (model.get_mut(&run), event_type.ends_as()) {
                (Some(known), Some(state)) if known.state == RunState::Running => {
                    known.last_seq += before as u64 + 1;
                    known.state = state;
                    prop_assert_eq!(outcome.unwrap(), known.last_seq);
                }
                // A refused ending takes the events before it along.
                _ => prop_assert!(outcome.is_err()),
            }
        }
        Call::Recover => {
            let mut ended = runs.recover(json("{}")).await.unwrap();
            ended.sort();
            let mut expected = Vec::new();
            for (run, known) in model
                .iter_mut()
                .filter(|(_, m)| m.state == RunState::Running)
            {
                known.state = RunState::Failed;
                known.last_seq += 1;
                expected.push(ids[*run]);
            }
            expected.sort();
            prop_assert_eq!(ended, expected);
        }
    }
    Ok(())
}

fn findings(count: usize) -> Vec<NewEvent> {
    (0..count)
        .map(|n| NewEvent {
            event_type: EventType::Finding,
            payload: json(&n.to_string()),
        })
        .collect()
}

async fn holds(calls: Vec<Call>, page: usize) -> Result<(), TestCaseError> {
    let store = Store::in_memory(&StoreOptions::new(Path::new("unused")), "a test").unwrap();
    let runs = Runs::new(store, Retention::default()).await.unwrap();
    let ids: Vec<Uuid> = (0..RUNS).map(|_| Uuid::now_v7()).collect();
    let mut model = HashMap::new();
    for call in calls {
        apply(&runs, &ids, &mut model, call).await?;
    }
    for (run, id) in ids.iter().enumerate() {
        let Some(known) = model.get(&run) else {
            let found = runs.get(*id).await;
            prop_assert!(
                matches!(found, Err(RunsError::NotFound { .. })),
                "{found:?}"
            );
            continue;
        };
        prop_assert_eq!(runs.get(*id).await.unwrap().state, known.state);
        let mut events = Vec::new();
        loop {
            let after = events.len() as u64;
            let some = runs.events(*id, after, page).await.unwrap();
            events.extend(some.events);
            if !some.more {
                break;
            }
        }
        let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
        prop_assert_eq!(seqs, (1..=known.last_seq).collect::<Vec<_>>());
        let terminal: Vec<_> = events
            .iter()
            .filter_map(|event| Some((event.seq, event.event_type.ends_as()?)))
            .collect();
        let expected = match known.state {
            RunState::Running => vec![],
            state => vec![(known.last_seq, state)],
        };
        prop_assert_eq!(terminal, expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_has_no_gap_and_one_end(calls in calls(), page in 1..7_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(holds(calls, page))?;
    }
}
