//! Reminders.

use convergio_tasks::{
    Basis,
    book::{self, Fate, Fields, NewTimes, Reply, State},
};

use crate::support::{Book, DAY, HOUR, MINUTE, at, every, rome, rule, titled};

#[tokio::test]
async fn a_reminder_fires_once_at_its_time() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    let row = book.create(at("x", "2026-11-22T09:00:00"), due - DAY).await;
    assert!(book.fire(due - 1).await.is_empty());
    let fired = book.fire(due).await;
    assert_eq!(fired.len(), 1);
    let one = &fired[0].occurrence;
    assert_eq!((one.due_ms, one.fire_ms, one.missed), (due, due, 0));
    assert!(!one.is_late());
    assert_eq!(one.state, Fate::Claimed);
    assert!(book.fire(due + HOUR).await.is_empty());
    // What is due stays due.
    let row = book.get(row.id).await;
    assert_eq!((row.state, row.times.unwrap().due_ms), (State::Open, due));
    assert_eq!(row.next, None);
    // The clock's doing is no change of anybody's.
    assert_eq!(row.rev, 1);
}

#[tokio::test]
async fn after_a_time_without_a_daemon_there_is_one_with_the_count() {
    let book = Book::open().await;
    let first = rome("2026-06-01T09:00:00");
    let row = book
        .create(every("x", "2026-06-01T09:00:00", "FREQ=DAILY"), first - DAY)
        .await;
    let now = first + 100 * DAY + HOUR;
    let fired = book.fire(now).await;
    assert_eq!(fired.len(), 1);
    let one = &fired[0].occurrence;
    assert_eq!((one.due_ms, one.missed), (first + 100 * DAY, 100));
    assert!(one.is_late());
    let row = book.get(row.id).await;
    assert_eq!(row.times.unwrap().due_ms, first + 100 * DAY);
    assert_eq!(row.next.unwrap().fire_ms, first + 101 * DAY);
}

#[tokio::test]
async fn a_newer_reminder_stands_for_those_that_nobody_was_shown() {
    let book = Book::open().await;
    let first = rome("2026-06-01T09:00:00");
    let row = book
        .create(every("x", "2026-06-01T09:00:00", "FREQ=DAILY"), first - DAY)
        .await;
    for day in 0..3 {
        let fired = book.fire(first + day * DAY).await;
        let id = fired[0].occurrence.id;
        assert_eq!(i64::from(fired[0].occurrence.missed), day);
        book.write(move |tx, _| book::missed(tx, id, 0))
            .await
            .unwrap();
    }
    let unshown = book
        .read(|conn, tenant| book::unshown(conn, tenant, 10))
        .await
        .unwrap();
    assert_eq!(unshown.len(), 1);
    assert_eq!(unshown[0].missed, 2);
    assert_eq!(book.history(row.id).await.len(), 3);
}

#[tokio::test]
async fn reminders_before_it_is_due_are_each_one() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    let fields = Fields {
        remind_before_min: Some(vec![0, 60]),
        ..at("x", "2026-11-22T09:00:00")
    };
    book.create(fields, due - DAY).await;
    let first = book.fire(due - HOUR).await;
    assert_eq!(first[0].occurrence.before_min, 60);
    assert_eq!(first[0].occurrence.due_ms, due);
    let second = book.fire(due).await;
    assert_eq!(second[0].occurrence.before_min, 0);
    assert_eq!(second[0].occurrence.missed, 1, "the first was not shown");
}

#[tokio::test]
async fn a_snooze_moves_the_reminder_and_not_what_is_due() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    let row = book.create(at("x", "2026-11-22T09:00:00"), due - DAY).await;
    let first = book.fire(due).await.remove(0).occurrence;
    let put_off = book
        .answer(first.id, Reply::Snooze { minutes: 10 }, due + MINUTE)
        .await;
    assert!(put_off.changed);
    assert_eq!(put_off.task.times.as_ref().unwrap().due_ms, due);
    // Twice is once.
    let again = book
        .answer(first.id, Reply::Snooze { minutes: 10 }, due + 2 * MINUTE)
        .await;
    assert!(!again.changed);
    assert!(book.fire(due + 10 * MINUTE).await.is_empty());
    let second = book.fire(due + 11 * MINUTE).await.remove(0).occurrence;
    assert_eq!((second.due_ms, second.snooze), (due, 1));
    assert_ne!(second.id, first.id);
    let done = book.answer(second.id, Reply::Done, due + 12 * MINUTE).await;
    assert_eq!((done.changed, done.task.state), (true, State::Done));
    let again = book.answer(second.id, Reply::Done, due + 13 * MINUTE).await;
    assert!(!again.changed);
    let states: Vec<Fate> = book
        .history(row.id)
        .await
        .iter()
        .map(|one| one.state)
        .collect();
    assert_eq!(states, [Fate::Done, Fate::Snoozed]);
}

