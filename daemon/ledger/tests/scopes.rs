//! Limits of every scope and stretch, quotas, and a person's yes to a dear run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use convergio_ledger::quota::{self, Quota, QuotaError, Reserved, Unit};
use convergio_ledger::{
    Admission, BudgetSpec, CostOffer, Denied, Mode, OFFER_MS, PolicyReason, SHOCK_FLOOR_NANO,
    Scope, Window, budgets, expected_cost, note_asked, offer_cost, recover, redeem_cost,
    remove_budget, set_budget, shock_limit, sync_budgets, usual_output, verify,
};
use support::{Books, CENT, DOLLAR, HOUR_MS, NOON_MS, at, reported, sheet};
use uuid::Uuid;

const DAY_MS: i64 = 24 * HOUR_MS;

fn spec(scope: Scope, key: &str, window: Window, cents: i64) -> BudgetSpec {
    BudgetSpec {
        scope,
        scope_key: key.to_owned(),
        window,
        limit_nano: cents * CENT,
        mode: Mode::Stop,
    }
}

async fn set(books: &Books, spec: BudgetSpec, wall_ms: i64) {
    let tenant = books.tenant;
    books
        .write(move |tx| set_budget(tx, tenant, &spec, "UTC", at(wall_ms)))
        .await
        .unwrap();
}

/// Output tokens cost ten cents a thousand.
async fn spend(books: &Books, mut call: Admission, cents: u32, wall_ms: i64) -> Result<(), Denied> {
    call.request.max_output = cents * 100;
    let permitted = books.admit(call, wall_ms).await?;
    let id = permitted.permit().attempt_id;
    let output = u64::from(cents) * 100;
    books
        .settle(id, reported(0, output), wall_ms)
        .await
        .unwrap();
    Ok(())
}

fn which(refused: Result<(), Denied>) -> (Scope, String, Window) {
    match refused {
        Err(Denied::Budget(why)) => (why.which.scope, why.which.scope_key, why.which.window),
        other => panic!("{other:?}"),
    }
}

/// One limit of a scope stops what it names and nothing else, in each of its stretches.
#[tokio::test]
async fn every_scope_stops_its_own() {
    let session = Uuid::now_v7();
    let hex = |id: Uuid| id.simple().to_string();
    let books = Books::with_limit(100 * DOLLAR).await;
    let tenant = books.tenant;
    let subject = books
        .read(move |conn| {
            conn.query_row(
                "SELECT subject_id FROM profile WHERE tenant_id = ?1",
                [tenant],
                |row| row.get::<_, Uuid>(0),
            )
            .map_err(|error| convergio_store::at(conn, "test")(error).into())
        })
        .await;
    let within = |call: &mut Admission, scope: Scope| match scope {
        Scope::Agent => call.agent = Some("rex".into()),
        Scope::Plugin => call.plugin = Some("lint".into()),
        Scope::Token => call.token = Some("claude".into()),
        Scope::Session => call.session_id = Some(session),
        Scope::Tenant | Scope::Profile | Scope::Provider | Scope::Run => {}
    };
    for (scope, key) in [
        (Scope::Agent, "rex".to_owned()),
        (Scope::Plugin, "lint".to_owned()),
        (Scope::Token, "claude".to_owned()),
        (Scope::Session, hex(session)),
        (Scope::Provider, "mock".to_owned()),
        (Scope::Profile, hex(subject)),
        (Scope::Tenant, String::new()),
    ] {
        for window in [Window::Day, Window::Month, Window::Total] {
            if (scope, window) == (Scope::Tenant, Window::Day) {
                continue;
            }
            set(&books, spec(scope, &key, window, 0), NOON_MS).await;
            let mut call = books.call(0);
            within(&mut call, scope);
            let refused = spend(&books, call, 1, NOON_MS).await;
            assert_eq!(which(refused), (scope, key.clone(), window));
            let everybody = matches!(scope, Scope::Tenant | Scope::Profile | Scope::Provider);
            let other = spend(&books, books.call(0), 1, NOON_MS).await;
            assert_eq!(other.is_ok(), !everybody, "{scope} {window}");
            let key = key.clone();
            let removed = books
                .write(move |tx| remove_budget(tx, tenant, scope, &key, window))
                .await;
            assert!(removed.unwrap());
        }
    }
    let verified = books.read(move |conn| verify(conn, tenant)).await;
    assert!(verified.bad.is_none() && verified.differences.is_empty());
}

