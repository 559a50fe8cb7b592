//! Books that can be audited: what was changed behind their back is found, what a provider bills
//! beyond them is shown, and a clock that is set back gives nothing away.

use std::fs;

use convergio_fake_provider::{Reply, Script};
use convergio_ledger::{
    Now, Window,
    quota::{self, Quota, QuotaError, Unit},
};
use convergio_store::{Connection, DATABASE_FILE, Store, StoreOptions, at};
use rustix::process::Signal;
use serde_json::Value;

use super::{asked, capped, is_sound, question, usd};
use crate::{
    ask::{House, file, json_of, three_lines},
    harness::{
        books::Books,
        daemon::Daemon,
        process::{LIMIT, ended_within, signal},
        wire::{Wire, new_id},
    },
};

const DOLLAR: u64 = 1_000_000_000;
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// A house whose day has cost something: four answers, twelve transfers or so.
fn busy() -> House {
    let reply = Reply::text("Hello there.")
        .usage(40, 4_000)
        .ignoring_max_output();
    let house = capped(Script::always(reply), 10 * DOLLAR);
    let _daemon = Daemon::start(&house.home);
    let mut wire = Wire::open(&house.home);
    for _ in 0..4 {
        let end = asked(&mut wire, &question(&house, &new_id(), "Why?", 4_000)).unwrap();
        assert_eq!(end["type"], "completed", "{end}");
    }
    is_sound(&house, "before it is touched");
    house
}

/// Flips the lowest bit of the first byte where these bytes stand in the file, at their `nth`
/// place.
fn flip(house: &House, bytes: &[u8], nth: usize) {
    let path = house.home.convergio().join("data").join(DATABASE_FILE);
    let conn = Connection::open(&path).expect("the database opens");
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("a checkpoint");
    drop(conn);
    let mut content = fs::read(&path).expect("a file");
    let places: Vec<usize> = content
        .windows(bytes.len())
        .enumerate()
        .filter(|(_, window)| *window == bytes)
        .map(|(at, _)| at)
        .collect();
    let place = places.get(nth);
    let place = *place.unwrap_or_else(|| panic!("{nth} of {} places", places.len()));
    content[place] ^= 1;
    fs::write(&path, content).expect("a file");
}

/// Check 8.
#[test]
fn one_flipped_byte_of_the_ledger_is_named_by_its_number() {
    for (seq, nth) in [(1_i64, 0_usize), (3, 0), (3, 1), (6, 0)] {
        let house = busy();
        let sound = house.cv(&["usage", "verify"]);
        assert_eq!(sound.code, Some(0), "{sound:?}");
        let pid = house.home.owner().expect("a daemon");
        signal(pid, Signal::TERM);
        assert!(ended_within(pid, LIMIT), "it ends when it is asked to");
        let hashes = |house: &House| -> Vec<(i64, [u8; 32], [u8; 32])> {
            let conn = Connection::open(house.home.convergio().join("data").join(DATABASE_FILE));
            let conn = conn.expect("the database opens");
            let mut statement = conn
                .prepare("SELECT seq, prev_hash, hash FROM transfer ORDER BY seq")
                .expect("transfers");
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            let rows = rows.and_then(Iterator::collect);
            rows.expect("hashes")
        };
        let before = hashes(&house);
        // A hash stands in its row, and in the next as that of the one before.
        let hash = before[seq as usize - 1].2;
        flip(&house, &hash, nth);
        let after = hashes(&house);
        let changed = before.iter().zip(&after).find(|(was, is)| was != is);
        let bad = changed.expect("a byte of the ledger").0.0;
        assert!(bad == seq || bad == seq + 1, "{bad}");
        let ran = house.cv(&["usage", "verify"]);
        three_lines(&ran, 70);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains(&format!("row {bad}:")), "{bad}: {ran:?}");
        let ran = house.cv(&["usage", "verify", "--format", "json"]);
        assert_eq!(ran.code, Some(70), "{ran:?}");
        let document = json_of(&ran);
        assert_eq!(document["sound"], false, "{document}");
        assert_eq!(document["first_bad_seq"], bad, "{document}");
        assert_eq!(
            document["rows"],
            bad - 1,
            "those before it are sound: {document}"
        );
    }
}

