//! Every attempt ends once, at what it cost, whatever happens.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use convergio_ledger::{
    AttemptEnding, AttemptState, LedgerError, PriceRow, PriceSheet, Rates, Simple, TierMode,
    UsageSource, attempts_of_run, budgets, pin, recover, verify,
};
use convergio_models_api::{Resource, Usage};
use support::{Books, CENT, DOLLAR, NOON_MS, at, reported, used};
use uuid::Uuid;

/// Admits a call of a cent of input and ten cents of output.
async fn admitted(books: &Books) -> (Uuid, Uuid) {
    let mut call = books.call(1_000);
    call.input_ceiling = 1_000;
    let permitted = books.admit(call, NOON_MS).await.unwrap();
    (permitted.permit().attempt_id, permitted.permit().run_id)
}

async fn sound(books: &Books) {
    let tenant = books.tenant;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(found.bad, None);
    assert_eq!(found.differences, vec![]);
    assert_eq!(found.attempts, vec![]);
}

async fn day(books: &Books) -> (i64, i64) {
    let tenant = books.tenant;
    let day = books
        .read(move |conn| budgets(conn, tenant, at(NOON_MS)))
        .await;
    (day[0].posted_nano, day[0].pending_nano)
}

#[tokio::test]
async fn classes_are_billed_once_each() {
    let books = Books::with_limit(DOLLAR).await;
    let price = Simple {
        input: 3 * DOLLAR,
        output: 15 * DOLLAR,
        cache_read: Some(300_000_000),
        cache_write_5m: Some(3_750_000_000),
        cache_write_1h: Some(6 * DOLLAR),
    };
    let sheet = PriceSheet::simple("test", 0, "mock", "large", price);
    let tenant = books.tenant;
    let mut call = books.call(1_000);
    call.input_ceiling = 15_000;
    call.prices = Some(
        books
            .write(move |tx| pin(tx, tenant, &sheet, at(NOON_MS)))
            .await
            .unwrap(),
    );
    let permitted = books.admit(call, NOON_MS).await.unwrap();
    let usage = Usage::default()
        .with(Resource::InUncached, 3)
        .with(Resource::InCacheWrite5m, 12_304)
        .with(Resource::InCacheRead, 0)
        .with(Resource::OutText, 550);
    let id = permitted.permit().attempt_id;
    let ending = AttemptEnding::Reported(usage);
    let settled = books.settle(id, ending, NOON_MS).await.unwrap();
    // The hold is at the dearest price of an input token.
    assert_eq!(settled.hold_nano, 15_000 * 6_000 + 1_000 * 15_000);
    assert_eq!(settled.amount_nano, 9_000 + 46_140_000 + 8_250_000);
    assert_eq!(settled.source, UsageSource::Reported);
    assert_eq!(day(&books).await, (settled.amount_nano, 0));

    let run_id = settled.run_id;
    let rows = books
        .read(move |conn| attempts_of_run(conn, tenant, run_id))
        .await;
    let mut lines = rows[0].lines.clone();
    lines.sort();
    assert_eq!(
        lines,
        [
            (Resource::InUncached, 9_000),
            (Resource::InCacheRead, 0),
            (Resource::InCacheWrite5m, 46_140_000),
            (Resource::OutText, 8_250_000),
        ]
    );
    assert_eq!(rows[0].usage, usage);
    sound(&books).await;
}

#[tokio::test]
async fn an_end_happens_once() {
    let endings = [
        reported(10, 10),
        AttemptEnding::Partial {
            usage: Usage::default(),
            counted_output: 1,
            input_ceiling: 1,
        },
        AttemptEnding::NothingSent,
        AttemptEnding::RefusedWhole,
    ];
    let books = Books::with_limit(10 * DOLLAR).await;
    for first in &endings {
        let (id, _) = admitted(&books).await;
        books.settle(id, first.clone(), NOON_MS).await.unwrap();
        let before = day(&books).await;
        for second in &endings {
            let error = books.settle(id, second.clone(), NOON_MS).await.unwrap_err();
            assert!(
                matches!(error, LedgerError::AlreadyEnded { attempt_id, .. } if attempt_id == id)
            );
        }
        assert_eq!(day(&books).await, before);
    }
    let error = books
        .settle(Uuid::now_v7(), reported(1, 1), NOON_MS)
        .await
        .unwrap_err();
    assert!(matches!(error, LedgerError::NotFound { .. }));
    sound(&books).await;
}

