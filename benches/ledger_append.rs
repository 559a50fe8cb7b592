//! The two commits of a model call's money, admission and settlement, beside two commits of one
//! bare row in the same kind of database (the floor), all durable, alternating.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::time::{Duration, Instant};

use convergio_benches::{median, percentile, row, sync_median, time};
use convergio_contract::Uuid;
use convergio_ledger::{
    Admission, AttemptEnding, Denied, LedgerError, Now, PriceSheet, PriceVersion, Settlement,
    Simple, admit, pin, set_day_budget, settle,
};
use convergio_models_api::{Message, ModelRequest, Policy, Resource, Role, Usage};
use convergio_store::{Connection, Store, StoreOptions};

const CALLS: usize = 500;
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
            let attempt_id = books.admit().await;
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

    async fn admit(&self) -> Uuid {
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
            root: Some("/home/ada/shop".into()),
        };
        let admitted = self.store.write("admit", move |tx| {
            let permitted = admit(tx, admission, Now::system())?;
            Ok::<_, Denied>(permitted.permit().attempt_id)
        });
        admitted.await.unwrap()
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
