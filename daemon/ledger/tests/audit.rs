//! What can be looked up afterwards: the chain, the reasons, the rows, the invoices.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use convergio_ledger::{
    AttemptEnding, Drift, ExportFilter, GroupBy, LedgerError, Reconciliation, UsageQuery, apply,
    dispute, disputes, export_attempts, export_transfers, named_run, parse_invoice, reconcile,
    recover, usage, verify, why, withdraw_dispute,
};
use support::{Books, CENT, DOLLAR, HOUR_MS, NOON_MS, at, reported};
use uuid::Uuid;

/// Books with three settled calls of 2026-11-20, a dollar each, and one that was refused.
async fn three_dollars() -> (Books, Vec<Uuid>) {
    let books = Books::with_limit(100 * DOLLAR).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let now = NOON_MS + n;
        let permitted = books.admit(books.call(10_000), now).await.unwrap();
        let id = permitted.permit().attempt_id;
        // 10,000 tokens of output are a dollar.
        books
            .settle(id, reported(0, 10_000), now + 1)
            .await
            .unwrap();
        ids.push(id);
    }
    let permitted = books.admit(books.call(10_000), NOON_MS + 9).await.unwrap();
    let id = permitted.permit().attempt_id;
    books
        .settle(id, AttemptEnding::RefusedWhole, NOON_MS + 10)
        .await
        .unwrap();
    (books, ids)
}

async fn compare(books: &Books, file: &str) -> Reconciliation {
    let (tenant, file) = (books.tenant, file.to_owned());
    books
        .read(move |conn| {
            let invoice = parse_invoice(file.as_bytes(), None).unwrap();
            reconcile(conn, tenant, &invoice)
        })
        .await
}

async fn correct(books: &Books, file: &str) -> usize {
    let (tenant, file) = (books.tenant, file.to_owned());
    books
        .write(move |tx| {
            let invoice = parse_invoice(file.as_bytes(), None).unwrap();
            let found = reconcile(tx, tenant, &invoice)?;
            Ok::<_, LedgerError>(apply(tx, tenant, &found, &[1; 32], at(NOON_MS))?.len())
        })
        .await
        .unwrap()
}

fn neutral(rows: &[&str]) -> String {
    format!(
        "day,provider,model,resource,quantity,amount_usd\n{}\n",
        rows.join("\n")
    )
}

#[tokio::test]
async fn a_changed_byte_of_any_column_is_named() {
    let (books, _) = three_dollars().await;
    let tenant = books.tenant;
    books.tamper("DROP TRIGGER transfer_is_never_changed").await;
    // Each on the third row, and put back.
    for (change, back) in [
        ("amount = amount + 1", "amount = amount - 1"),
        ("kind = 'grant'", "kind = 'pending'"),
        (
            "debit = debit || 'x'",
            "debit = substr(debit, 1, length(debit) - 1)",
        ),
        (
            "credit = credit || 'x'",
            "credit = substr(credit, 1, length(credit) - 1)",
        ),
        ("unit = 'nano_usD'", "unit = 'nano_usd'"),
        ("wall_ms = wall_ms + 1", "wall_ms = wall_ms - 1"),
        ("mono_ns = mono_ns + 1", "mono_ns = mono_ns - 1"),
        (
            "boot_id = x'00000000000000000000000000000008'",
            "boot_id = x'00000000000000000000000000000007'",
        ),
        (
            "attempt_id = NULL",
            "attempt_id = (SELECT p.attempt_id FROM transfer p WHERE p.pending_id = transfer.id)",
        ),
        (
            "prev_hash = zeroblob(32)",
            "prev_hash = (SELECT p.hash FROM transfer p WHERE p.seq = 2)",
        ),
        (
            "hash = zeroblob(32)",
            "hash = (SELECT p.prev_hash FROM transfer p WHERE p.seq = 4)",
        ),
    ] {
        for (set, expected) in [(change, Some(3)), (back, None)] {
            let sql = format!("UPDATE transfer SET {set} WHERE seq = 3");
            books.tamper(Box::leak(sql.into_boxed_str())).await;
            let found = books.read(move |conn| verify(conn, tenant)).await;
            assert_eq!(found.bad.map(|bad| bad.seq), expected, "{set}");
        }
    }
    books
        .tamper("UPDATE transfer SET id = zeroblob(16) WHERE seq = 8")
        .await;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(found.bad.map(|bad| bad.seq), Some(8));
    // Who was resolved is in the hash as well.
    books.tamper("UPDATE transfer SET pending_id = (SELECT id FROM transfer WHERE seq = 2) WHERE seq = 4").await;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(found.bad.map(|bad| bad.seq), Some(4));
}

