//! Days as people live them, and reports over them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use convergio_ledger::{
    Denied, GroupBy, LedgerError, UsageQuery, UsageReport, budgets, cost_of_run, forget_details,
    local_zone, median_run_cost, set_day_budget, usage,
};
use support::{Books, CENT, DOLLAR, HOUR_MS, NOON_MS, at, reported};

/// Midnight UTC of 2026-11-20.
const DAY_MS: i64 = NOON_MS - 12 * HOUR_MS;

async fn spend(books: &Books, cents: u64, wall_ms: i64) {
    let output = u32::try_from(cents * 100).unwrap();
    let permitted = books.admit(books.call(output), wall_ms).await.unwrap();
    let id = permitted.permit().attempt_id;
    books
        .settle(id, reported(0, cents * 100), wall_ms)
        .await
        .unwrap();
}

async fn today(books: &Books, wall_ms: i64) -> (i64, i64, i64) {
    let tenant = books.tenant;
    let states = books
        .read(move |conn| budgets(conn, tenant, at(wall_ms)))
        .await;
    let state = &states[0];
    (
        state.posted_nano / CENT,
        state.starts_at_ms.unwrap(),
        state.resets_at_ms.unwrap(),
    )
}

#[tokio::test]
async fn days_are_those_of_the_zone_also_where_clocks_change() {
    // Zone, a moment, the day's hours, its beginning in UTC.
    for (zone, moment, hours, begin) in [
        ("UTC", "2026-11-20T12:00:00Z", 24, "2026-11-20T00:00:00Z"),
        (
            "Europe/Rome",
            "2026-03-29T12:00:00Z",
            23,
            "2026-03-28T23:00:00Z",
        ),
        (
            "Europe/Rome",
            "2026-10-25T12:00:00Z",
            25,
            "2026-10-24T22:00:00Z",
        ),
        // The repeated hour is of the same day both times.
        (
            "Europe/Rome",
            "2026-10-25T00:30:00Z",
            25,
            "2026-10-24T22:00:00Z",
        ),
        (
            "Europe/Rome",
            "2026-10-25T01:30:00Z",
            25,
            "2026-10-24T22:00:00Z",
        ),
        (
            "America/New_York",
            "2026-11-21T04:59:59Z",
            24,
            "2026-11-20T05:00:00Z",
        ),
        (
            "America/New_York",
            "2026-11-21T05:00:00Z",
            24,
            "2026-11-21T05:00:00Z",
        ),
        // Clocks go forward at midnight: the day begins at one.
        (
            "Africa/Cairo",
            "2026-04-24T12:00:00Z",
            23,
            "2026-04-23T22:00:00Z",
        ),
        (
            "Asia/Kathmandu",
            "2026-11-20T12:00:00Z",
            24,
            "2026-11-19T18:15:00Z",
        ),
    ] {
        let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let books = Books::new().await;
        let now = ms(moment);
        books.limit(DOLLAR, zone, now).await;
        let (_, start, end) = today(&books, now).await;
        assert_eq!(start, ms(begin), "{zone} {moment}");
        assert_eq!(end - start, hours * HOUR_MS, "{zone} {moment}");
        // Full until the last millisecond, new from the next on.
        spend(&books, 100, start).await;
        assert!(books.admit(books.call(1), end - 1).await.is_err(), "{zone}");
        books.admit(books.call(10_000), end).await.unwrap();
    }
}

#[tokio::test]
async fn neither_another_limit_nor_another_zone_resets_usage() {
    let books = Books::with_limit(DOLLAR).await;
    spend(&books, 30, NOON_MS).await;
    books.limit(2 * DOLLAR, "UTC", NOON_MS).await;
    assert_eq!(today(&books, NOON_MS).await.0, 30);
    books.limit(2 * DOLLAR, "Asia/Tokyo", NOON_MS).await;
    assert_eq!(today(&books, NOON_MS).await.0, 30);
    spend(&books, 20, NOON_MS).await;
    // Back: what was spent in between counts here too.
    books.limit(2 * DOLLAR, "UTC", NOON_MS).await;
    assert_eq!(today(&books, NOON_MS).await.0, 50);
    // And with a budget that is new: without one, nothing is spent at all.
    books.tamper("DELETE FROM budget").await;
    let refused = books.admit(books.call(1), NOON_MS).await.map(drop);
    assert!(
        matches!(&refused, Err(Denied::Budget(why)) if why.limit_nano == 0),
        "{refused:?}"
    );
    books.limit(2 * DOLLAR, "UTC", NOON_MS).await;
    assert_eq!(today(&books, NOON_MS).await.0, 50);
    spend(&books, 150, NOON_MS).await;
    assert!(books.admit(books.call(1), NOON_MS).await.is_err());
}

#[tokio::test]
async fn a_hold_of_yesterday_is_settled_in_yesterday() {
    let books = Books::with_limit(DOLLAR).await;
    let late = DAY_MS + 24 * HOUR_MS - 1;
    let permitted = books.admit(books.call(1_000), late).await.unwrap();
    let id = permitted.permit().attempt_id;
    let settled = books
        .settle(id, reported(0, 1_000), late + 2)
        .await
        .unwrap();
    let yesterday = &settled.budgets[0];
    assert_eq!(yesterday.resets_at_ms, Some(late + 1));
    assert_eq!(
        (yesterday.posted_nano, yesterday.pending_nano),
        (10 * CENT, 0)
    );
    assert_eq!(today(&books, late + 2).await.0, 0);
}

