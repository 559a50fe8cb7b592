//! Changes of tasks.

use convergio_tasks::{
    Basis,
    book::{self, BookError, Created, Fields, NewTask, Priority, State, TaskRef},
};
use uuid::Uuid;

use crate::support::{Book, DAY, HOUR, at, every, rome, rule, times, titled};

#[tokio::test]
async fn a_task_is_kept_as_it_was_given() {
    let book = Book::open().await;
    let now = rome("2026-11-21T12:00:00");
    let fields = Fields {
        notes: Some("more\r\nof it".into()),
        priority: Some(Some(Priority::High)),
        project: Some(Some("house.garden".into())),
        tags: Some(vec!["+b".into(), "a".into(), "b".into()]),
        remind_before_min: Some(vec![0, 60, 60]),
        ..every(
            "  call \"Mario\" <b> ",
            "2026-11-22T09:00:00",
            "freq=weekly",
        )
    };
    let row = book.create(fields, now).await;
    assert_eq!(row.number, 1);
    assert_eq!(row.title, "call \"Mario\" <b>");
    assert_eq!(row.notes, "more\nof it");
    assert_eq!(row.tags, ["a", "b"]);
    assert_eq!(row.remind_before_min, [60, 0]);
    let due_ms = rome("2026-11-22T09:00:00");
    assert_eq!(row.times.as_ref().unwrap().due_ms, due_ms);
    assert_eq!(row.next.unwrap().fire_ms, due_ms - HOUR);
    assert_eq!(row.repeat.as_ref().unwrap().rrule, "FREQ=WEEKLY");
    assert_eq!(book.get(row.id).await, row);
    assert_eq!(book.next_wake().await, Some(due_ms - HOUR));
}

#[tokio::test]
async fn the_same_call_is_the_same_task_and_another_one_is_refused() {
    let book = Book::open().await;
    let (id, profile) = (Uuid::now_v7(), book.profile);
    let new = |hash: u8, title: &str| NewTask {
        id,
        request_hash: Some([hash; 32]),
        uid: None,
        fields: titled(title),
        created_ms: None,
        completed_ms: None,
    };
    let create =
        |new: NewTask| book.write(move |tx, tenant| book::create(tx, tenant, profile, &new, 5));
    let Created::New(first, _) = create(new(1, "a")).await.unwrap() else {
        panic!("it is new");
    };
    let Created::Replayed(again) = create(new(1, "a")).await.unwrap() else {
        panic!("it was there");
    };
    assert_eq!(first, again);
    let other = create(new(2, "b")).await.unwrap_err();
    assert!(matches!(other, BookError::Conflict { .. }), "{other}");
    // A number that was not used up.
    assert_eq!(book.create(titled("c"), 5).await.number, 2);
}

#[tokio::test]
async fn numbers_are_never_given_twice() {
    let book = Book::open().await;
    for number in 1..=3 {
        assert_eq!(book.create(titled("x"), 1).await.number, number);
    }
    let last = book.create(titled("x"), 1).await;
    book.delete(last.id, 2).await.unwrap();
    let purged = book
        .write(|tx, tenant| book::purge(tx, tenant, 2, 10))
        .await
        .unwrap();
    assert_eq!(purged, 1);
    assert_eq!(book.create(titled("x"), 3).await.number, 5);
}

#[tokio::test]
async fn titles_that_are_none_are_refused() {
    let book = Book::open().await;
    let long = "é".repeat(600);
    for title in [
        "",
        "  ",
        "a\nb",
        "a\rb",
        "a\u{1b}[2J",
        "a\u{2028}b",
        "a\0b",
        &long,
    ] {
        let error = book.try_create(titled(title), 1).await.unwrap_err();
        assert!(
            matches!(error, BookError::Invalid { what: "title", .. }),
            "{title:?}: {error}"
        );
    }
    // Nothing was used up by what was refused.
    for (number, title) in (1..).zip(["-rf /", "<b>", "\u{202e}abc", "it's \"x\""]) {
        let row = book.create(titled(title), 1).await;
        assert_eq!((row.number, row.title.as_str()), (number, title));
    }
    for tags in [
        vec!["a b".to_owned()],
        vec![String::new()],
        vec!["x".to_owned(); 1],
    ] {
        let fields = Fields {
            tags: Some(tags.clone()),
            ..titled("x")
        };
        assert_eq!(book.try_create(fields, 1).await.is_ok(), tags[0] == "x");
    }
}