#[tokio::test]
async fn what_was_not_reported_costs_the_dearer_reading() {
    let partial = |usage, counted_output| AttemptEnding::Partial {
        usage,
        counted_output,
        input_ceiling: 800,
    };
    let (input, output) = (10_000, 100_000);
    let estimate = UsageSource::Estimate;
    for (ending, amount, source) in [
        // Nothing was said: the whole input, and what was counted.
        (
            partial(Usage::default(), 40),
            800 * input + 40 * output,
            estimate,
        ),
        // The provider's word is more than what was counted, or less.
        (
            partial(used(700, 90), 40),
            700 * input + 90 * output,
            estimate,
        ),
        (
            partial(used(700, 1), 40),
            700 * input + 40 * output,
            estimate,
        ),
        // Explicit zeroes are zeroes.
        (partial(used(0, 0), 0), 0, estimate),
        (reported(0, 0), 0, UsageSource::Reported),
        // A report that lacks a side is filled with the most that it can be.
        (
            AttemptEnding::Reported(Usage::default().with(Resource::OutText, 5)),
            1_000 * input + 5 * output,
            estimate,
        ),
        (
            AttemptEnding::Reported(Usage::default().with(Resource::InUncached, 5)),
            5 * input + 1_000 * output,
            estimate,
        ),
        (AttemptEnding::NothingSent, 0, UsageSource::Nothing),
        (AttemptEnding::RefusedWhole, 0, UsageSource::Nothing),
    ] {
        let books = Books::with_limit(DOLLAR).await;
        let (id, _) = admitted(&books).await;
        let settled = books.settle(id, ending.clone(), NOON_MS).await.unwrap();
        assert_eq!(
            (settled.amount_nano, settled.source),
            (amount, source),
            "{ending:?}"
        );
        assert_eq!(day(&books).await, (amount, 0), "{ending:?}");
        sound(&books).await;
    }
}

#[tokio::test]
async fn absurd_figures_cost_the_hold_and_are_flagged() {
    let books = Books::with_limit(DOLLAR).await;
    let (id, run_id) = admitted(&books).await;
    let ending = reported(u64::MAX, u64::MAX);
    let settled = books.settle(id, ending, NOON_MS).await.unwrap();
    assert_eq!(settled.amount_nano, settled.hold_nano);
    assert_eq!(settled.source, UsageSource::EstimateCeiling);
    let tenant = books.tenant;
    let rows = books
        .read(move |conn| attempts_of_run(conn, tenant, run_id))
        .await;
    assert!(rows[0].usage.inconsistent);
    // A number that nobody can have meant is in no sum: what was held stands for it.
    assert_eq!(settled.usage, rows[0].usage);
    let (input, output) = (settled.usage.input_tokens(), settled.usage.output_tokens());
    assert_eq!((input, output), (Some(1_000), Some(1_000)));
    sound(&books).await;
    // Who says one such thing is believed nothing else.
    let (id, _) = admitted(&books).await;
    let settled = books
        .settle(id, reported(7, u64::MAX), NOON_MS)
        .await
        .unwrap();
    assert_eq!(settled.usage, rows[0].usage);
    assert_eq!(settled.amount_nano, settled.hold_nano);
    sound(&books).await;
}

#[tokio::test]
async fn what_has_no_price_is_named() {
    let books = Books::with_limit(DOLLAR).await;
    let (id, _) = admitted(&books).await;
    let usage = used(100, 100)
        .with(Resource::SearchCall, 2)
        .with(Resource::Review, 1)
        .with(Resource::ToolCall, 0);
    let ending = AttemptEnding::Reported(usage);
    let settled = books.settle(id, ending, NOON_MS).await.unwrap();
    assert_eq!(settled.unpriced, [Resource::SearchCall]);
    assert_eq!(settled.amount_nano, 1_000_000 + 10_000_000);
}

