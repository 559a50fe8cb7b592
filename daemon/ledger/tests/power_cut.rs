//! Power cuts under the ledger: what was admitted is held or ended, what was settled stays settled.
//!
//! `CONVERGIO_CYCLES` sets the number of seeds, `CONVERGIO_SEED` runs just one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "used in part here, in full by other tests")]
#[path = "../../store/tests/support/power_cut/mod.rs"]
mod power_cut;
#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use convergio_ledger::{
    AttemptEnding, Denied, LedgerError, Recovered, Settlement, admit, attempts_of_run, pin,
    recover, settle, verify,
};
use power_cut::{Disk, Plan, Rng, VFS};
use support::{Books, DOLLAR, NOON_MS, at, reported, sheet};
use uuid::Uuid;

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("CONVERGIO_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("CONVERGIO_CYCLES").unwrap_or(40)).collect(),
    }
}

/// What a provider would have seen: attempts that were permitted, by run, and what they were told
/// to have cost.
type Heard = Arc<Mutex<BTreeMap<Uuid, (Uuid, Option<i64>)>>>;

/// Three clients at once, each until its first error or its last call.
async fn traffic(books: &Books, heard: &Heard, rng: &mut Rng) {
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (store, tenant, heard) = (books.store.clone(), books.tenant, Arc::clone(heard));
            let calls: Vec<_> = (0..4).map(|_| books.call(100)).collect();
            let mut rng = Rng::new(rng.next());
            tokio::spawn(async move {
                for mut call in calls {
                    let run_id = call.run_id;
                    let permitted = store
                        .write("admit", move |tx| {
                            call.prices = Some(pin(tx, tenant, &sheet(), at(NOON_MS))?);
                            admit(tx, call, at(NOON_MS))
                        })
                        .await;
                    let Ok(permitted) = permitted.map_err(|_: Denied| ()) else {
                        return;
                    };
                    let attempt_id = permitted.permit().attempt_id;
                    heard.lock().unwrap().insert(attempt_id, (run_id, None));
                    let ending = match rng.below(3) {
                        0 => continue,
                        1 => AttemptEnding::NothingSent,
                        _ => reported(0, 50),
                    };
                    let settlement = Settlement {
                        attempt_id,
                        ending,
                        provider_req_id: None,
                        model: None,
                        stop: None,
                    };
                    let settled = store
                        .write("settle", move |tx| settle(tx, &settlement, at(NOON_MS)))
                        .await;
                    let Ok(settled) = settled.map_err(|_: LedgerError| ()) else {
                        return;
                    };
                    let told = (run_id, Some(settled.amount_nano));
                    heard.lock().unwrap().insert(attempt_id, told);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// After a start: every attempt that was permitted is written down and has its one end, every end
/// that was answered is what it was, and the books are sound.
async fn check(books: &Books, heard: &Heard, what: &str) {
    let tenant = books.tenant;
    let again = books
        .write(move |tx| recover(tx, tenant, at(NOON_MS), 1_000))
        .await
        .unwrap();
    assert_eq!(again, Recovered::default(), "{what}");
    let found = books.read(move |conn| verify(conn, tenant)).await;
    assert_eq!(found.bad, None, "{what}");
    assert_eq!(found.differences, vec![], "{what}");
    assert_eq!(found.attempts, vec![], "{what}");
    let heard = heard.lock().unwrap().clone();
    for (attempt_id, (run_id, told)) in heard {
        let rows = books
            .read(move |conn| attempts_of_run(conn, tenant, run_id))
            .await;
        let ids: Vec<_> = rows.iter().map(|row| row.attempt_id).collect();
        assert_eq!(ids, [attempt_id], "{what}: permitted and not written down");
        match told {
            Some(cost) => assert_eq!(rows[0].cost_nano, Some(cost), "{what}"),
            // The full hold, or the end that was committed and never answered.
            None => assert!(rows[0].cost_nano.is_some(), "{what}"),
        }
    }
}

#[tokio::test]
async fn a_power_cut_loses_no_hold_and_no_end() {
    let (mut cuts, mut kept, mut unknown) = (0, 0, 0);
    for seed in seeds() {
        let mut rng = Rng::new(seed);
        let first = Books::with_limit(DOLLAR).await;
        let (home, dir) = (Arc::clone(&first.home), first.dir.clone());
        first.store.clone().close().await.unwrap();
        let disk = Disk::install(&dir);
        let heard = Heard::default();
        for cycle in 0..3 {
            let what = format!("seed {seed}, cycle {cycle}");
            let plan = Plan {
                cut_at: Some(1 + rng.below(160)),
                ..Plan::default()
            };
            disk.arm(plan, rng.next());
            if let Ok(books) = Books::open(&home, dir.clone(), Some(VFS)).await {
                traffic(&books, &heard, &mut rng).await;
                let _ = books.store.clone().close().await;
            }
            cuts += usize::from(disk.is_dead());
            disk.crash();
            let books = Books::open(&home, dir.clone(), Some(VFS)).await.unwrap();
            let tenant = books.tenant;
            let recovered = books
                .write(move |tx| recover(tx, tenant, at(NOON_MS), 1_000))
                .await
                .unwrap();
            assert_eq!(recovered.differences, vec![], "{what}");
            assert_eq!(recovered.voided, Vec::<Uuid>::new(), "{what}");
            unknown += recovered.unknown.len();
            check(&books, &heard, &what).await;
            books.store.clone().close().await.unwrap();
        }
        kept += heard.lock().unwrap().len();
        power_cut::remove(&disk);
    }
    println!("{cuts} power cuts, {kept} permitted calls kept, {unknown} posted at their hold");
    assert!(
        cuts > 0 && kept > 0 && unknown > 0,
        "the test tested nothing"
    );
}