#[tokio::test]
async fn a_number_that_is_gone_is_named() {
    let (books, _) = three_dollars().await;
    let tenant = books.tenant;
    books
        .tamper(
            "DROP TRIGGER transfer_is_never_changed; UPDATE transfer SET seq = 99 WHERE seq = 8",
        )
        .await;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(
        found.bad.map(|bad| (bad.seq, bad.why)),
        Some((8, "it is missing"))
    );
    assert_eq!(found.rows, 7);
}

#[tokio::test]
async fn a_cache_a_cost_and_a_price_that_were_changed_are_named() {
    let (books, ids) = three_dollars().await;
    let tenant = books.tenant;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert!(found.is_sound() && found.rows == 8, "{found:?}");
    books
        .tamper(
            "UPDATE budget_window SET posted = posted - 1; \
             UPDATE attempt SET cost_nano = cost_nano + 1 WHERE n = 1 AND cost_nano > 0; \
             UPDATE price SET nano_per_million = nano_per_million + 1 WHERE resource = 'out_text'",
        )
        .await;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert!(!found.is_sound() && found.bad.is_none(), "{found:?}");
    assert_eq!(found.differences.len(), 1, "{found:?}");
    let difference = &found.differences[0];
    assert_eq!(difference.posted_nano, difference.cached_posted_nano + 1);
    assert_eq!(found.attempts.len(), ids.len());
    assert_eq!(found.prices.len(), 1);
}

