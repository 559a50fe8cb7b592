//! A call's money beside what SQLite itself takes on the same disk: the two commits of one call
//! beside two commits of one bare row, all durable, alternating; an admission without its sync;
//! and how many admissions a second many callers get through the one writer.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use convergio_benches::{median, percentile, row, sync_median, time};
use convergio_contract::Uuid;
use convergio_ledger::{
    Admission, AttemptEnding, Denied, LedgerError, Now, PriceSheet, PriceVersion, Settlement,
    Simple, admit, pin, set_day_budget, settle,
};
use convergio_models_api::{Message, ModelRequest, Policy, Resource, Role, Usage};
use convergio_store::{Connection, Store, StoreOptions};
use tokio::task::JoinSet;

const CALLS: usize = 500;
/// Callers that ask at once, and for how long in one turn.
const CALLERS: usize = 256;
const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 3;
/// What is wanted of many callers, and of one admission without its sync.
const ADMISSIONS_PER_SECOND: f64 = 1_000.0;
const ADMIT_MAX: Duration = Duration::from_millis(1);
const DOLLAR_NANO: i64 = 1_000_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bare = Connection::open(folder.path().join("bare.db")).unwrap();
    bare.execute_batch(
        // As the store has its writer.
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE entry (id INTEGER PRIMARY KEY, at_ms INTEGER, amount INTEGER) STRICT;",
    )
    .unwrap();
    let (mut admits, mut settles, mut inserts) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let books = Books::open(&folder.path().join("data")).await;
        for number in 0..CALLS + 20 {
            let start = Instant::now();
            let (attempt_id, _) = books.admit().await;
            let admitted = start.elapsed();
            let start = Instant::now();
            books.settle(attempt_id).await;
            let settled = start.elapsed();
            let inserted = time(|| {
                let sql = "INSERT INTO entry (at_ms, amount) VALUES (1, 2)";
                bare.prepare_cached(sql).unwrap().execute(()).unwrap();
            });
            // The first ones also grow the logs.
            if number >= 20 {
                admits.push(admitted);
                settles.push(settled);
                inserts.push(inserted);
            }
        }
    });
    let sync = sync_median(folder.path(), 200);
    println!("ledger_append: {CALLS} calls; one sync of a page takes {sync:.1?} here");
    let floor = median(&mut inserts);
    let mut both: Vec<Duration> = admits.iter().zip(&settles).map(|(a, b)| *a + *b).collect();
    row(
        "admission, p50",
        median(&mut admits),
        "one bare row",
        floor,
        None,
    );
    row(
        "settlement, p50",
        median(&mut settles),
        "one bare row",
        floor,
        None,
    );
    row(
        "both, p50",
        median(&mut both),
        "two bare rows",
        floor * 2,
        None,
    );
    row(
        "both, p99",
        percentile(&mut both, 99),
        "two bare rows, p99",
        percentile(&mut inserts, 99) * 2,
        None,
    );
    runtime.block_on(without_sync(&folder.path().join("alone")));
    runtime.block_on(many_callers(&folder.path().join("many"), &bare));
}

/// What `admit()` itself takes, inside of the writer's transaction.
async fn without_sync(folder: &std::path::Path) {
    let books = Books::open(folder).await;
    let mut inside = Vec::new();
    for number in 0..CALLS + 20 {
        let (attempt_id, took) = books.admit().await;
        books.settle(attempt_id).await;
        if number >= 20 {
            inside.push(took);
        }
    }
    let (p50, p99) = (median(&mut inside), percentile(&mut inside, 99));
    let verdict = if p50 <= ADMIT_MAX { "ok" } else { "MISSED" };
    println!(
        "admit() without begin, commit and sync: p50 {p50:.1?}, p99 {p99:.1?}; at most {ADMIT_MAX:?}: {verdict}"
    );
}

