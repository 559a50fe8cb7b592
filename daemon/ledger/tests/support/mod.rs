//! Books to test on: a real store, one model with simple prices, calls that cost round amounts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convergio_ledger::{
    Admission, AttemptEnding, Denied, LedgerError, Now, PriceSheet, PriceVersion, Settled,
    Settlement, Simple, admit, pin, set_day_budget, settle,
};
use convergio_models_api::{Message, ModelRequest, Permitted, Policy, Resource, Role, Usage};
use convergio_store::{Connection, DATABASE_FILE, Store, StoreError, StoreOptions, Tx};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

pub(crate) const DOLLAR: i64 = 1_000_000_000;
pub(crate) const CENT: i64 = DOLLAR / 100;
/// 2026-11-20, noon UTC.
pub(crate) const NOON_MS: i64 = 1_795_176_000_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// Input is a cent for a thousand tokens, output ten cents.
pub(crate) fn sheet() -> PriceSheet {
    let price = Simple {
        input: 10 * DOLLAR,
        output: 100 * DOLLAR,
        cache_read: None,
        cache_write_5m: None,
        cache_write_1h: None,
    };
    PriceSheet::simple("test", 0, "mock", "large", price)
}

pub(crate) fn at(wall_ms: i64) -> Now {
    Now {
        wall_ms,
        boot_id: Uuid::from_u128(7),
        mono_ns: wall_ms,
    }
}

fn private_dir(dir: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(dir).unwrap();
}

/// A database that was migrated once and in which nothing is written: thousands of cases need one.
async fn unwritten() -> &'static [u8] {
    static BYTES: OnceCell<Vec<u8>> = OnceCell::const_new();
    let make = || async {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreOptions::new(home.path())).unwrap();
        store.close().await.unwrap();
        std::fs::read(home.path().join(DATABASE_FILE)).unwrap()
    };
    BYTES.get_or_init(make).await
}

pub(crate) struct Books {
    pub(crate) store: Store,
    pub(crate) tenant: Uuid,
    pub(crate) profile: Uuid,
    pub(crate) dir: PathBuf,
    pub(crate) home: Arc<TempDir>,
}

impl Books {
    /// Fresh books, in memory where the system has a place for that: no power is cut here, so no
    /// disk needs to be waited for.
    pub(crate) async fn new() -> Self {
        let memory = tempfile::tempdir_in("/dev/shm");
        let home = Arc::new(memory.or_else(|_| tempfile::tempdir()).unwrap());
        let dir = home.path().join("data");
        private_dir(&dir);
        std::fs::write(dir.join(DATABASE_FILE), unwritten().await).unwrap();
        Self::open(&home, dir, None).await.unwrap()
    }

    /// Books in a folder, on a file system of `SQLite`'s if one is named.
    pub(crate) async fn open(
        home: &Arc<TempDir>,
        dir: PathBuf,
        vfs: Option<&str>,
    ) -> Result<Self, StoreError> {
        let mut options = StoreOptions::new(&dir);
        options.vfs = vfs.map(Into::into);
        let store = Store::open(&options)?;
        let (tenant, profile) = store
            .read("ids", |conn| {
                conn.query_row("SELECT tenant_id, id FROM profile", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .map_err(convergio_store::at(conn, "ids"))
            })
            .await?;
        Ok(Self {
            store,
            tenant,
            profile,
            dir,
            home: Arc::clone(home),
        })
    }

    /// The books with a daily limit in UTC.
    pub(crate) async fn with_limit(limit_nano: i64) -> Self {
        let books = Self::new().await;
        books.limit(limit_nano, "UTC", NOON_MS).await;
        books
    }

    pub(crate) async fn limit(&self, limit_nano: i64, zone: &'static str, wall_ms: i64) {
        let tenant = self.tenant;
        self.write(move |tx| set_day_budget(tx, tenant, limit_nano, zone, at(wall_ms)))
            .await
            .unwrap();
    }

    /// As after `kill -9`: what was acknowledged is on the disk, nothing was closed.
    pub(crate) async fn crash(self) -> Self {
        let image = self.dir.with_file_name(Uuid::now_v7().to_string());
        private_dir(&image);
        for suffix in ["", "-wal"] {
            let name = format!("{DATABASE_FILE}{suffix}");
            std::fs::copy(self.dir.join(&name), image.join(&name)).unwrap();
        }
        drop(self.store);
        Self::open(&self.home, image, None).await.unwrap()
    }

    pub(crate) async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.store.write("test", f).await
    }

    pub(crate) async fn read<T, F>(&self, f: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        self.store.read("test", f).await.unwrap()
    }

    pub(crate) fn call(&self, max_output: u32) -> Admission {
        Admission {
            tenant_id: self.tenant,
            profile_id: self.profile,
            run_id: Uuid::now_v7(),
            session_id: None,
            policy: Policy::CloudFirst,
            request: ModelRequest {
                provider: "mock".into(),
                model: "large".into(),
                system: None,
                messages: vec![Message::text(Role::User, "hi")],
                max_output,
                temperature: None,
                output_schema: None,
                ..ModelRequest::default()
            },
            local: false,
            destination: "https://api.example.com".into(),
            egress_id: Some(Uuid::now_v7()),
            prices: None,
            input_ceiling: 0,
            may_clamp: false,
            max_cost_nano: None,
            agent: None,
            plugin: None,
            client: Some("cv".into()),
            token: None,
            root: Some("/home/ada/shop".into()),
        }
    }

    /// Admits with the test's prices pinned in the same transaction.
    pub(crate) async fn admit(
        &self,
        mut admission: Admission,
        wall_ms: i64,
    ) -> Result<Permitted<ModelRequest>, Denied> {
        let tenant = self.tenant;
        self.write(move |tx| {
            if !admission.local && admission.prices.is_none() {
                admission.prices = Some(pin(tx, tenant, &sheet(), at(wall_ms))?);
            }
            admit(tx, admission, at(wall_ms))
        })
        .await
    }

    /// A call of a model on this machine; answers with its attempt.
    pub(crate) async fn call_here(&self, wall_ms: i64) -> Uuid {
        let mut call = self.call(100);
        call.local = true;
        call.destination = "http://127.0.0.1:11434".into();
        call.egress_id = None;
        let permitted = self.admit(call, wall_ms).await.unwrap();
        permitted.permit().attempt_id
    }

    pub(crate) async fn pinned(&self) -> PriceVersion {
        let tenant = self.tenant;
        self.write(move |tx| pin(tx, tenant, &sheet(), at(NOON_MS)))
            .await
            .unwrap()
    }

    pub(crate) async fn settle(
        &self,
        attempt_id: Uuid,
        ending: AttemptEnding,
        wall_ms: i64,
    ) -> Result<Settled, LedgerError> {
        let settlement = Settlement {
            attempt_id,
            ending,
            provider_req_id: Some("req_1".into()),
            model: None,
            stop: Some("end".into()),
        };
        self.write(move |tx| settle(tx, &settlement, at(wall_ms)))
            .await
    }

    /// Runs SQL behind the ledger's back.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        self.write(move |tx| {
            tx.execute_batch(sql)
                .map_err(convergio_store::at(tx, "tamper"))
        })
        .await
        .unwrap();
    }
}

pub(crate) fn used(input: u64, output: u64) -> Usage {
    Usage::default()
        .with(Resource::InUncached, input)
        .with(Resource::OutText, output)
}

pub(crate) fn reported(input: u64, output: u64) -> AttemptEnding {
    AttemptEnding::Reported(used(input, output))
}
