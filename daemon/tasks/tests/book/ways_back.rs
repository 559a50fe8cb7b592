//! The way back.

use convergio_tasks::book::{BookError, Fate, Fields, State, TaskRow};

use crate::support::{Book, DAY, HOUR, at, every, rome, times, titled};

/// But for when it was changed and how often.
fn content(row: &TaskRow) -> TaskRow {
    TaskRow {
        rev: 0,
        modified_ms: 0,
        ..row.clone()
    }
}

#[tokio::test]
async fn every_change_is_taken_back_exactly() {
    let book = Book::open().await;
    let now = rome("2026-11-21T12:00:00");
    let row = book
        .create(every("x", "2026-11-22T09:00:00", "FREQ=DAILY"), now)
        .await;
    for change in 0..5 {
        let before = book.get(row.id).await;
        let changed = match change {
            0 => {
                book.update(row.id, at("y", "2026-12-01T10:00:00"), now)
                    .await
            }
            1 => book.complete(row.id, now).await,
            2 => book.snooze(row.id, now + HOUR, now).await,
            3 => book.delete(row.id, now).await,
            _ => {
                let fields = Fields {
                    state: Some(State::Cancelled),
                    tags: Some(vec!["a".into()]),
                    ..Fields::default()
                };
                book.update(row.id, fields, now).await
            }
        };
        let changed = changed.unwrap();
        assert_ne!(
            content(&book.get(row.id).await),
            content(&before),
            "{change}"
        );
        book.take_back(changed.images, now + 1).await.unwrap();
        let after = book.get(row.id).await;
        assert_eq!(content(&after), content(&before), "{change}");
        assert_eq!(after.rev, before.rev + 2);
    }
}

#[tokio::test]
async fn what_somebody_did_since_is_not_lost() {
    let book = Book::open().await;
    let now = rome("2026-11-21T12:00:00");
    let (row, made) = book.try_create(titled("x"), now).await.unwrap();
    let first = book.update(row.id, titled("y"), now).await.unwrap();
    let second = book.update(row.id, titled("z"), now).await.unwrap();
    let error = book.take_back(first.images.clone(), now).await.unwrap_err();
    assert!(matches!(error, BookError::ChangedSince { .. }), "{error}");
    // Another field is nobody's business.
    book.update(row.id, at("z", "2026-11-22T09:00:00"), now)
        .await
        .unwrap();
    book.take_back(second.images, now).await.unwrap();
    book.take_back(first.images, now).await.unwrap();
    let row = book.get(row.id).await;
    assert_eq!(row.title, "x");
    assert!(row.times.is_some());
    let error = book.take_back(made, now).await.unwrap_err();
    assert!(matches!(error, BookError::ChangedSince { .. }), "{error}");
}

#[tokio::test]
async fn a_new_task_goes_and_its_number_with_it() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    let (row, made) = book
        .try_create(every("x", "2026-11-22T09:00:00", "FREQ=DAILY"), due - DAY)
        .await
        .unwrap();
    // The clock's doing does not stand in the way.
    assert_eq!(book.fire(due).await.len(), 1);
    book.take_back(made.clone(), due).await.unwrap();
    assert!(book.get(row.id).await.deleted_ms.is_some());
    assert_eq!(book.history(row.id).await[0].state, Fate::Dismissed);
    assert!(book.take_back(made, due).await.unwrap().is_empty());
    assert_eq!(book.create(titled("y"), due).await.number, 2);
}

#[tokio::test]
async fn a_task_that_comes_back_is_reminded_of_what_it_missed() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    let row = book.create(at("x", "2026-11-22T09:00:00"), due - DAY).await;
    let gone = book.delete(row.id, due - HOUR).await.unwrap();
    assert!(book.fire(due).await.is_empty());
    book.take_back(gone.images, due + HOUR).await.unwrap();
    let fired = book.fire(due + HOUR).await;
    assert!(fired[0].occurrence.is_late());
}

#[tokio::test]
async fn an_answered_reminder_waits_again() {
    let book = Book::open().await;
    let due = rome("2026-11-22T09:00:00");
    let row = book.create(at("x", "2026-11-22T09:00:00"), due - DAY).await;
    let one = book.fire(due).await.remove(0).occurrence;
    let done = book.complete(row.id, due).await.unwrap();
    assert_eq!(book.history(row.id).await[0].state, Fate::Done);
    book.take_back(done.images, due).await.unwrap();
    assert_eq!(book.history(row.id).await[0].state, Fate::Claimed);
    assert!(book.fire(due + DAY).await.is_empty(), "it fired");
    // Nor after it is due at another time and back.
    let moved = Fields {
        times: times("2026-11-25T09:00:00"),
        ..Fields::default()
    };
    let moved = book.update(row.id, moved, due + HOUR).await.unwrap();
    assert_eq!(book.history(row.id).await[0].state, Fate::Dismissed);
    book.take_back(moved.images, due + HOUR).await.unwrap();
    assert!(book.fire(due + DAY).await.is_empty(), "it fired");
    assert_eq!(book.history(row.id).await[0].id, one.id);
}

#[tokio::test]
async fn a_part_does_not_come_back_to_a_task_that_is_gone() {
    let book = Book::open().await;
    let top = book.create(titled("top"), 1).await;
    let fields = Fields {
        parent: Some(Some(convergio_tasks::book::TaskRef::Id(top.id))),
        ..titled("part")
    };
    let part = book.create(fields, 1).await;
    let part_gone = book.delete(part.id, 2).await.unwrap();
    let top_gone = book.delete(top.id, 3).await.unwrap();
    let error = book
        .take_back(part_gone.images.clone(), 4)
        .await
        .unwrap_err();
    assert!(matches!(error, BookError::ChangedSince { .. }), "{error}");
    book.take_back(top_gone.images, 5).await.unwrap();
    book.take_back(part_gone.images, 6).await.unwrap();
}