#[tokio::test]
async fn a_crash_ends_each_attempt_once_at_its_hold() {
    let mut books = Books::with_limit(DOLLAR).await;
    let tenant = books.tenant;
    // Accepted and never admitted; admitted; settled; void; reserved; on this machine.
    let (open, open_run) = admitted(&books).await;
    let (done, _) = admitted(&books).await;
    books
        .settle(done, reported(100, 100), NOON_MS)
        .await
        .unwrap();
    let (void, _) = admitted(&books).await;
    books
        .settle(void, AttemptEnding::NothingSent, NOON_MS)
        .await
        .unwrap();
    let (reserved, _) = admitted(&books).await;
    books
        .write::<_, LedgerError, _>(move |tx| {
            tx.execute(
                "UPDATE attempt SET state = 'reserved' WHERE id = ?1",
                [reserved],
            )
            .map_err(convergio_store::at(tx, "reserve"))?;
            Ok(())
        })
        .await
        .unwrap();
    let mut call = books.call(256);
    call.local = true;
    call.destination.clear();
    let local = books
        .admit(call, NOON_MS)
        .await
        .unwrap()
        .permit()
        .attempt_id;
    assert_eq!(day(&books).await, (11_000_000, 22 * CENT));

    books = books.crash().await;
    let (mut voided, mut unknown, mut slices) = (vec![], vec![], 0);
    loop {
        let slice = books
            .write(move |tx| recover(tx, tenant, at(NOON_MS + 1), 1))
            .await
            .unwrap();
        assert_eq!(slice.differences, vec![]);
        voided.extend(slice.voided);
        unknown.extend(slice.unknown);
        slices += 1;
        if !slice.more {
            break;
        }
    }
    assert_eq!(slices, 4);
    assert_eq!(voided, [reserved]);
    let of = |id| unknown.iter().find(|one| one.attempt_id == id).copied();
    assert_eq!(unknown.len(), 2);
    assert_eq!(
        of(open).map(|one| (one.run_id, one.amount_nano)),
        Some((open_run, 11 * CENT))
    );
    assert_eq!(of(local).map(|one| one.amount_nano), Some(0));
    assert_eq!(day(&books).await, (11 * CENT + 11_000_000, 0));
    let rows = books
        .read(move |conn| attempts_of_run(conn, tenant, open_run))
        .await;
    assert_eq!(rows[0].state, AttemptState::Unknown);
    assert_eq!(rows[0].source, Some(UsageSource::EstimateCeiling));
    let late = books.settle(open, reported(1, 1), NOON_MS).await;
    assert!(matches!(
        late,
        Err(LedgerError::AlreadyEnded {
            state: AttemptState::Unknown,
            ..
        })
    ));

    // The second start finds nothing to do, and the rest of the limit can be held.
    books = books.crash().await;
    let again = books
        .write(move |tx| recover(tx, tenant, at(NOON_MS + 2), 100))
        .await
        .unwrap();
    assert_eq!(again, convergio_ledger::Recovered::default());
    books.admit(books.call(8_790), NOON_MS).await.unwrap();
    assert!(books.admit(books.call(1), NOON_MS).await.is_err());
    sound(&books).await;
}