#[tokio::test]
async fn a_day_begins_anew_a_month_later_and_a_life_never() {
    let books = Books::with_limit(100 * DOLLAR).await;
    let token = |cents, wall_ms| {
        let mut call = books.call(0);
        call.token = Some("claude".into());
        spend(&books, call, cents, wall_ms)
    };
    for (window, cents) in [(Window::Day, 10), (Window::Month, 15), (Window::Total, 18)] {
        set(&books, spec(Scope::Token, "claude", window, cents), NOON_MS).await;
    }
    let key = || "claude".to_owned();
    token(10, NOON_MS).await.unwrap();
    assert_eq!(
        which(token(1, NOON_MS).await),
        (Scope::Token, key(), Window::Day)
    );
    token(5, NOON_MS + DAY_MS).await.unwrap();
    assert_eq!(which(token(1, NOON_MS + DAY_MS).await).2, Window::Month);
    token(3, NOON_MS + 30 * DAY_MS).await.unwrap();
    assert_eq!(
        which(token(1, NOON_MS + 400 * DAY_MS).await).2,
        Window::Total
    );
    // Another limit resets no usage, and one that comes back counts what was spent without it.
    set(
        &books,
        spec(Scope::Token, "claude", Window::Total, 19),
        NOON_MS + 400 * DAY_MS,
    )
    .await;
    let tenant = books.tenant;
    books
        .write(move |tx| remove_budget(tx, tenant, Scope::Token, "claude", Window::Total))
        .await
        .unwrap();
    token(2, NOON_MS + 400 * DAY_MS).await.unwrap();
    set(
        &books,
        spec(Scope::Token, "claude", Window::Total, 20),
        NOON_MS + 400 * DAY_MS,
    )
    .await;
    let states = books
        .read(move |conn| budgets(conn, tenant, at(NOON_MS + 400 * DAY_MS)))
        .await;
    let total = states
        .iter()
        .find(|state| state.name.window == Window::Total);
    assert_eq!(total.map(|state| state.posted_nano), Some(20 * CENT));
}

#[tokio::test]
async fn each_run_of_an_agent_has_a_limit_of_its_own() {
    let books = Books::with_limit(100 * DOLLAR).await;
    set(&books, spec(Scope::Agent, "rex", Window::Run, 5), NOON_MS).await;
    for _ in 0..2 {
        let mut call = books.call(0);
        call.agent = Some("rex".into());
        spend(&books, call.clone(), 5, NOON_MS).await.unwrap();
        assert_eq!(which(spend(&books, call, 1, NOON_MS).await).2, Window::Run);
    }
}

#[tokio::test]
async fn a_limit_that_warns_lets_go_on_and_tells_its_marks() {
    let books = Books::with_limit(100 * DOLLAR).await;
    let warns = BudgetSpec {
        mode: Mode::Warn,
        ..spec(Scope::Provider, "mock", Window::Month, 10)
    };
    set(&books, warns, NOON_MS).await;
    let mut marks = Vec::new();
    for cents in [7, 1, 1, 1, 5] {
        let permitted = books.admit(books.call(cents * 100), NOON_MS).await.unwrap();
        let id = permitted.permit().attempt_id;
        let settled = books
            .settle(id, reported(0, u64::from(cents) * 100), NOON_MS)
            .await
            .unwrap();
        let month = settled.budgets.iter().find(|one| !one.stops).unwrap();
        marks.push(month.crossed_percent);
    }
    assert_eq!(marks, [None, Some(80), None, Some(100), None]);
}