#[tokio::test]
async fn a_change_of_another_revision_is_refused() {
    let book = Book::open().await;
    let row = book.create(titled("x"), 1).await;
    let change = |expected| {
        book.write(move |tx, tenant| {
            let task = TaskRef::Number(1);
            book::update(tx, tenant, task, Some(expected), &titled("y"), 2)
        })
    };
    let stale = change(7).await.unwrap_err();
    assert!(
        matches!(stale, BookError::Stale { found: 1, .. }),
        "{stale}"
    );
    assert_eq!(change(1).await.unwrap().task.rev, 2);
    assert_eq!(book.get(row.id).await.title, "y");
    let same = book.update(row.id, titled("y"), 3).await.unwrap();
    assert!(same.unchanged && same.images.is_empty());
    assert_eq!(book.get(row.id).await.rev, 2);
}

#[tokio::test]
async fn parts_make_no_circle_and_are_not_endless() {
    let book = Book::open().await;
    let under = |title: &str, parent: u64| Fields {
        parent: Some(Some(TaskRef::Number(parent))),
        ..titled(title)
    };
    let top = book.create(titled("1"), 1).await;
    for parent in 1..8 {
        book.create(under("x", parent), 1).await;
    }
    let deep = book.try_create(under("9", 8), 1).await.unwrap_err();
    assert!(
        matches!(deep, BookError::TooDeep { depth: 9, .. }),
        "{deep}"
    );
    let circle = book.update(top.id, under("1", 8), 2).await.unwrap_err();
    assert!(matches!(circle, BookError::Cycle { .. }), "{circle}");
    let itself = book.update(top.id, under("1", 1), 2).await.unwrap_err();
    assert!(matches!(itself, BookError::Cycle { .. }), "{itself}");
    // One above eight is one too many, too.
    let above = book.create(titled("above"), 1).await;
    let deep = book.update(top.id, under("1", above.number), 2).await;
    assert!(matches!(deep, Err(BookError::TooDeep { .. })), "{deep:?}");

    let open = book.complete(top.id, 3).await.unwrap_err();
    assert!(
        matches!(&open, BookError::OpenParts { parts, .. } if parts.len() == 7),
        "{open}"
    );
    let parts = book.delete(top.id, 3).await.unwrap_err();
    assert!(matches!(parts, BookError::HasParts { .. }), "{parts}");
    let all = book
        .write(|tx, tenant| book::delete(tx, tenant, TaskRef::Number(1), true, 4))
        .await
        .unwrap();
    assert_eq!(all.images.tasks.len(), 8);
    let left = book
        .read(|conn, tenant| book::every(conn, tenant, true, true))
        .await
        .unwrap();
    assert_eq!(left.len(), 1);
    let back = book.take_back(all.images, 5).await.unwrap();
    assert_eq!(back.len(), 8);
}

#[tokio::test]
async fn what_comes_again_goes_on_when_it_is_done() {
    let book = Book::open().await;
    let now = rome("2026-11-21T12:00:00");
    let weekly = every("x", "2026-11-23T09:00:00", "FREQ=WEEKLY;BYDAY=MO");
    let row = book.create(weekly, now).await;
    // Early: the next one after what is due, not after today.
    let due = |row: &book::TaskRow| row.times.as_ref().unwrap().due.to_string();
    let done = book.complete(row.id, now).await.unwrap().task;
    assert_eq!(
        (done.state, due(&done)),
        (State::Open, "2026-11-30T09:00:00".into())
    );
    assert_eq!(done.next.unwrap().fire_ms, rome("2026-11-30T09:00:00"));
    // Late: none of those that have passed.
    let late = rome("2026-12-24T00:00:00");
    let done = book.complete(row.id, late).await.unwrap().task;
    assert_eq!(due(&done), "2026-12-28T09:00:00");
    let ended = book
        .write(move |tx, tenant| book::complete(tx, tenant, TaskRef::Id(row.id), true, late))
        .await
        .unwrap()
        .task;
    assert_eq!((ended.state, ended.next), (State::Done, None));
    assert!(book.complete(row.id, late).await.unwrap().unchanged);
}