/// Many callers at once, beside one bare row a commit in the same seconds.
async fn many_callers(folder: &std::path::Path, bare: &Connection) {
    let books = Arc::new(Books::open(folder).await);
    let (mut admissions, mut rows) = (0_usize, 0_usize);
    let mut waits = Vec::new();
    for _ in 0..TURNS {
        let end = Instant::now() + TURN;
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let books = Arc::clone(&books);
            callers.spawn(async move {
                let mut waits = Vec::new();
                while Instant::now() < end {
                    let start = Instant::now();
                    books.admit().await;
                    waits.push(start.elapsed());
                }
                waits
            });
        }
        while let Some(of_one) = callers.join_next().await {
            let of_one = of_one.unwrap();
            admissions += of_one.len();
            waits.extend(of_one);
        }
        let end = Instant::now() + TURN;
        while Instant::now() < end {
            let sql = "INSERT INTO entry (at_ms, amount) VALUES (1, 2)";
            bare.prepare_cached(sql).unwrap().execute(()).unwrap();
            rows += 1;
        }
    }
    let seconds = TURN.as_secs_f64() * TURNS as f64;
    let (ours, floor) = (admissions as f64 / seconds, rows as f64 / seconds);
    let verdict = if ours >= ADMISSIONS_PER_SECOND {
        "ok"
    } else {
        "MISSED"
    };
    println!(
        "{CALLERS} callers: {ours:.0} admissions a second (p50 {:.1?}, p99 {:.1?}), at least \
         {ADMISSIONS_PER_SECOND:.0}: {verdict}; one bare row a commit: {floor:.0} a second; ratio {:.2}",
        median(&mut waits),
        percentile(&mut waits, 99),
        ours / floor,
    );
    assert_eq!(books.pending().await, admissions as i64, "a hold each");
}

struct Books {
    store: Store,
    tenant_id: Uuid,
    profile_id: Uuid,
    prices: PriceVersion,
}

impl Books {
    async fn open(folder: &std::path::Path) -> Self {
        let store = Store::open(&StoreOptions::new(folder)).unwrap();
        let ids = store.read("ids", |conn| {
            conn.query_row("SELECT tenant_id, id FROM profile", [], |row| {
                Ok((row.get::<_, Uuid>(0)?, row.get::<_, Uuid>(1)?))
            })
            .map_err(convergio_store::at(conn, "ids"))
        });
        let (tenant_id, profile_id) = ids.await.unwrap();
        let price = Simple {
            input: 3 * DOLLAR_NANO,
            output: 15 * DOLLAR_NANO,
            cache_read: None,
            cache_write_5m: None,
            cache_write_1h: None,
        };
        let sheet = PriceSheet::simple("bench", 0, "mock", "large", price);
        let prices = store.write("set up", move |tx| {
            let limit = 1_000_000 * DOLLAR_NANO;
            set_day_budget(tx, tenant_id, limit, "UTC", Now::system())?;
            pin(tx, tenant_id, &sheet, Now::system())
        });
        let prices = prices.await.unwrap();
        Self {
            store,
            tenant_id,
            profile_id,
            prices,
        }
    }

    /// Admits one call; says how long `admit()` itself took.
    async fn admit(&self) -> (Uuid, Duration) {
        let admission = Admission {
            tenant_id: self.tenant_id,
            profile_id: self.profile_id,
            run_id: Uuid::now_v7(),
            session_id: None,
            policy: Policy::CloudFirst,
            request: ModelRequest {
                provider: "mock".into(),
                model: "large".into(),
                system: None,
                messages: vec![Message::text(Role::User, "hi")],
                max_output: 1_000,
                temperature: None,
                output_schema: None,
                ..ModelRequest::default()
            },
            local: false,
            destination: "https://api.example.com".into(),
            egress_id: Some(Uuid::now_v7()),
            prices: Some(self.prices),
            input_ceiling: 100,
            may_clamp: false,
            max_cost_nano: None,
            agent: None,
            plugin: None,
            client: Some("bench".into()),
            token: None,
            root: Some("/home/ada/shop".into()),
        };
        let admitted = self.store.write("admit", move |tx| {
            let start = Instant::now();
            let permitted = admit(tx, admission, Now::system())?;
            Ok::<_, Denied>((permitted.permit().attempt_id, start.elapsed()))
        });
        admitted.await.unwrap()
    }

    /// Calls that hold money.
    async fn pending(&self) -> i64 {
        let read = self.store.read("count what is held", |conn| {
            let sql = "SELECT count(*) FROM attempt WHERE state = 'dispatched'";
            conn.query_row(sql, [], |row| row.get(0))
                .map_err(convergio_store::at(conn, "count what is held"))
        });
        read.await.unwrap()
    }

    async fn settle(&self, attempt_id: Uuid) {
        let usage = Usage::default()
            .with(Resource::InUncached, 10)
            .with(Resource::OutText, 20);
        let settlement = Settlement {
            attempt_id,
            ending: AttemptEnding::Reported(usage),
            provider_req_id: Some("req_1".into()),
            model: None,
            stop: Some("end".into()),
        };
        let settled = self.store.write("settle", move |tx| {
            settle(tx, &settlement, Now::system()).map(drop)
        });
        settled.await.map_err(|error: LedgerError| error).unwrap();
    }
}