#[tokio::test]
async fn what_the_settings_name_is_what_is_in_force() {
    let books = Books::with_limit(100 * DOLLAR).await;
    let tenant = books.tenant;
    set(
        &books,
        spec(Scope::Token, "claude", Window::Total, 9),
        NOON_MS,
    )
    .await;
    let sync = |specs: Vec<BudgetSpec>| {
        let books = &books;
        async move {
            books
                .write(move |tx| sync_budgets(tx, tenant, &specs, "UTC", at(NOON_MS)))
                .await
                .unwrap();
            let states = books
                .read(move |conn| budgets(conn, tenant, at(NOON_MS)))
                .await;
            states
                .iter()
                .map(|state| {
                    (
                        state.name.scope,
                        state.limit_nano / CENT,
                        state.posted_nano / CENT,
                    )
                })
                .collect::<Vec<_>>()
        }
    };
    spend(&books, books.call(0), 3, NOON_MS).await.unwrap();
    let (day, token) = ((Scope::Tenant, 10_000, 3), (Scope::Token, 9, 0));
    let mock = || spec(Scope::Provider, "mock", Window::Month, 7);
    assert_eq!(
        sync(vec![mock()]).await,
        [day, (Scope::Provider, 7, 3), token]
    );
    assert_eq!(
        sync(vec![mock()]).await,
        [day, (Scope::Provider, 7, 3), token]
    );
    assert_eq!(sync(Vec::new()).await, [day, token]);
    // A name belongs to every scope but that of everybody.
    let nameless = spec(Scope::Agent, "", Window::Day, 1);
    let refused = books
        .write(move |tx| set_budget(tx, tenant, &nameless, "UTC", at(NOON_MS)))
        .await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn who_is_under_age_reaches_no_cloud_and_every_model_of_this_machine() {
    let books = Books::with_limit(DOLLAR).await;
    books
        .tamper("UPDATE profile SET age_band = 'under_13'")
        .await;
    let refused = books.admit(books.call(1), NOON_MS).await;
    assert!(matches!(
        refused,
        Err(Denied::Policy {
            reason: PolicyReason::UnderAge,
            ..
        })
    ));
    let mut here = books.call(1);
    here.local = true;
    here.destination = "http://127.0.0.1:11434".into();
    books.admit(here, NOON_MS).await.unwrap();
}

/// A clock that is set back gives no free review, nor a new day of money.
#[tokio::test]
async fn a_clock_that_is_set_back_renews_nothing() {
    let books = Books::with_limit(10 * CENT).await;
    let tenant = books.tenant;
    let rex = Quota {
        tenant_id: tenant,
        agent: "rex",
        unit: Unit::Review,
    };
    books
        .write(move |tx| quota::grant(tx, &rex, Window::Day, 5, "UTC", at(NOON_MS)))
        .await
        .unwrap();
    let take = |wall_ms| {
        books.write(move |tx| -> Result<Reserved, QuotaError> {
            let hold = quota::reserve(tx, &rex, at(wall_ms))?;
            quota::post(tx, tenant, hold, at(wall_ms))?;
            Ok(hold)
        })
    };
    for _ in 0..5 {
        take(NOON_MS).await.unwrap();
    }
    let renews = NOON_MS + 12 * HOUR_MS;
    for back in [0, 2 * DAY_MS, 40 * DAY_MS] {
        match take(NOON_MS - back).await {
            Err(QuotaError::Exhausted {
                used: 5,
                limit: 5,
                renews_at_ms,
                ..
            }) => {
                assert_eq!(renews_at_ms, Some(renews));
            }
            other => panic!("{other:?}"),
        }
    }
    spend(&books, books.call(0), 10, NOON_MS).await.unwrap();
    let past = spend(&books, books.call(0), 1, NOON_MS - 2 * DAY_MS).await;
    assert_eq!(which(past).0, Scope::Tenant);
    // The true next day is one.
    take(renews).await.unwrap();
    spend(&books, books.call(0), 10, renews).await.unwrap();
}

#[tokio::test]
async fn a_quota_counts_what_was_useful_and_binds_whom_it_names() {
    let books = Books::with_limit(DOLLAR).await;
    let tenant = books.tenant;
    let rex = Quota {
        tenant_id: tenant,
        agent: "rex",
        unit: Unit::Question,
    };
    let reserve =
        |quota: Quota<'static>| books.write(move |tx| quota::reserve(tx, &quota, at(NOON_MS)));
    assert!(matches!(
        reserve(rex).await,
        Err(QuotaError::Exhausted { limit: 0, .. })
    ));
    for (window, limit) in [(Window::Day, 2), (Window::Total, 3)] {
        books
            .write(move |tx| quota::grant(tx, &rex, window, limit, "UTC", at(NOON_MS)))
            .await
            .unwrap();
    }
    let other = Quota {
        unit: Unit::Review,
        ..rex
    };
    assert!(
        reserve(other).await.is_err(),
        "another unit is another quota"
    );
    let (one, two) = (reserve(rex).await.unwrap(), reserve(rex).await.unwrap());
    assert!(reserve(rex).await.is_err());
    books
        .write(move |tx| quota::post(tx, tenant, one, at(NOON_MS)))
        .await
        .unwrap();
    books
        .write(move |tx| quota::void(tx, tenant, two, at(NOON_MS)))
        .await
        .unwrap();
    for ended in [one, two] {
        let again = books
            .write(move |tx| quota::post(tx, tenant, ended, at(NOON_MS)))
            .await;
        assert!(again.is_err(), "one end");
    }
    async fn left(books: &Books, quota: Quota<'static>) -> Vec<(i64, i64)> {
        let left = books
            .read(move |conn| quota::left(conn, &quota, at(NOON_MS)))
            .await;
        left.iter().map(|one| (one.limit, one.used)).collect()
    }
    assert_eq!(left(&books, rex).await, [(2, 1), (3, 1)]);
    // What a killed process reserved came to nothing.
    reserve(rex).await.unwrap();
    let books = books.crash().await;
    let recovered = books
        .write(move |tx| recover(tx, tenant, at(NOON_MS), 10))
        .await
        .unwrap();
    assert_eq!(recovered.reservations.len(), 1);
    assert_eq!(left(&books, rex).await, [(2, 1), (3, 1)]);
    // A stretch that is granted later counts what was used before it.
    books
        .write(move |tx| quota::grant(tx, &rex, Window::Month, 9, "UTC", at(NOON_MS)))
        .await
        .unwrap();
    books
        .write(move |tx| quota::reserve(tx, &rex, at(NOON_MS)))
        .await
        .unwrap();
    assert!(left(&books, rex).await.contains(&(9, 2)));
    let verified = books.read(move |conn| verify(conn, tenant)).await;
    assert!(
        verified.bad.is_none() && verified.differences.is_empty(),
        "{verified:?}"
    );
}

#[tokio::test]
async fn a_yes_to_a_cost_is_good_once_for_that_request_and_those_prices() {
    let books = Books::with_limit(DOLLAR).await;
    let tenant = books.tenant;
    let offer = CostOffer {
        request_hash: [1; 32],
        price_sha256: sheet().sha256(),
        ceiling_nano: DOLLAR,
    };
    let made = books
        .write(move |tx| offer_cost(tx, tenant, &offer, at(NOON_MS)))
        .await
        .unwrap();
    async fn take(books: &Books, token: Uuid, offer: CostOffer, wall_ms: i64) -> bool {
        let tenant = books.tenant;
        books
            .write(move |tx| redeem_cost(tx, tenant, token, &offer, at(wall_ms)))
            .await
            .unwrap()
    }
    for (offer, wall_ms) in [
        (
            CostOffer {
                request_hash: [2; 32],
                ..offer
            },
            NOON_MS,
        ),
        (
            CostOffer {
                price_sha256: [2; 32],
                ..offer
            },
            NOON_MS,
        ),
        (
            CostOffer {
                ceiling_nano: DOLLAR + 1,
                ..offer
            },
            NOON_MS,
        ),
        (offer, NOON_MS + OFFER_MS),
        (offer, NOON_MS - 1),
    ] {
        assert!(!take(&books, made, offer, wall_ms).await);
    }
    assert!(!take(&books, Uuid::now_v7(), offer, NOON_MS).await);
    let books = books.crash().await;
    let last_moment = NOON_MS + OFFER_MS - 1;
    assert!(
        take(&books, made, offer, last_moment).await,
        "a start in between"
    );
    assert!(!take(&books, made, offer, last_moment).await);
}

#[tokio::test]
async fn who_wants_to_go_on_is_asked_once_in_a_window() {
    let books = Books::with_limit(20 * CENT).await;
    let tenant = books.tenant;
    let state = |books: &Books, wall_ms| {
        let store = books.store.clone();
        async move {
            let read = store.read("test", move |conn| budgets(conn, tenant, at(wall_ms)));
            read.await.unwrap().remove(0)
        }
    };
    let note = |wall_ms| books.write(move |tx| note_asked(tx, tenant, at(wall_ms)));
    spend(&books, books.call(0), 18, NOON_MS).await.unwrap();
    note(NOON_MS).await.unwrap();
    let before = state(&books, NOON_MS).await;
    assert!(!before.is_spent(95) && !before.asked);
    spend(&books, books.call(0), 1, NOON_MS).await.unwrap();
    let now = state(&books, NOON_MS).await;
    assert!(now.is_spent(95) && !now.is_spent(96) && !now.asked);
    note(NOON_MS).await.unwrap();
    assert!(state(&books, NOON_MS).await.asked);
    // Another limit is another question, and so is another day.
    books.limit(19 * CENT, "UTC", NOON_MS).await;
    assert!(!state(&books, NOON_MS).await.asked);
    note(NOON_MS).await.unwrap();
    assert!(state(&books, NOON_MS).await.asked);
    assert!(!state(&books, NOON_MS + DAY_MS).await.asked);
}

#[tokio::test]
async fn what_is_usual_decides_what_is_dear() {
    assert_eq!(shock_limit(None), SHOCK_FLOOR_NANO);
    assert_eq!(shock_limit(Some(10 * CENT)), SHOCK_FLOOR_NANO);
    assert_eq!(shock_limit(Some(40 * CENT)), 200 * CENT);
    assert_eq!(shock_limit(Some(i64::MAX)), i64::MAX);
    let books = Books::with_limit(100 * DOLLAR).await;
    let (tenant, version) = (books.tenant, books.pinned().await);
    let rates = books
        .read(move |conn| convergio_ledger::rates(conn, version, "mock", "large"))
        .await
        .unwrap();
    // A thousand tokens each way, and as much output as is usual, or a quarter of the limit.
    assert_eq!(expected_cost(&rates, 4_000, 4_000, None), Ok(11 * CENT));
    assert_eq!(expected_cost(&rates, 3_997, 4_000, Some(100)), Ok(2 * CENT));
    assert_eq!(expected_cost(&rates, 0, 50, Some(100)), Ok(CENT / 2));
    let usual =
        |model: &'static str| books.read(move |conn| usual_output(conn, tenant, "mock", model));
    assert_eq!(usual("large").await, None);
    for cents in [1, 9, 2] {
        spend(&books, books.call(0), cents, NOON_MS).await.unwrap();
    }
    assert_eq!(usual("large").await, Some(200));
    assert_eq!(usual("small").await, None);
}