#[tokio::test]
async fn odd_zones_and_limits_are_refused() {
    let books = Books::new().await;
    let tenant = books.tenant;
    let error = books
        .write(move |tx| set_day_budget(tx, tenant, DOLLAR, "Mars/Olympus", at(NOON_MS)))
        .await;
    assert!(matches!(error, Err(LedgerError::TimeZone { .. })));
    let error = books
        .write(move |tx| set_day_budget(tx, tenant, -1, "UTC", at(NOON_MS)))
        .await;
    assert!(matches!(error, Err(LedgerError::Invalid { .. })));
    books
        .write(move |tx| set_day_budget(tx, tenant, 1, &local_zone(), at(NOON_MS)))
        .await
        .unwrap();
}

async fn report(books: &Books, by: GroupBy, zone: &str, since_ms: Option<i64>) -> UsageReport {
    let query = UsageQuery {
        since_ms,
        until_ms: None,
        by,
        run_id: None,
        zone: zone.into(),
        limit: 10,
    };
    let tenant = books.tenant;
    books.read(move |conn| usage(conn, tenant, &query)).await
}

fn shown(report: &UsageReport) -> Vec<(&str, u64, i64)> {
    report
        .rows
        .iter()
        .map(|row| {
            (
                row.key.as_str(),
                row.totals.attempts,
                row.totals.cost_nano / CENT,
            )
        })
        .collect()
}

#[tokio::test]
async fn usage_adds_up_however_it_is_cut() {
    let books = Books::with_limit(DOLLAR).await;
    let tenant = books.tenant;
    let nobody = books
        .read(move |conn| median_run_cost(conn, tenant, 30))
        .await;
    assert_eq!(nobody, None);
    spend(&books, 10, NOON_MS - 24 * HOUR_MS).await;
    spend(&books, 20, NOON_MS).await;
    // Half past eleven in London, the next day in Rome.
    spend(&books, 5, DAY_MS + 23 * HOUR_MS + HOUR_MS / 2).await;
    let mut call = books.call(3_000);
    call.client = Some("editor".into());
    call.agent = Some("rex".into());
    call.root = None;
    let run_id = call.run_id;
    let open = books.admit(call, NOON_MS).await.unwrap();
    drop(open);

    let days = report(&books, GroupBy::Day, "UTC", None).await;
    assert_eq!(shown(&days), [("2026-11-20", 3, 25), ("2026-11-19", 1, 10)]);
    assert_eq!((days.total.attempts, days.total.open), (4, 1));
    assert_eq!(
        (days.total.cost_nano, days.total.held_nano),
        (35 * CENT, 30 * CENT)
    );
    assert_eq!(
        (days.total.input_tokens, days.total.output_tokens),
        (0, 3_500)
    );
    let days = report(&books, GroupBy::Day, "Europe/Rome", Some(DAY_MS)).await;
    assert_eq!(shown(&days), [("2026-11-21", 1, 5), ("2026-11-20", 2, 20)]);
    for (by, rows) in [
        (GroupBy::Model, vec![("mock/large", 4, 35)]),
        (GroupBy::Agent, vec![("", 3, 35), ("rex", 1, 0)]),
        (GroupBy::Client, vec![("cv", 3, 35), ("editor", 1, 0)]),
        (GroupBy::Cwd, vec![("/home/ada/shop", 3, 35), ("", 1, 0)]),
    ] {
        let found = report(&books, by, "UTC", None).await;
        assert_eq!(shown(&found), rows);
        assert_eq!(found.total.cost_nano, 35 * CENT);
    }
    let runs = |report: &UsageReport| {
        let rows = report.rows.iter().map(|row| row.totals.runs);
        (report.total.runs, rows.collect::<Vec<_>>())
    };
    let days = report(&books, GroupBy::Day, "UTC", None).await;
    assert_eq!(runs(&days), (4, vec![3, 1]));
    let models = report(&books, GroupBy::Model, "UTC", None).await;
    assert_eq!(runs(&models), (4, vec![4]));
    let query = |by, run_id, limit| UsageQuery {
        since_ms: None,
        until_ms: None,
        by,
        run_id,
        zone: "UTC".into(),
        limit,
    };
    for by in [GroupBy::Day, GroupBy::Run] {
        let first = query(by, None, 1);
        let rows_all = report(&books, by, "UTC", None).await.rows.len();
        let first = books.read(move |conn| usage(conn, tenant, &first)).await;
        assert_eq!((first.rows.len(), first.total.attempts), (1, 4));
        assert_eq!(first.rows_more as usize, rows_all - 1);
        let alone = query(by, Some(run_id), 10);
        let alone = books.read(move |conn| usage(conn, tenant, &alone)).await;
        assert_eq!((alone.rows.len(), alone.rows_more), (1, 0));
        assert_eq!((alone.total.runs, alone.total.open), (1, 1));
    }
    let runs = report(&books, GroupBy::Run, "UTC", None).await;
    assert_eq!(runs.rows.len(), 4);
    assert_eq!(runs.rows[0].totals.cost_nano, 20 * CENT);
    assert_eq!(runs.rows[3].key, run_id.to_string());

    let median = books
        .read(move |conn| median_run_cost(conn, tenant, 30))
        .await;
    assert_eq!(median, Some(10 * CENT));
    let last = books
        .read(move |conn| median_run_cost(conn, tenant, 1))
        .await;
    assert_eq!(last, Some(5 * CENT));
    let run = books
        .read(move |conn| cost_of_run(conn, tenant, run_id))
        .await;
    assert_eq!((run.open, run.held_nano, run.cost_nano), (1, 30 * CENT, 0));

    books
        .write(move |tx| forget_details(tx, tenant, run_id))
        .await
        .unwrap();
    let clients = report(&books, GroupBy::Client, "UTC", None).await;
    assert_eq!(shown(&clients), [("cv", 3, 35), ("", 1, 0)]);
}