#[tokio::test]
async fn figures_that_were_changed_are_rebuilt_and_told() {
    let books = Books::with_limit(DOLLAR).await;
    let tenant = books.tenant;
    let (id, _) = admitted(&books).await;
    books.settle(id, reported(0, 1_300), NOON_MS).await.unwrap();
    let before = day(&books).await;
    books
        .tamper("UPDATE budget_window SET posted = 7, pending = 9, over_seq = 0")
        .await;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!((found.bad, found.differences.len()), (None, 1));
    let recovered = books
        .write(move |tx| recover(tx, tenant, at(NOON_MS), 10))
        .await
        .unwrap();
    let difference = &recovered.differences[0];
    assert_eq!(
        (
            difference.cached_posted_nano,
            difference.cached_pending_nano
        ),
        (7, 9)
    );
    assert_eq!(
        (difference.posted_nano, difference.pending_nano),
        (13 * CENT, 0)
    );
    assert_eq!(day(&books).await, before);
    // Frozen as before.
    assert!(books.admit(books.call(1), NOON_MS).await.is_err());
    sound(&books).await;
}

#[tokio::test]
async fn a_changed_transfer_is_found_by_its_number() {
    let books = Books::with_limit(DOLLAR).await;
    let tenant = books.tenant;
    for _ in 0..3 {
        let (id, _) = admitted(&books).await;
        books.settle(id, reported(100, 100), NOON_MS).await.unwrap();
    }
    let changed = books
        .write::<(), LedgerError, _>(|tx| {
            tx.execute("UPDATE transfer SET amount = 1 WHERE seq = 4", [])
                .map_err(convergio_store::at(tx, "change"))?;
            Ok(())
        })
        .await;
    assert!(changed.unwrap_err().to_string().contains("never changed"));
    sound(&books).await;
    books.tamper("DROP TRIGGER transfer_is_never_changed").await;
    for (change, back, seq, why) in [
        (
            "UPDATE transfer SET amount = amount + 1 WHERE seq = 4",
            "UPDATE transfer SET amount = amount - 1 WHERE seq = 4",
            4,
            "its content is not what was written",
        ),
        (
            "UPDATE transfer SET hash = zeroblob(32) WHERE seq = 6",
            "SELECT 1",
            6,
            "its content is not what was written",
        ),
        (
            "UPDATE transfer SET prev_hash = zeroblob(32) WHERE seq = 3",
            "SELECT 1",
            3,
            "it doesn't follow the one before",
        ),
        (
            "UPDATE transfer SET seq = 99 WHERE seq = 2",
            "SELECT 1",
            2,
            "it is missing",
        ),
    ] {
        books.tamper(change).await;
        let bad = books
            .read(move |conn| verify(conn, tenant))
            .await
            .bad
            .unwrap();
        assert_eq!((bad.seq, bad.why), (seq, why), "{change}");
        books.tamper(back).await;
    }
}

fn tiers(mode: TierMode) -> Rates {
    let row = |resource, tier_min_prompt, nano_per_million, quantum| PriceRow {
        provider: "p".into(),
        model: "m".into(),
        resource,
        service_tier: String::new(),
        tier_min_prompt,
        tier_mode: mode,
        nano_per_million,
        quantum,
    };
    let sheet = PriceSheet {
        source: "test".into(),
        effective_from_ms: 0,
        rows: vec![
            row(Resource::InUncached, 0, 1_000_000, 1),
            row(Resource::InUncached, 200, 2_000_000, 1),
            row(Resource::OutText, 0, 10_000_000, 1),
            row(Resource::OutText, 200, 30_000_000, 1),
            row(Resource::SttMs, 0, 1_000_000, 100),
        ],
    };
    Rates::from_sheet(&sheet, "p", "m").unwrap()
}