#[tokio::test]
async fn a_task_without_a_time_can_be_put_off_too() {
    let book = Book::open().await;
    let row = book.create(titled("x"), 1_000).await;
    book.snooze(row.id, 50_000, 1_000).await.unwrap();
    assert_eq!(book.next_wake().await, Some(50_000));
    let fired = book.fire(50_000).await;
    assert_eq!(
        (fired[0].occurrence.due_ms, fired[0].occurrence.snooze),
        (50_000, 1)
    );
    assert_eq!(book.next_wake().await, None);
}

#[tokio::test]
async fn done_on_an_old_reminder_does_not_silence_a_newer_one() {
    let book = Book::open().await;
    let monday = rome("2026-11-23T09:00:00");
    let row = book
        .create(
            every("x", "2026-11-23T09:00:00", "FREQ=DAILY"),
            monday - DAY,
        )
        .await;
    let first = book.fire(monday).await.remove(0).occurrence;
    let shown = first.id;
    book.write(move |tx, _| book::shown(tx, shown, "dunst", 4, monday))
        .await
        .unwrap();
    let second = book.fire(monday + DAY).await.remove(0).occurrence;
    assert_eq!(second.missed, 0, "the first was shown");
    let old = book.answer(first.id, Reply::Done, monday + DAY + 1).await;
    assert!(old.changed);
    assert_eq!(old.task.times.as_ref().unwrap().due_ms, monday + DAY);
    let states: Vec<Fate> = book
        .history(row.id)
        .await
        .iter()
        .map(|one| one.state)
        .collect();
    assert_eq!(states, [Fate::Claimed, Fate::Done]);
    let new = book.answer(second.id, Reply::Done, monday + DAY + 2).await;
    assert_eq!(new.task.times.as_ref().unwrap().due_ms, monday + 2 * DAY);
    assert_eq!(new.task.next.unwrap().fire_ms, monday + 2 * DAY);
}

#[tokio::test]
async fn a_clock_that_was_wrong_silences_nothing_and_repeats_nothing() {
    let book = Book::open().await;
    // Nine o'clock, on either side of the changes of the clock.
    let nine = |day: i32| {
        let date: jiff::civil::Date = "2026-11-23".parse().unwrap();
        rome(&format!(
            "{}T09:00:00",
            date.saturating_add(jiff::Span::new().days(day))
        ))
    };
    let monday = nine(0);
    let row = book
        .create(
            every("x", "2026-11-23T09:00:00", "FREQ=DAILY"),
            monday - DAY,
        )
        .await;
    assert_eq!(book.fire(monday).await.len(), 1);
    // A year ahead, for a moment.
    let ahead = book.fire(nine(365)).await;
    assert_eq!(ahead.len(), 1);
    assert_eq!(ahead[0].occurrence.missed, 365);
    // And back: nothing twice, and Tuesday comes.
    assert!(book.fire(monday + HOUR).await.is_empty());
    let row = book.get(row.id).await;
    assert_eq!(row.next.unwrap().fire_ms, nine(1));
    assert_eq!(row.times.unwrap().due_ms, nine(1));
    assert!(book.fire(monday + HOUR).await.is_empty());
    for day in 1..365 {
        let fired = book.fire(nine(day)).await;
        assert_eq!(fired.len(), 1, "{day}");
        assert_eq!(fired[0].occurrence.due_ms, nine(day));
    }
    // That one had its reminder.
    assert!(book.fire(nine(365)).await.is_empty());
    assert_eq!(book.fire(nine(366)).await.len(), 1);
}

#[tokio::test]
async fn what_was_written_down_under_a_wrong_clock_is_reminded_of() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    // Its reminders before a year from now were never to fire, as it seemed.
    let late = book
        .create(at("x", "2026-11-22T09:00:00"), due + 365 * DAY)
        .await;
    let fired = book
        .create(at("y", "2026-11-22T09:00:00"), due - 2 * DAY)
        .await;
    assert_eq!(book.fire(due + 365 * DAY).await.len(), 1);
    assert!(book.fire(due - DAY).await.is_empty());
    let found = book.fire(due).await;
    let tasks: Vec<_> = found.iter().map(|one| one.task.id).collect();
    assert_eq!(tasks, [late.id], "and not {} again", fired.number);
}

#[tokio::test]
async fn a_day_that_loses_an_hour_has_its_reminder_and_the_next_one_its_own_time() {
    let book = Book::open().await;
    // 2027-03-28, 02:00 to 03:00 are not there.
    let first = rome("2027-03-27T02:30:00");
    let row = book
        .create(every("x", "2027-03-27T02:30:00", "FREQ=DAILY"), first - DAY)
        .await;
    let mut fired = Vec::new();
    for now in [
        first,
        rome("2027-03-28T03:30:00"),
        rome("2027-03-29T02:30:00"),
        rome("2027-03-30T02:30:00"),
    ] {
        let found = book.fire(now).await;
        assert_eq!(found.len(), 1);
        fired.push(found[0].occurrence.due_ms == now);
    }
    assert_eq!(fired, [true; 4]);
    assert_eq!(
        book.get(row.id).await.times.unwrap().due.to_string(),
        "2027-03-30T02:30:00"
    );
}