/// What the provider would write on its invoice, so many thousandths of what the books say.
fn invoice(house: &House, thousandths: u64) -> String {
    // One day: midnight comes between the calls at most once in a while, and then says so here.
    let day = Books::open(&house.home)
        .text("SELECT DISTINCT date(started_ms / 1000, 'unixepoch') FROM attempt");
    let line = |resource: &str, quantity: u64, nano: u64| {
        let amount = usd(nano * thousandths / 1_000);
        format!("{day},mock,gpt-test,{resource},{quantity},{amount}\n")
    };
    format!(
        "day,provider,model,resource,quantity,amount_usd\n{}{}",
        line("in_uncached", 4 * 40, 4 * 40 * 3_000),
        line("out_text", 4 * 4_000, 4 * 4_000 * 100_000),
    )
}

/// Check 9.
#[test]
fn an_invoice_that_is_three_per_cent_dearer_is_price_drift_and_changes_nothing() {
    let house = busy();
    assert_eq!(house.cv(&["status"]).code, Some(0));
    let was = Books::open(&house.home).history();
    for (thousandths, drift) in [(1_000, None), (1_005, None), (1_030, Some("price_drift"))] {
        let path = file(&house, "invoice.csv", &invoice(&house, thousandths));
        let path = path.to_str().expect("a plain path");
        let ran = house.cv(&["usage", "reconcile", path, "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let document = json_of(&ran);
        let differences = document["differences"].as_array().expect("a list");
        let drifts: Vec<&Value> = differences.iter().map(|one| &one["drift"]).collect();
        match drift {
            None => assert!(drifts.is_empty(), "{thousandths}: {document}"),
            Some(drift) => assert_eq!(drifts, [drift], "{thousandths}: {document}"),
        }
        let said = house.cv(&["usage", "reconcile", path]);
        assert_eq!(said.code, Some(0), "{said:?}");
        // Compared, not corrected.
        assert_eq!(Books::open(&house.home).history(), was, "{thousandths}");
    }
    is_sound(&house, "after three invoices");
}

fn open(home: &std::path::Path) -> Store {
    Store::open(&StoreOptions::new(&home.join("data"))).expect("a store")
}

/// Check 7, on the store that the daemon has: quotas bind agents of packs.
#[tokio::test]
async fn a_clock_two_days_back_gives_no_sixth_free_review() {
    let home = tempfile::tempdir().expect("a folder");
    let mut store = open(home.path());
    let tenant: uuid::Uuid = {
        let read = store.read("the tenant", |conn| {
            conn.query_row("SELECT tenant_id FROM profile", [], |row| row.get(0))
                .map_err(at(conn, "the tenant"))
        });
        read.await.expect("a profile")
    };
    let rex = Quota {
        tenant_id: tenant,
        agent: "rex",
        unit: Unit::Review,
    };
    let today = Now::system();
    let shifted = |days: i64| Now {
        wall_ms: today.wall_ms + days * DAY_MS,
        ..today
    };
    store
        .write("grant", move |tx| {
            quota::grant(tx, &rex, Window::Day, 5, "UTC", today)
        })
        .await
        .expect("a grant");
    for review in 1..=5 {
        // Every other one comes after a restart.
        if review % 2 == 0 {
            drop(store);
            store = open(home.path());
        }
        let used = store.write("a review", move |tx| {
            let hold = quota::reserve(tx, &rex, today)?;
            quota::post(tx, tenant, hold, today)?;
            Ok::<_, QuotaError>(())
        });
        used.await
            .unwrap_or_else(|error| panic!("review {review}: {error}"));
    }
    for (days, what) in [(0, "today"), (-2, "two days back"), (-400, "a year back")] {
        drop(store);
        store = open(home.path());
        let now = shifted(days);
        let denied = store
            .write("one more", move |tx| quota::reserve(tx, &rex, now))
            .await;
        match denied {
            Err(QuotaError::Exhausted {
                limit: 5, used: 5, ..
            }) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
    // Forward again, but the day that begins is one that was seen before: nothing is renewed until
    // the clock is past what it was.
    let now = shifted(-1);
    let denied = store
        .write("one more", move |tx| quota::reserve(tx, &rex, now))
        .await;
    assert!(
        matches!(denied, Err(QuotaError::Exhausted { .. })),
        "{denied:?}"
    );
    let now = shifted(1);
    let admitted = store
        .write("tomorrow", move |tx| quota::reserve(tx, &rex, now))
        .await;
    assert!(
        admitted.is_ok(),
        "a day that is new to all clocks: {admitted:?}"
    );
}