#[tokio::test]
async fn after_completion_counts_from_the_day_and_ends_with_its_count() {
    let book = Book::open().await;
    let now = rome("2026-11-21T12:00:00");
    let fields = Fields {
        repeat: rule("FREQ=DAILY;INTERVAL=3;COUNT=3", Basis::AfterCompletion),
        ..at("water", "2026-11-22T09:00:00")
    };
    let row = book.create(fields, now).await;
    let done_at = rome("2026-11-25T23:30:00");
    let done = book.complete(row.id, done_at).await.unwrap().task;
    assert_eq!(
        done.times.as_ref().unwrap().due_ms,
        rome("2026-11-28T09:00:00")
    );
    let done = book
        .complete(row.id, rome("2026-11-26T08:00:00"))
        .await
        .unwrap()
        .task;
    assert_eq!(
        done.times.as_ref().unwrap().due_ms,
        rome("2026-11-29T09:00:00")
    );
    let done = book
        .complete(row.id, rome("2026-11-29T10:00:00"))
        .await
        .unwrap()
        .task;
    assert_eq!(done.state, State::Done);
}

#[tokio::test]
async fn a_rule_with_a_count_goes_through_its_times_and_ends() {
    let book = Book::open().await;
    let row = book
        .create(
            every("x", "2026-11-22T09:00:00", "FREQ=DAILY;COUNT=3"),
            rome("2026-11-21T12:00:00"),
        )
        .await;
    let mut fired = Vec::new();
    for day in 0..6 {
        let now = rome("2026-11-22T09:00:00") + day * DAY;
        fired.extend(
            book.fire(now)
                .await
                .into_iter()
                .map(|one| one.occurrence.due_ms),
        );
    }
    let expected: Vec<i64> = (0..3)
        .map(|day| rome("2026-11-22T09:00:00") + day * DAY)
        .collect();
    assert_eq!(fired, expected);
    let done = book
        .complete(row.id, rome("2026-11-25T09:00:00"))
        .await
        .unwrap()
        .task;
    assert_eq!(done.state, State::Done);
}

#[tokio::test]
async fn a_task_with_a_rule_is_due_at_a_time_of_it() {
    let book = Book::open().await;
    // A Saturday, and Mondays are asked for.
    let row = book
        .create(
            every("x", "2026-11-21T09:00:00", "FREQ=WEEKLY;BYDAY=MO"),
            rome("2026-11-20T12:00:00"),
        )
        .await;
    assert_eq!(row.times.unwrap().due.to_string(), "2026-11-23T09:00:00");
    let never = every("x", "2026-11-21T09:00:00", "FREQ=DAILY;UNTIL=20261101");
    let error = book.try_create(never, 1).await.unwrap_err();
    assert!(
        matches!(error, BookError::Invalid { what: "repeat", .. }),
        "{error}"
    );
    let timeless = Fields {
        repeat: rule("FREQ=DAILY", Basis::Schedule),
        ..titled("x")
    };
    let error = book.try_create(timeless, 1).await.unwrap_err();
    assert!(
        matches!(error, BookError::Invalid { what: "repeat", .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_time_that_is_cleared_takes_its_reminders_along() {
    let book = Book::open().await;
    let now = rome("2026-11-21T12:00:00");
    let row = book
        .create(every("x", "2026-11-22T09:00:00", "FREQ=DAILY"), now)
        .await;
    let cleared = Fields {
        times: Some(None),
        ..Fields::default()
    };
    let row = book.update(row.id, cleared, now).await.unwrap().task;
    assert_eq!((row.times, row.repeat, row.next), (None, None, None));
    assert!(row.remind_before_min.is_empty());
    assert_eq!(book.next_wake().await, None);
    // With a time again it is reminded of.
    let fields = Fields {
        times: times("2026-11-23T09:00:00"),
        ..Fields::default()
    };
    let row = book.update(row.id, fields, now).await.unwrap().task;
    assert_eq!(row.next.unwrap().fire_ms, rome("2026-11-23T09:00:00"));
}