/// Whatever of an ended call means money or a quantity is recomputed.
#[tokio::test]
async fn a_changed_column_of_an_attempt_is_named_with_its_row() {
    let (books, ids) = three_dollars().await;
    let tenant = books.tenant;
    let local = books.call_here(NOON_MS + 20).await;
    books
        .settle(local, reported(10, 10), NOON_MS + 21)
        .await
        .unwrap();
    // One more than was held; one whose output was never seen; one whose end nobody saw; one that
    // goes on.
    let mut more = Vec::new();
    for n in 0..4 {
        let call = books.call(10_000);
        let permitted = books.admit(call, NOON_MS + 30 + n).await.unwrap();
        more.push(permitted.permit().attempt_id);
    }
    books
        .settle(more[0], reported(0, 12_000), NOON_MS + 40)
        .await
        .unwrap();
    let unseen = AttemptEnding::Unseen(convergio_models_api::Usage::default());
    books.settle(more[1], unseen, NOON_MS + 41).await.unwrap();
    let sound = books.read(move |conn| verify(conn, tenant)).await;
    assert!(sound.is_sound(), "{sound:?}");

    let one = format!("id = x'{}'", ids[1].simple());
    let over = format!("id = x'{}'", more[0].simple());
    let held = format!("id = x'{}'", more[1].simple());
    let open = format!("id = x'{}'", more[2].simple());
    let here = format!("id = x'{}'", local.simple());
    for (set, of) in [
        ("provider = 'else'", &one),
        ("model = 'small'", &one),
        ("local = 1", &one),
        ("state = 'unknown'", &one),
        ("state = 'voided'", &one),
        ("input_ceiling = input_ceiling + 1", &one),
        ("max_output = max_output - 1", &one),
        ("est_nano = est_nano - 1", &one),
        ("cost_nano = cost_nano - 1", &one),
        ("cost_nano = 0", &one),
        (r#"usage_json = '{"in_uncached":0,"out_text":1}'"#, &one),
        (
            r#"usage_json = '{"in_uncached":0,"out_reasoning":10000}'"#,
            &one,
        ),
        (r#"usage_json = '{"out_text":-1}'"#, &one),
        ("usage_json = NULL", &one),
        ("usage_json = 'none'", &one),
        (r#"lines_json = '{"in_uncached":0,"out_text":1}'"#, &one),
        ("lines_json = NULL", &one),
        (
            r#"usage_json = '{"in_uncached":0,"out_text":10}', lines_json = '{"in_uncached":0,"out_text":1000000}'"#,
            &one,
        ),
        (
            r#"usage_json = '{"in_uncached":0,"out_text":10}', lines_json = '{"in_uncached":0,"out_text":1000000}', cost_nano = 1000000"#,
            &one,
        ),
        ("usage_source = 'nothing'", &one),
        ("usage_source = 'estimate_ceiling'", &one),
        ("cost_nano = est_nano", &over),
        (r#"usage_json = '{"out_text":10000}'"#, &over),
        (r#"usage_json = '{"out_text":1}'"#, &held),
        (r#"lines_json = '{"out_text":1}'"#, &held),
        ("est_nano = est_nano + 1", &open),
        (r#"usage_json = '{"out_text":1}'"#, &open),
        ("state = 'settled', ended_ms = 1, cost_nano = 0", &open),
        ("cost_nano = 1", &here),
        ("local = 0", &here),
    ] {
        let sql = format!(
            "CREATE TABLE was AS SELECT * FROM attempt WHERE {of}; \
             UPDATE attempt SET price_version_id = \
                coalesce(price_version_id, (SELECT id FROM price_version)), {set} WHERE {of}"
        );
        books.tamper(Box::leak(sql.into_boxed_str())).await;
        let found = books.read(move |conn| verify(conn, tenant)).await;
        let named: Vec<String> = found
            .attempts
            .iter()
            .map(|fault| format!("id = x'{}'", fault.attempt_id.simple()))
            .collect();
        assert_eq!(named, [of.as_str()], "{set}: {found:?}");
        assert!(!found.is_sound() && !found.attempts[0].why.is_empty());
        assert_eq!(found.attempts[0].seq.is_some(), of != &here, "{set}");
        let sql = format!(
            "DELETE FROM attempt WHERE {of}; INSERT INTO attempt SELECT * FROM was; DROP TABLE was"
        );
        books.tamper(Box::leak(sql.into_boxed_str())).await;
    }
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(found, sound);
    let sql = format!("DELETE FROM attempt WHERE {one}");
    books.tamper(Box::leak(sql.into_boxed_str())).await;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(found.attempts.len(), 1, "{found:?}");
    assert_eq!(
        (found.attempts[0].attempt_id, found.attempts[0].seq),
        (ids[1], Some(3))
    );
}

/// What a crash and every kind of end leave is sound.
#[tokio::test]
async fn what_a_crash_leaves_is_sound() {
    let (books, _) = three_dollars().await;
    let tenant = books.tenant;
    for n in 0..3 {
        books
            .admit(books.call(10_000), NOON_MS + 30 + n)
            .await
            .unwrap();
    }
    books.call_here(NOON_MS + 50).await;
    let absurd = books.admit(books.call(10), NOON_MS + 60).await.unwrap();
    let absurd = absurd.permit().attempt_id;
    books
        .settle(absurd, reported(u64::MAX, 1), NOON_MS + 61)
        .await
        .unwrap();
    let books = books.crash().await;
    books
        .write(move |tx| recover(tx, tenant, at(NOON_MS + 70), 500))
        .await
        .unwrap();
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert!(found.is_sound(), "{found:?}");
}

#[tokio::test]
async fn an_invoice_that_agrees_is_said_to_and_three_percent_more_is_a_drift_that_changes_nothing()
{
    let (books, _) = three_dollars().await;
    let tenant = books.tenant;
    let same = neutral(&["2026-11-20,mock,large,out_text,30000,3.00"]);
    let found = compare(&books, &same).await;
    assert!(found.differences.is_empty(), "{found:?}");
    assert_eq!((found.days_within, found.local_nano), (1, 3 * DOLLAR));
    // A hundredth is within the tolerance, a tenth more than that is not.
    let near = neutral(&["2026-11-20,mock,large,out_text,30000,3.03"]);
    assert!(compare(&books, &near).await.differences.is_empty());
    let far = neutral(&["2026-11-20,mock,large,out_text,30000,3.04"]);
    assert_eq!(compare(&books, &far).await.differences.len(), 1);

    let before = books.read(move |conn| verify(conn, tenant)).await;
    let more = neutral(&["2026-11-20,mock,large,out_text,30000,3.09"]);
    let found = compare(&books, &more).await;
    let one = &found.differences[0];
    assert_eq!(one.drift, Drift::PriceDrift);
    assert_eq!(
        (one.local_nano, one.remote_nano),
        (3 * DOLLAR, Some(309 * CENT))
    );
    assert_eq!((one.adjust_nano, one.attempts), (Some(9 * CENT), 3));
    assert_eq!(books.read(move |conn| verify(conn, tenant)).await, before);
}

#[tokio::test]
async fn a_correction_is_a_row_of_the_chain_and_is_made_once() {
    let (books, _) = three_dollars().await;
    let tenant = books.tenant;
    let more = neutral(&["2026-11-20,mock,large,out_text,30000,3.09"]);
    assert_eq!(correct(&books, &more).await, 1);
    assert_eq!(correct(&books, &more).await, 0);
    let after = compare(&books, &more).await;
    assert!(
        after.differences.is_empty() && after.days_within == 1,
        "{after:?}"
    );
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert!(found.is_sound() && found.rows == 9, "{found:?}");
    // The provider thinks again, and bills less.
    let less = neutral(&["2026-11-20,mock,large,out_text,30000,2.50"]);
    assert_eq!(correct(&books, &less).await, 1);
    let rows = books
        .read(move |conn| export_transfers(conn, tenant, &all()))
        .await
        .rows;
    let last = rows.last().unwrap();
    assert_eq!((last.kind.as_str(), last.amount), ("adjust", 59 * CENT));
    assert_eq!(
        (last.debit.as_str(), last.credit.as_str()),
        ("owed/mock", "spent/mock/large")
    );
    // Usage says what was corrected beside what the calls cost, which no invoice changes.
    for by in [GroupBy::Day, GroupBy::Model, GroupBy::Provider] {
        let query = UsageQuery {
            since_ms: None,
            until_ms: None,
            by,
            run_id: None,
            zone: "UTC".into(),
            limit: 10,
        };
        let report = books.read(move |conn| usage(conn, tenant, &query)).await;
        assert_eq!(report.total.cost_nano, 3 * DOLLAR);
        assert_eq!(report.total.adjusted_nano, -50 * CENT);
        assert_eq!(report.rows[0].totals.adjusted_nano, -50 * CENT, "{by}");
    }
    books
        .tamper("UPDATE adjustment SET signed_nano = 1 WHERE signed_nano > 0")
        .await;
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(found.adjustments, [9]);
}

#[tokio::test]
async fn a_model_that_answers_under_a_longer_name_is_one_model() {
    let (books, _) = three_dollars().await;
    books
        .tamper("UPDATE attempt SET answered_by = 'large-2026-01-01' WHERE cost_nano > 0")
        .await;
    for name in ["large", "large-2026-01-01", "Large 2026-01-01"] {
        let file = neutral(&[&format!("2026-11-20,mock,{name},,,3.09")]);
        let found = compare(&books, &file).await;
        let [one] = found.differences.as_slice() else {
            unreachable!("{found:?}")
        };
        assert_eq!((one.model.as_deref(), one.attempts), (Some("large"), 3));
    }
    let more = neutral(&["2026-11-20,mock,large-2026-01-01,,,3.09"]);
    assert_eq!(correct(&books, &more).await, 1);
    assert_eq!(correct(&books, &more).await, 0);
    let less = neutral(&["2026-11-20,mock,large,,,3.00"]);
    assert_eq!(correct(&books, &less).await, 1);
    assert_eq!(correct(&books, &less).await, 0);
}

fn all() -> ExportFilter {
    ExportFilter {
        limit: 500,
        ..ExportFilter::default()
    }
}

#[tokio::test]
async fn what_one_side_lacks_and_what_was_used_otherwise_are_told_apart() {
    let (books, _) = three_dollars().await;
    let found = compare(
        &books,
        &neutral(&[
            "2026-11-19,mock,large,,,1.00",
            "2026-11-20,mock,small,,,0.50",
        ]),
    )
    .await;
    let told: Vec<(&str, Option<&str>, Drift, Option<i64>)> = found
        .differences
        .iter()
        .map(|one| {
            (
                one.day.as_str(),
                one.model.as_deref(),
                one.drift,
                one.adjust_nano,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "2026-11-19",
                Some("large"),
                Drift::MissingLocal,
                Some(DOLLAR)
            ),
            (
                "2026-11-20",
                Some("large"),
                Drift::MissingRemote,
                Some(-3 * DOLLAR)
            ),
            (
                "2026-11-20",
                Some("small"),
                Drift::MissingLocal,
                Some(50 * CENT)
            ),
        ]
    );
    let used = neutral(&["2026-11-20,mock,large,out_text,40000,4.00"]);
    assert_eq!(
        compare(&books, &used).await.differences[0].drift,
        Drift::UsageDrift
    );
    // Quantities alone have the books' own prices, and correct nothing.
    let tokens = neutral(&["2026-11-20,mock,large,out_text,40000,"]);
    let found = compare(&books, &tokens).await;
    let one = &found.differences[0];
    assert_eq!(
        (one.drift, one.remote_nano),
        (Drift::UsageDrift, Some(4 * DOLLAR))
    );
    assert_eq!((one.remote_said, one.adjust_nano), (false, None));
    assert_eq!(correct(&books, &tokens).await, 0);
    // A day of money without models is compared as a day.
    let day = "start_time,amount_value,amount_currency,line_item\n1795132800,3.00,usd,\n";
    let invoice = parse_invoice(day.as_bytes(), Some("mock")).unwrap();
    let tenant = books.tenant;
    let found = books
        .read(move |conn| reconcile(conn, tenant, &invoice))
        .await;
    assert!(
        found.differences.is_empty() && found.days_within == 1,
        "{found:?}"
    );
    // A call that is under way is said to be.
    books.admit(books.call(1_000), NOON_MS + 20).await.unwrap();
    assert_eq!(compare(&books, &used).await.open, 1);
}

#[tokio::test]
async fn every_line_of_a_cost_can_be_added_up_by_hand() {
    let books = Books::with_limit(100 * DOLLAR).await;
    let tenant = books.tenant;
    let mut call = books.call(1_000);
    call.input_ceiling = 2_500;
    let permitted = books.admit(call, NOON_MS).await.unwrap();
    let permit = permitted.permit();
    let (run_id, attempt_id) = (permit.run_id, permit.attempt_id);
    books
        .settle(attempt_id, reported(1_203, 1_707), NOON_MS + 5)
        .await
        .unwrap();
    let found = books.read(move |conn| why(conn, tenant, run_id)).await;
    let [one] = found.as_slice() else {
        panic!("{found:?}")
    };
    let hold = one.hold.as_ref().unwrap();
    let held: i64 = hold
        .steps
        .iter()
        .flatten()
        .map(|step| i64::try_from(step.quantity).unwrap() * (step.nano_per_million / 1_000_000))
        .sum();
    assert_eq!((held, hold.amount_nano), (hold.amount_nano, 125_000_000));
    assert_eq!(one.prices.as_ref().unwrap().source, "test");
    assert_eq!(one.budgets.len(), 1);
    assert_eq!(one.budgets[0].limit_nano, 100 * DOLLAR);
    let mut sum = 0;
    for line in &one.lines {
        let of_steps: i64 = line
            .steps
            .iter()
            .map(|step| i64::try_from(step.quantity).unwrap() * step.nano_per_million / 1_000_000)
            .sum();
        assert_eq!(of_steps, line.amount_nano, "{line:?}");
        sum += line.amount_nano;
    }
    assert_eq!(Some(sum), one.row.cost_nano);
    assert_eq!(one.overage_nano, sum - hold.amount_nano);
    let kinds: Vec<&str> = one.transfers.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["pending", "post", "overage"]);
    assert_eq!(one.transfers[1].prev_hash, one.transfers[0].hash);
    // A run is named by the digits that a person copies.
    let digits = run_id.simple().to_string();
    for text in [
        digits.clone(),
        run_id.to_string(),
        digits[..8].to_owned(),
        digits[24..].to_uppercase(),
        attempt_id.to_string(),
    ] {
        let named = books
            .read(move |conn| named_run(conn, tenant, Some(&text)))
            .await;
        assert_eq!(named, [run_id]);
    }
    assert_eq!(
        books.read(move |conn| named_run(conn, tenant, None)).await,
        [run_id]
    );
    for text in ["abc", "zzzz", "_%%%%"] {
        let refused = books
            .store
            .read("name", move |conn| named_run(conn, tenant, Some(text)))
            .await;
        assert!(
            matches!(refused, Err(LedgerError::Invalid { .. })),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_export_has_every_row_once_whatever_the_pages() {
    let (books, _) = three_dollars().await;
    let tenant = books.tenant;
    let (mut attempts, mut transfers) = (Vec::new(), Vec::new());
    let mut filter = ExportFilter { limit: 1, ..all() };
    loop {
        let page = books
            .read(move |conn| export_attempts(conn, tenant, &filter))
            .await;
        assert_eq!(page.rows_total, 4);
        attempts.extend(page.rows);
        let Some(next) = page.next else { break };
        filter.cursor = Some(next.to_string().parse().unwrap());
    }
    filter = ExportFilter { limit: 3, ..all() };
    loop {
        let page = books
            .read(move |conn| export_transfers(conn, tenant, &filter))
            .await;
        assert_eq!(page.rows_total, 8);
        transfers.extend(page.rows);
        let Some(next) = page.next else { break };
        filter.cursor = Some(next);
    }
    assert_eq!(attempts.len(), 4);
    assert!(
        attempts
            .windows(2)
            .all(|two| two[0].started_ms < two[1].started_ms)
    );
    let numbers: Vec<i64> = transfers.iter().map(|row| row.seq).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
    let later = ExportFilter {
        since_ms: Some(NOON_MS + HOUR_MS),
        ..all()
    };
    let page = books
        .read(move |conn| export_attempts(conn, tenant, &later))
        .await;
    assert!(page.rows.is_empty() && page.rows_total == 0 && page.next.is_none());
}

#[tokio::test]
async fn a_dispute_is_a_mark_that_can_be_taken_back() {
    let (books, ids) = three_dollars().await;
    let (tenant, id) = (books.tenant, ids[0]);
    for note in [Some("billed twice"), None] {
        let marked = books
            .write(move |tx| dispute(tx, tenant, id, note, at(NOON_MS + 50)))
            .await
            .unwrap();
        assert_eq!(marked.note.as_deref(), Some("billed twice"));
        assert_eq!((marked.cost_nano, marked.withdrawn_ms), (DOLLAR, None));
    }
    for later in [60, 70] {
        let marked = books
            .write(move |tx| withdraw_dispute(tx, tenant, id, at(NOON_MS + later)))
            .await
            .unwrap();
        assert_eq!(marked.withdrawn_ms, Some(NOON_MS + 60));
    }
    assert_eq!(
        books.read(move |conn| disputes(conn, tenant)).await.len(),
        1
    );
    let nobody = Uuid::now_v7();
    let refused = books
        .write(move |tx| dispute(tx, tenant, nobody, None, at(NOON_MS)))
        .await;
    assert!(
        matches!(refused, Err(LedgerError::NotFound { .. })),
        "{refused:?}"
    );
    let open = books.admit(books.call(1_000), NOON_MS + 80).await.unwrap();
    let open = open.permit().attempt_id;
    let refused = books
        .write(move |tx| dispute(tx, tenant, open, None, at(NOON_MS)))
        .await;
    assert!(
        matches!(refused, Err(LedgerError::Invalid { .. })),
        "{refused:?}"
    );
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert!(found.is_sound(), "{found:?}");
}
