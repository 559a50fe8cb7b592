//! What the books still say of a call after 13 months.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use convergio_ledger::{
    AttemptRow, DETAIL_MS, ExportFilter, LedgerError, TransferRow, dispute, expired_details,
    export_attempts, export_transfers, forget_expired, verify,
};
use support::{Books, DOLLAR, HOUR_MS, NOON_MS, at, reported};
use uuid::Uuid;

async fn called(books: &Books, at_ms: i64) -> Uuid {
    let mut call = books.call(100);
    call.session_id = Some(Uuid::now_v7());
    call.agent = Some("rex".into());
    let admitted = books.admit(call, at_ms).await.unwrap();
    admitted.permit().attempt_id
}

async fn ended(books: &Books, at_ms: i64) -> Uuid {
    let id = called(books, at_ms).await;
    books.settle(id, reported(10, 20), at_ms).await.unwrap();
    id
}

/// A day's pass, in slices of two.
async fn pass(books: &Books, now_ms: i64) -> usize {
    let tenant = books.tenant;
    let mut forgotten = 0;
    loop {
        let due = books
            .read(move |conn| expired_details(conn, tenant, now_ms, 2))
            .await;
        assert!(due.len() <= 2);
        if due.is_empty() {
            return forgotten;
        }
        let write = books.write(move |tx| forget_expired(tx, tenant, &due));
        let some: Result<usize, LedgerError> = write.await;
        let some = some.unwrap();
        assert!(some > 0, "a pass that never ends");
        forgotten += some;
    }
}

async fn rows(books: &Books) -> (Vec<AttemptRow>, Vec<TransferRow>) {
    let tenant = books.tenant;
    let filter = ExportFilter {
        limit: 100,
        ..ExportFilter::default()
    };
    books
        .read(move |conn| {
            Ok((
                export_attempts(conn, tenant, &filter)?.rows,
                export_transfers(conn, tenant, &filter)?.rows,
            ))
        })
        .await
}

#[tokio::test]
async fn details_go_after_13_months_and_the_books_stay_sound() {
    let books = Books::with_limit(100 * DOLLAR).await;
    let mut old = Vec::new();
    for minute in 0..5 {
        old.push(ended(&books, NOON_MS + minute * 60_000).await);
    }
    let disputed = ended(&books, NOON_MS).await;
    let tenant = books.tenant;
    let marked = books.write(move |tx| dispute(tx, tenant, disputed, None, at(NOON_MS)));
    marked.await.unwrap();
    let open = called(&books, NOON_MS).await;
    let later = NOON_MS + DETAIL_MS;
    let young = ended(&books, NOON_MS + HOUR_MS).await;
    assert_eq!(pass(&books, later - 1).await, 0, "a millisecond too early");
    let before = rows(&books).await;
    assert_eq!(pass(&books, later + HOUR_MS / 2).await, old.len());
    let after = rows(&books).await;
    assert_eq!(before.1, after.1, "a transfer was touched");
    assert_eq!(before.0.len(), 8);
    for (was, is) in before.0.into_iter().zip(after.0) {
        let expected = if old.contains(&was.attempt_id) {
            assert!(was.client.is_some() && was.root.is_some());
            assert!(was.session_id.is_some() && was.provider_req_id.is_some());
            AttemptRow {
                client: None,
                root: None,
                session_id: None,
                provider_req_id: None,
                ..was
            }
        } else {
            assert!([disputed, open, young].contains(&was.attempt_id));
            was
        };
        assert_eq!(is, expected);
    }
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(pass(&books, later + HOUR_MS / 2).await, 0, "once is enough");
}