#[test]
fn tiers_and_quanta_apply_as_they_say() {
    let cost = |rates: &Rates, usage: Usage| rates.cost(&usage).unwrap().total_nano;
    let whole = tiers(TierMode::WholeRequest);
    for (input, output, nano) in [(199, 10, 199 + 100), (200, 10, 400 + 300), (300, 0, 600)] {
        assert_eq!(cost(&whole, used(input, output)), nano, "{input} {output}");
        assert!(whole.hold(input, u32::try_from(output).unwrap()).unwrap() >= nano);
    }
    let marginal = tiers(TierMode::Marginal);
    for (input, output, nano) in [
        (199, 0, 199),
        (200, 0, 200),
        (300, 0, 200 + 200),
        (300, 250, 400 + 2_000 + 1_500),
    ] {
        assert_eq!(
            cost(&marginal, used(input, output)),
            nano,
            "{input} {output}"
        );
        assert!(
            marginal
                .hold(input, u32::try_from(output).unwrap())
                .unwrap()
                >= nano
        );
    }
    let speech = |ms| Usage::default().with(Resource::SttMs, ms);
    assert_eq!(cost(&whole, speech(1)), 100);
    assert_eq!(cost(&whole, speech(100)), 100);
    assert_eq!(cost(&whole, speech(101)), 200);
    // A class without a price of its own costs the dearest of its kind.
    let cached = Usage::default().with(Resource::InCacheRead, 10);
    assert_eq!(cost(&whole, cached), 10);
}

#[tokio::test]
async fn a_price_table_is_known_by_its_content() {
    let books = Books::new().await;
    let tenant = books.tenant;
    let one = books.pinned().await;
    let mut turned = support::sheet();
    turned.rows.reverse();
    turned.source = "elsewhere".into();
    let same = books
        .write(move |tx| pin(tx, tenant, &turned, at(NOON_MS)))
        .await
        .unwrap();
    assert_eq!(one, same);
    let mut dearer = support::sheet();
    dearer.rows[0].nano_per_million += 1;
    let other = books
        .write(move |tx| pin(tx, tenant, &dearer, at(NOON_MS)))
        .await
        .unwrap();
    assert_ne!(one, other);
    let changes: [fn(&mut PriceSheet); 3] = [
        |sheet| sheet.rows[0].nano_per_million = -1,
        |sheet| sheet.rows[0].quantum = 0,
        |sheet| sheet.rows.push(sheet.rows[0].clone()),
    ];
    for change in changes {
        let mut wrong = support::sheet();
        change(&mut wrong);
        let error = books
            .write(move |tx| pin(tx, tenant, &wrong, at(NOON_MS)))
            .await;
        assert!(matches!(error, Err(LedgerError::Invalid { .. })));
    }
    // A table that prices only one side prices nothing.
    let mut half = support::sheet();
    half.rows.truncate(4);
    assert_eq!(Rates::from_sheet(&half, "mock", "large"), None);
}

#[tokio::test]
async fn an_attempt_keeps_the_prices_that_it_was_admitted_by() {
    let books = Books::with_limit(DOLLAR).await;
    let (id, _) = admitted(&books).await;
    let tenant = books.tenant;
    let mut dearer = support::sheet();
    for row in &mut dearer.rows {
        row.nano_per_million *= 10;
    }
    books
        .write(move |tx| pin(tx, tenant, &dearer, at(NOON_MS)))
        .await
        .unwrap();
    let settled = books.settle(id, reported(100, 100), NOON_MS).await.unwrap();
    assert_eq!(settled.amount_nano, 11_000_000);
}

/// Reasoning that nobody saw is billed all the same: what was held is taken, and said to be a guess.
#[tokio::test]
async fn what_may_have_been_reasoned_out_of_sight_is_taken_for_the_most() {
    let books = Books::with_limit(DOLLAR).await;
    let mut call = books.call(1_000);
    call.input_ceiling = 1_000;
    let permitted = books.admit(call, NOON_MS).await.unwrap();
    // Some providers count one token of output before the first.
    let said = Usage::default().with(Resource::InUncached, 10);
    let begun = said.with(Resource::OutText, 1);
    let id = permitted.permit().attempt_id;
    let settled = books
        .settle(id, AttemptEnding::Unseen(begun), NOON_MS)
        .await
        .unwrap();
    assert_eq!(settled.amount_nano, settled.hold_nano);
    assert_eq!(settled.amount_nano, 11 * CENT);
    assert_eq!(settled.source, UsageSource::EstimateCeiling);
    assert_eq!(settled.usage, said.with(Resource::OutText, 1_000));
    assert_eq!(
        (settled.overage_nano, settled.budgets[0].frozen),
        (0, false)
    );
}