#[tokio::test]
async fn a_whole_day_is_reminded_of_in_its_morning() {
    let book = Book::open().await;
    let now = rome("2026-11-21T12:00:00");
    let fields = Fields {
        times: Some(Some(NewTimes {
            due: "2026-11-23T00:00:00".parse().unwrap(),
            zone: "Europe/Rome".into(),
            all_day: true,
        })),
        repeat: rule("FREQ=WEEKLY;BYDAY=MO", Basis::Schedule),
        ..titled("x")
    };
    let row = book.create(fields, now).await;
    assert_eq!(row.next.unwrap().fire_ms, rome("2026-11-23T09:00:00"));
    let fired = book.fire(rome("2026-11-23T09:00:00")).await;
    assert_eq!(fired[0].occurrence.due_ms, rome("2026-11-23T00:00:00"));
    let row = book
        .complete(row.id, rome("2026-11-23T10:00:00"))
        .await
        .unwrap()
        .task;
    let times = row.times.unwrap();
    assert_eq!(times.due_ms, rome("2026-11-30T00:00:00"));
    assert_eq!(row.next.unwrap().fire_ms, rome("2026-11-30T09:00:00"));
}

#[tokio::test]
async fn what_is_over_does_not_fire() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    for ending in ["done", "cancelled", "deleted"] {
        let row = book.create(at("x", "2026-11-22T09:00:00"), due - DAY).await;
        match ending {
            "done" => drop(book.complete(row.id, due - 1).await.unwrap()),
            "deleted" => drop(book.delete(row.id, due - 1).await.unwrap()),
            _ => {
                let fields = Fields {
                    state: Some(State::Cancelled),
                    ..Fields::default()
                };
                book.update(row.id, fields, due - 1).await.unwrap();
            }
        }
        assert!(book.claim(row.id, due).await.is_none(), "{ending}");
        assert_eq!(book.next_wake().await, None, "{ending}");
    }
    assert!(book.fire(due).await.is_empty());
}

#[tokio::test]
async fn what_a_server_took_is_found_by_what_it_calls_it() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    book.create(at("x", "2026-11-22T09:00:00"), due - DAY).await;
    let awake = book.read(book::keeps_awake).await.unwrap();
    assert!(awake);
    let one = book.fire(due).await.remove(0).occurrence;
    let waiting = book
        .read(|conn, tenant| book::unshown(conn, tenant, 10))
        .await
        .unwrap();
    assert_eq!(waiting[0].id, one.id);
    let id = one.id;
    book.write(move |tx, _| book::shown(tx, id, ":1.7", 4, due))
        .await
        .unwrap();
    let found = book
        .read(|conn, _| book::shown_as(conn, ":1.7", 4))
        .await
        .unwrap();
    assert_eq!(found, Some(one.id));
    assert_eq!(
        book.read(|conn, _| book::shown_as(conn, ":1.8", 4))
            .await
            .unwrap(),
        None
    );
    assert!(!book.read(book::keeps_awake).await.unwrap());
    // Late news of a death do not undo what was shown.
    book.write(move |tx, _| book::missed(tx, id, due))
        .await
        .unwrap();
    let (inbox, total) = book
        .read(|conn, tenant| book::inbox(conn, tenant, 10))
        .await
        .unwrap();
    assert_eq!((inbox[0].state, total), (Fate::Shown, 1));
    assert!(book.answer(id, Reply::Seen, due).await.changed);
    assert!(!book.answer(id, Reply::Dismiss, due).await.changed);
    let (inbox, total) = book
        .read(|conn, tenant| book::inbox(conn, tenant, 10))
        .await
        .unwrap();
    assert_eq!((inbox.len(), total), (0, 0));
    // Seen is not done: its button still works.
    assert_eq!(
        book.answer(id, Reply::Done, due).await.task.state,
        State::Done
    );
}

#[tokio::test]
async fn where_a_zone_has_other_rules_now_the_wall_clock_counts() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    let row = book
        .create(every("x", "2026-11-22T09:00:00", "FREQ=DAILY"), due - DAY)
        .await;
    let right = book.read(book::misplanned).await.unwrap();
    assert!(right.is_empty());
    // As if the zone had been an hour further east when it was written down.
    book.write(move |tx, _| {
        tx.execute(
            "UPDATE task SET due_ms = due_ms - 3600000, next_due_ms = next_due_ms - 3600000,
                 next_fire_ms = next_fire_ms - 3600000",
            [],
        )
        .map_err(convergio_store::at(tx, "test"))
    })
    .await
    .unwrap();
    let wrong = book.read(book::misplanned).await.unwrap();
    assert_eq!(wrong, [row.id]);
    let count = book
        .write(move |tx, tenant| book::replan(tx, tenant, &wrong))
        .await
        .unwrap();
    assert_eq!(count, 1);
    assert_eq!(book.get(row.id).await, row);
}
