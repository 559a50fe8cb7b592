//! Who is admitted, who is denied, and that nobody passes a limit.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use convergio_ledger::{
    Admission, AttemptEnding, Denied, LedgerError, PolicyReason, Scope, Window, admit,
    attempts_of_run, budgets, preview, verify,
};
use convergio_models_api::Policy;
use support::{Books, CENT, DOLLAR, HOUR_MS, NOON_MS, at, reported};
use uuid::Uuid;

fn denied(outcome: Result<impl Sized, Denied>) -> Denied {
    match outcome {
        Ok(_) => panic!("it was admitted"),
        Err(denied) => denied,
    }
}

fn budget(outcome: Result<impl Sized, Denied>) -> convergio_ledger::BudgetDenied {
    match denied(outcome) {
        Denied::Budget(why) => *why,
        other => panic!("{other}"),
    }
}

async fn attempts(books: &Books) -> i64 {
    books
        .read(|conn| {
            Ok(conn
                .query_row(
                    "SELECT count(*) + (SELECT count(*) FROM transfer) FROM attempt",
                    [],
                    |row| row.get(0),
                )
                .map_err(convergio_store::at(conn, "count"))?)
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_at_once_never_pass_the_limit() {
    let books = Books::with_limit(DOLLAR).await;
    let prices = books.pinned().await;
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (store, mut call) = (books.store.clone(), books.call(1_000));
            call.prices = Some(prices);
            tokio::spawn(async move {
                store
                    .write("admit", move |tx| admit(tx, call, at(NOON_MS)))
                    .await
            })
        })
        .collect();
    let (mut admitted, mut refused) = (Vec::new(), 0);
    for call in calls {
        match call.await.unwrap() {
            Ok(permitted) => admitted.push(permitted),
            Err(Denied::Budget(why)) => {
                assert_eq!((why.limit_nano, why.needed_nano), (DOLLAR, 10 * CENT));
                assert_eq!(why.posted_nano + why.pending_nano, DOLLAR);
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((admitted.len(), refused), (10, 40));

    // The provider counts 1.3 times what we held: all of it is recorded, and the budget freezes.
    for (index, permitted) in admitted.iter().enumerate() {
        let id = permitted.permit().attempt_id;
        let settled = books.settle(id, reported(0, 1_300), NOON_MS).await.unwrap();
        assert_eq!(
            (settled.amount_nano, settled.overage_nano),
            (13 * CENT, 3 * CENT)
        );
        assert!(settled.budgets[0].frozen);
        let posted = 13 * CENT * (i64::try_from(index).unwrap() + 1);
        assert_eq!(settled.budgets[0].posted_nano, posted);
        // 0.78 → 0.91 → 1.04: each mark once, the highest where one end passes two.
        let crossed = [(6, 80), (7, 100)].iter().find(|(at, _)| *at == index);
        let crossed = crossed.map(|(_, percent)| *percent);
        assert_eq!(settled.budgets[0].crossed_percent, crossed, "{index}");
    }
    let why = budget(books.admit(books.call(1), NOON_MS).await);
    assert!(why.frozen);
    assert_eq!((why.posted_nano, why.pending_nano), (130 * CENT, 0));

    // A person who sets another limit has answered for it; usage stays.
    books.limit(DOLLAR, "UTC", NOON_MS).await;
    assert!(budget(books.admit(books.call(1), NOON_MS).await).frozen);
    books.limit(2 * DOLLAR, "UTC", NOON_MS).await;
    books.admit(books.call(1), NOON_MS).await.unwrap();
    let why = budget(books.admit(books.call(10_000), NOON_MS).await);
    assert_eq!((why.posted_nano, why.frozen), (130 * CENT, false));
}

#[tokio::test]
async fn policy_comes_before_money() {
    let books = Books::with_limit(DOLLAR).await;
    let reason = |denied| match denied {
        Denied::Policy { reason, model, .. } => {
            assert_eq!(model, "mock/large");
            reason
        }
        other => panic!("{other}"),
    };
    let mut call = books.call(256);
    call.policy = Policy::LocalOnly;
    let why = reason(denied(books.admit(call.clone(), NOON_MS).await));
    assert_eq!(why, PolicyReason::LocalOnly);

    // What is called local must be of this machine.
    call.local = true;
    let why = reason(denied(books.admit(call.clone(), NOON_MS).await));
    assert_eq!(why, PolicyReason::NotThisMachine);
    call.destination = "http://127.0.0.1:11434".into();
    let permitted = books.admit(call.clone(), NOON_MS).await.unwrap();
    assert!(permitted.permit().local);
    assert_eq!(permitted.permit().policy, Policy::LocalOnly);

    books.tamper("UPDATE profile SET age_band = '10-13'").await;
    let why = reason(denied(books.admit(books.call(256), NOON_MS).await));
    assert_eq!(why, PolicyReason::UnderAge);
    books.admit(call, NOON_MS).await.unwrap();
}

#[tokio::test]
async fn what_is_unknown_is_denied() {
    let books = Books::with_limit(DOLLAR).await;
    let prices = books.pinned().await;
    let before = attempts(&books).await;

    let mut call = books.call(256);
    call.request.model = "unpriced".into();
    let why = denied(books.admit(call, NOON_MS).await);
    assert!(matches!(&why, Denied::PriceUnknown { model, .. } if model == "unpriced"));

    let mut call = books.call(256);
    call.prices = Some(prices);
    call.profile_id = Uuid::now_v7();
    let why = denied(books.admit(call, NOON_MS).await);
    assert!(matches!(
        why,
        Denied::Ledger(LedgerError::NotFound {
            what: "profile",
            ..
        })
    ));

    // Without a row that says what leaves, nothing leaves.
    let changes: [fn(&mut Admission); 4] = [
        |call| call.egress_id = None,
        |call| call.destination.clear(),
        |call| call.request.max_output = 0,
        |call| call.input_ceiling = u64::MAX,
    ];
    for change in changes {
        let mut call = books.call(256);
        change(&mut call);
        let why = denied(books.admit(call, NOON_MS).await);
        assert!(
            matches!(why, Denied::Ledger(LedgerError::Invalid { .. })),
            "{why}"
        );
    }
    assert_eq!(attempts(&books).await, before);
}

#[tokio::test]
async fn a_limit_cuts_the_answer_before_it_refuses_it() {
    let books = Books::with_limit(DOLLAR).await;
    let first = books.admit(books.call(7_000), NOON_MS).await.unwrap();
    assert_eq!(first.value().max_output, 7_000);

    // 30 cents are left: 3,000 tokens of output.
    let mut call = books.call(4_096);
    assert_eq!(
        budget(books.admit(call.clone(), NOON_MS).await).needed_nano,
        409_600_000
    );
    call.may_clamp = true;
    call.input_ceiling = 1_000;
    let (conn_call, prices) = (call.clone(), books.pinned().await);
    let shown = books
        .store
        .read("preview", move |conn| {
            let mut call = conn_call;
            call.prices = Some(prices);
            preview(conn, &call, at(NOON_MS))
        })
        .await
        .map_err(|denied: Denied| denied.to_string())
        .unwrap();
    assert_eq!((shown.hold_nano, shown.max_output), (30 * CENT, 2_900));
    let second = books.admit(call.clone(), NOON_MS).await.unwrap();
    assert_eq!(second.value().max_output, 2_900);

    // A whole and a cut one: nothing is left.
    let why = budget(books.admit(call.clone(), NOON_MS).await);
    assert_eq!(why.pending_nano, DOLLAR);
    assert_eq!(why.needed_nano, CENT + 25_600_000, "the least: 256 tokens");
    assert_eq!(
        (why.which.scope, why.which.window),
        (Scope::Tenant, Window::Day)
    );
    assert_eq!(why.resets_at_ms, Some(NOON_MS + 12 * HOUR_MS));
    assert!(
        why.to_string().starts_with("the daily budget of $1.00"),
        "{why}"
    );

    // What is freed can be held again; below the floor it is not worth it.
    let id = second.permit().attempt_id;
    books
        .settle(id, AttemptEnding::NothingSent, NOON_MS)
        .await
        .unwrap();
    let third = books.admit(books.call(2_750), NOON_MS).await.unwrap();
    assert_eq!(third.value().max_output, 2_750);
    call.input_ceiling = 0;
    let why = budget(books.admit(call.clone(), NOON_MS).await);
    assert_eq!(why.needed_nano, 25_600_000);
    // Who wants less than the floor gets it.
    call.request.max_output = 200;
    books.admit(call, NOON_MS).await.unwrap();
}

#[tokio::test]
async fn a_limit_is_kept_to_the_last_nano() {
    for (missing, output) in [(0, 10_000), (1, 9_999), (100_000, 9_999), (100_001, 9_998)] {
        let books = Books::with_limit(DOLLAR - missing).await;
        let mut call = books.call(10_000);
        call.may_clamp = true;
        let permitted = books.admit(call, NOON_MS).await.unwrap();
        assert_eq!(permitted.value().max_output, output, "{missing}");
    }
}

#[tokio::test]
async fn a_run_has_a_budget_of_its_own() {
    let books = Books::with_limit(DOLLAR).await;
    let mut call = books.call(1_000);
    call.max_cost_nano = Some(25 * CENT);
    let first = books.admit(call.clone(), NOON_MS).await.unwrap();
    books.admit(call.clone(), NOON_MS).await.unwrap();
    let why = budget(books.admit(call.clone(), NOON_MS).await);
    assert_eq!(
        (why.which.scope, why.which.window),
        (Scope::Run, Window::Run)
    );
    assert_eq!((why.limit_nano, why.pending_nano), (25 * CENT, 20 * CENT));
    assert_eq!(why.resets_at_ms, None);
    // All or nothing: the day didn't pay for what the run refused.
    let tenant = books.tenant;
    let day = books
        .read(move |conn| budgets(conn, tenant, at(NOON_MS)))
        .await;
    assert_eq!(day[0].pending_nano, 20 * CENT);

    // Another run has its own, and a cheaper end makes room.
    let mut other = books.call(2_500);
    other.max_cost_nano = Some(25 * CENT);
    books.admit(other, NOON_MS).await.unwrap();
    let id = first.permit().attempt_id;
    let settled = books.settle(id, reported(0, 500), NOON_MS).await.unwrap();
    assert_eq!(settled.budgets.len(), 2);
    books.admit(call.clone(), NOON_MS).await.unwrap();

    let run_id = call.run_id;
    let rows = books
        .read(move |conn| attempts_of_run(conn, tenant, run_id))
        .await;
    assert_eq!(rows.iter().map(|row| row.n).collect::<Vec<_>>(), [1, 2, 3]);
    let run = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(
        (run.bad, run.differences, run.attempts),
        (None, vec![], vec![])
    );
}

#[tokio::test]
async fn a_denial_changes_nothing_though_its_transaction_goes_on() {
    let books = Books::with_limit(CENT).await;
    let mut call = books.call(1_000);
    call.max_cost_nano = Some(DOLLAR);
    call.prices = Some(books.pinned().await);
    let before = attempts(&books).await;
    let run_id = call.run_id;
    let why = books
        .write::<_, LedgerError, _>(move |tx| {
            let why = denied(admit(tx, call, at(NOON_MS)));
            tx.execute(
                "INSERT INTO template (tenant_id, name, prompt, created_ms) \
                 SELECT id, 'kept', ?1, 1 FROM tenant",
                [run_id.to_string()],
            )
            .map_err(convergio_store::at(tx, "keep"))?;
            Ok(why)
        })
        .await
        .unwrap();
    assert!(matches!(why, Denied::Budget(_)), "{why}");
    assert_eq!(attempts(&books).await, before);
    let left: (i64, i64) = books
        .read(|conn| {
            Ok(conn
                .query_row(
                    "SELECT (SELECT count(*) FROM template), (SELECT count(*) FROM budget WHERE scope = 'run')",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .map_err(convergio_store::at(conn, "count"))?)
        })
        .await;
    assert_eq!(left, (1, 0));
}

#[tokio::test]
async fn a_failed_transaction_leaves_no_hold() {
    let books = Books::with_limit(DOLLAR).await;
    let mut call = books.call(10_000);
    call.prices = Some(books.pinned().await);
    let again = call.clone();
    let failed = books
        .write::<(), Denied, _>(move |tx| {
            admit(tx, call, at(NOON_MS))?;
            Err(LedgerError::Invalid {
                what: "the egress row",
                reason: "could not be written",
            }
            .into())
        })
        .await;
    assert!(failed.is_err());
    // The whole limit is there.
    books.admit(again, NOON_MS).await.unwrap();
}

#[tokio::test]
async fn local_models_cost_nothing_and_need_no_room() {
    let books = Books::with_limit(0).await;
    assert!(matches!(
        denied(books.admit(books.call(256), NOON_MS).await),
        Denied::Budget(_)
    ));
    let mut call = books.call(256);
    call.local = true;
    call.destination.clear();
    call.egress_id = None;
    let run_id = call.run_id;
    let permitted = books.admit(call, NOON_MS).await.unwrap();
    let id = permitted.permit().attempt_id;
    let settled = books
        .settle(id, reported(1_000, 1_000), NOON_MS)
        .await
        .unwrap();
    assert_eq!((settled.amount_nano, settled.budgets.len()), (0, 0));
    let again = books.settle(id, reported(1, 1), NOON_MS).await;
    assert!(matches!(again, Err(LedgerError::AlreadyEnded { .. })));
    let tenant = books.tenant;
    let rows = books
        .read(move |conn| attempts_of_run(conn, tenant, run_id))
        .await;
    assert_eq!(rows[0].cost_nano, Some(0));
    assert_eq!(rows[0].usage, support::used(1_000, 1_000));
}

#[tokio::test]
async fn nobody_spends_who_was_never_given_a_daily_limit() {
    let books = Books::new().await;
    for max_cost_nano in [None, Some(DOLLAR)] {
        let mut call = books.call(256);
        call.max_cost_nano = max_cost_nano;
        let why = budget(books.admit(call.clone(), NOON_MS).await);
        assert_eq!((why.limit_nano, why.which.window), (0, Window::Day));
        call.local = true;
        call.destination.clear();
        books.admit(call, NOON_MS).await.unwrap();
    }
}
