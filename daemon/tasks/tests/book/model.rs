//! Whatever is done in whatever order: numbers, ways back, snoozes and claims hold.

use std::collections::{BTreeMap, BTreeSet};

use convergio_tasks::{
    Basis,
    book::{Fields, Images, Reply, State, TaskRef, TaskRow},
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{Book, DAY, HOUR, MINUTE, rome, rule, times, titled};

#[derive(Clone, Debug)]
enum Step {
    Create {
        hour: Option<u8>,
        rule: u8,
        before: u8,
    },
    Edit {
        task: u8,
        what: u8,
    },
    Complete {
        task: u8,
    },
    Snooze {
        task: u8,
        minutes: u16,
    },
    Delete {
        task: u8,
    },
    /// The last change, or one before it.
    TakeBack {
        change: u8,
    },
    /// Time goes on, and what is due fires.
    Pass {
        minutes: u16,
    },
    /// The clock is set back.
    Back {
        minutes: u16,
    },
    Answer {
        reminder: u8,
        how: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (proptest::option::of(0..24u8), 0..6u8, 0..4u8)
            .prop_map(|(hour, rule, before)| Step::Create { hour, rule, before }),
        2 => (any::<u8>(), 0..7u8).prop_map(|(task, what)| Step::Edit { task, what }),
        2 => any::<u8>().prop_map(|task| Step::Complete { task }),
        2 => (any::<u8>(), 1..3_000u16).prop_map(|(task, minutes)| Step::Snooze { task, minutes }),
        1 => any::<u8>().prop_map(|task| Step::Delete { task }),
        2 => (0..3u8).prop_map(|change| Step::TakeBack { change }),
        5 => (0..5_000u16).prop_map(|minutes| Step::Pass { minutes }),
        1 => (0..3_000u16).prop_map(|minutes| Step::Back { minutes }),
        2 => (any::<u8>(), 0..4u8).prop_map(|(reminder, how)| Step::Answer { reminder, how }),
    ]
}

fn new_task(hour: Option<u8>, kind: u8, before: u8, n: usize) -> Fields {
    let mut fields = titled(&format!("task {n}"));
    let Some(hour) = hour else {
        return fields;
    };
    fields.times = times(&format!("2027-03-27T{hour:02}:30:00"));
    fields.repeat = match kind {
        0 => rule("FREQ=DAILY", Basis::Schedule),
        1 => rule("FREQ=HOURLY;INTERVAL=7", Basis::Schedule),
        2 => rule("FREQ=DAILY;COUNT=4", Basis::Schedule),
        3 => rule("FREQ=DAILY;INTERVAL=2;COUNT=3", Basis::AfterCompletion),
        _ => None,
    };
    fields.remind_before_min = match before {
        0 => None,
        1 => Some(vec![0, 45]),
        2 => Some(vec![]),
        _ => Some(vec![1_500]),
    };
    fields
}

fn edit(what: u8) -> Fields {
    match what {
        0 => titled("another"),
        1 => Fields {
            times: times("2027-03-29T10:00:00"),
            ..Fields::default()
        },
        2 => Fields {
            times: Some(None),
            ..Fields::default()
        },
        3 => Fields {
            tags: Some(vec!["a".into(), "b".into()]),
            project: Some(Some("p".into())),
            ..Fields::default()
        },
        4 => Fields {
            state: Some(State::Waiting),
            ..Fields::default()
        },
        5 => Fields {
            state: Some(State::Open),
            ..Fields::default()
        },
        _ => Fields {
            parent: Some(Some(TaskRef::Number(1))),
            ..Fields::default()
        },
    }
}

/// What a person sees of a task, but for when and how often it was changed.
fn seen(row: &TaskRow) -> TaskRow {
    TaskRow {
        rev: 0,
        modified_ms: 0,
        next: None,
        fired_until_ms: 0,
        ..row.clone()
    }
}

/// Tasks as they were; none where there was none.
type Before = Vec<(Uuid, Option<TaskRow>)>;

struct World {
    book: Book,
    now_ms: i64,
    tasks: Vec<Uuid>,
    numbers: BTreeSet<u64>,
    /// What a change did, and how its tasks were before it.
    changes: Vec<(Images, Before)>,
    /// Every reminder that was claimed.
    claimed: BTreeMap<Uuid, (Uuid, i64, u32, u32)>,
}

impl World {
    fn task(&self, at: u8) -> Option<Uuid> {
        let count = self.tasks.len();
        (count > 0).then(|| self.tasks[usize::from(at) % count])
    }

    async fn rows(&self, images: &Images) -> Before {
        images
            .tasks
            .iter()
            .map(|image| (image.after.id, image.before.clone()))
            .collect()
    }

    async fn changed(&mut self, images: Images) {
        if !images.is_empty() {
            let rows = self.rows(&images).await;
            self.changes.push((images, rows));
        }
    }

    async fn step(&mut self, step: &Step) {
        let now_ms = self.now_ms;
        match step {
            Step::Create { hour, rule, before } => {
                let fields = new_task(*hour, *rule, *before, self.tasks.len());
                let (row, images) = self.book.try_create(fields, now_ms).await.unwrap();
                assert!(self.numbers.insert(row.number), "{} again", row.number);
                self.tasks.push(row.id);
                self.changed(images).await;
            }
            Step::Edit { task, what } => {
                let Some(id) = self.task(*task) else { return };
                if let Ok(changed) = self.book.update(id, edit(*what), now_ms).await {
                    self.changed(changed.images).await;
                }
            }
            Step::Complete { task } => {
                let Some(id) = self.task(*task) else { return };
                if let Ok(changed) = self.book.complete(id, now_ms).await {
                    let again = self.book.complete(id, now_ms).await.unwrap();
                    if changed.task.state == State::Done {
                        assert!(again.unchanged);
                    }
                    self.changed(changed.images).await;
                    self.changed(again.images).await;
                }
            }
            Step::Snooze { task, minutes } => {
                let Some(id) = self.task(*task) else { return };
                let before = self.book.get(id).await;
                let until_ms = now_ms + i64::from(*minutes) * MINUTE;
                if let Ok(changed) = self.book.snooze(id, until_ms, now_ms).await {
                    assert_eq!(
                        changed.task.times, before.times,
                        "a snooze moved what is due"
                    );
                    assert_eq!(changed.task.next.unwrap().fire_ms, until_ms);
                    self.changed(changed.images).await;
                }
            }
            Step::Delete { task } => {
                let Some(id) = self.task(*task) else { return };
                if let Ok(changed) = self.book.delete(id, now_ms).await {
                    self.changed(changed.images).await;
                }
            }
            Step::TakeBack { change } => self.take_back(usize::from(*change)).await,
            Step::Pass { minutes } => {
                self.now_ms += i64::from(*minutes) * MINUTE;
                self.fire().await;
            }
            Step::Back { minutes } => {
                self.now_ms -= i64::from(*minutes) * MINUTE;
                self.fire().await;
            }
            Step::Answer { reminder, how } => self.answer(*reminder, *how).await,
        }
    }

    async fn take_back(&mut self, back: usize) {
        let Some(at) = self.changes.len().checked_sub(back + 1) else {
            return;
        };
        let (images, before) = self.changes[at].clone();
        let mut was = Vec::new();
        for (id, _) in &before {
            was.push(self.book.get(*id).await);
        }
        let done = self.book.take_back(images.clone(), self.now_ms).await;
        if done.is_err() {
            // Then nothing of it is.
            for row in was {
                assert_eq!(self.book.get(row.id).await, row);
            }
            return;
        }
        self.changes.remove(at);
        // Nothing came after it: all is as it was.
        if back == 0 {
            for ((id, before), was) in before.into_iter().zip(was) {
                let row = self.book.get(id).await;
                let untouched = images
                    .tasks
                    .iter()
                    .any(|image| image.after.id == id && seen(&image.after) == seen(&was));
                match before {
                    None => assert!(row.deleted_ms.is_some()),
                    Some(before) if untouched => assert_eq!(seen(&row), seen(&before)),
                    // The clock went on with it; what it did stays.
                    Some(_) => {}
                }
            }
        }
    }

    async fn fire(&mut self) {
        let now_ms = self.now_ms;
        for one in self.book.fire(now_ms).await {
            let o = &one.occurrence;
            assert!(o.fire_ms <= now_ms, "before its time");
            assert!(one.task.state.is_unfinished() && one.task.deleted_ms.is_none());
            let identity = (o.task_id, o.due_ms, o.before_min, o.snooze);
            assert!(
                !self.claimed.values().any(|known| *known == identity),
                "{identity:?} twice"
            );
            self.claimed.insert(o.id, identity);
        }
        // Nothing is left of what is due, and nothing fires at the same moment again.
        assert!(self.book.fire(now_ms).await.is_empty());
        if let Some(next) = self.book.next_wake().await {
            assert!(next > now_ms, "{next} is not after {now_ms}");
        }
    }

    async fn answer(&mut self, at: u8, how: u8) {
        let count = self.claimed.len();
        if count == 0 {
            return;
        }
        let (id, (task, ..)) = self.claimed.iter().nth(usize::from(at) % count).unwrap();
        let (id, task) = (*id, *task);
        let reply = match how {
            0 => Reply::Done,
            1 => Reply::Snooze { minutes: 10 },
            2 => Reply::Seen,
            _ => Reply::Dismiss,
        };
        let now_ms = self.now_ms;
        let before = self.book.get(task).await;
        let first = self
            .book
            .write(move |tx, tenant| convergio_tasks::book::answer(tx, tenant, id, reply, now_ms))
            .await;
        // Parts that are open stand in the way of "Done".
        let Ok(first) = first else { return };
        if matches!(reply, Reply::Snooze { .. }) {
            assert_eq!(first.task.times, before.times);
        }
        let again = self.book.answer(id, reply, now_ms).await;
        assert!(!again.changed, "twice is once");
        self.changed(first.images).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_book_holds(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World {
                book: Book::open().await,
                now_ms: rome("2027-03-27T00:00:00") - 2 * DAY + HOUR,
                tasks: Vec::new(),
                numbers: BTreeSet::new(),
                changes: Vec::new(),
                claimed: BTreeMap::new(),
            };
            for step in &steps {
                world.step(step).await;
            }
        });
    }
}
