//! A book in memory.

use convergio_store::{Connection, Store, StoreError, StoreOptions, Tx};
use convergio_tasks::{
    Basis, Repeat,
    book::{self, BookError, Created, Fields, Images, NewTask, NewTimes, TaskRef, TaskRow},
};
use jiff::Zoned;
use uuid::Uuid;

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// An instant of Rome.
pub(crate) fn rome(local: &str) -> i64 {
    let text = format!("{local}[Europe/Rome]");
    text.parse::<Zoned>().unwrap().timestamp().as_millisecond()
}

pub(crate) fn titled(title: &str) -> Fields {
    Fields {
        title: Some(title.to_owned()),
        ..Fields::default()
    }
}

pub(crate) fn times(local: &str) -> Option<Option<NewTimes>> {
    Some(Some(NewTimes {
        due: local.parse().unwrap(),
        zone: "Europe/Rome".to_owned(),
        all_day: false,
    }))
}

pub(crate) fn rule(rrule: &str, basis: Basis) -> Option<Option<Repeat>> {
    Some(Some(Repeat {
        rrule: rrule.to_owned(),
        basis,
    }))
}

/// Due then, in Rome.
pub(crate) fn at(title: &str, local: &str) -> Fields {
    Fields {
        times: times(local),
        ..titled(title)
    }
}

/// Due then and by a rule.
pub(crate) fn every(title: &str, local: &str, rrule: &str) -> Fields {
    Fields {
        repeat: rule(rrule, Basis::Schedule),
        ..at(title, local)
    }
}

pub(crate) struct Book {
    pub(crate) store: Store,
    pub(crate) tenant: Uuid,
    pub(crate) profile: Uuid,
}

impl Book {
    pub(crate) async fn open() -> Self {
        let folder = std::env::temp_dir();
        let store = Store::in_memory(&StoreOptions::new(&folder), "a test").unwrap();
        let (tenant, profile) = store
            .read("ids", |conn| {
                conn.query_row("SELECT tenant_id, id FROM profile", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .map_err(convergio_store::at(conn, "ids"))
            })
            .await
            .unwrap();
        Self {
            store,
            tenant,
            profile,
        }
    }

    /// One change.
    pub(crate) async fn write<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        change: impl FnOnce(&Tx<'_>, Uuid) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let tenant = self.tenant;
        self.store.write("test", move |tx| change(tx, tenant)).await
    }

    /// One look.
    pub(crate) async fn read<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        look: impl FnOnce(&Connection, Uuid) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let tenant = self.tenant;
        self.store
            .read("test", move |conn| look(conn, tenant))
            .await
    }

    pub(crate) async fn try_create(
        &self,
        fields: Fields,
        now_ms: i64,
    ) -> Result<(TaskRow, Images), BookError> {
        let profile = self.profile;
        let new = NewTask {
            id: Uuid::now_v7(),
            request_hash: Some([7; 32]),
            uid: None,
            fields,
            created_ms: None,
            completed_ms: None,
        };
        self.write(
            move |tx, tenant| match book::create(tx, tenant, profile, &new, now_ms)? {
                Created::New(row, images) => Ok((*row, images)),
                Created::Replayed(row) => panic!("{row:?} was there"),
            },
        )
        .await
    }

    pub(crate) async fn create(&self, fields: Fields, now_ms: i64) -> TaskRow {
        self.try_create(fields, now_ms).await.unwrap().0
    }

    pub(crate) async fn get(&self, id: Uuid) -> TaskRow {
        self.read(move |conn, tenant| book::by_id(conn, tenant, id))
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn update(
        &self,
        id: Uuid,
        fields: Fields,
        now_ms: i64,
    ) -> Result<book::Changed, BookError> {
        self.write(move |tx, tenant| {
            book::update(tx, tenant, TaskRef::Id(id), None, &fields, now_ms)
        })
        .await
    }

    pub(crate) async fn complete(&self, id: Uuid, now_ms: i64) -> Result<book::Changed, BookError> {
        self.write(move |tx, tenant| book::complete(tx, tenant, TaskRef::Id(id), false, now_ms))
            .await
    }

    pub(crate) async fn snooze(
        &self,
        id: Uuid,
        until_ms: i64,
        now_ms: i64,
    ) -> Result<book::Changed, BookError> {
        self.write(move |tx, tenant| book::snooze(tx, tenant, TaskRef::Id(id), until_ms, now_ms))
            .await
    }

    pub(crate) async fn delete(&self, id: Uuid, now_ms: i64) -> Result<book::Changed, BookError> {
        self.write(move |tx, tenant| book::delete(tx, tenant, TaskRef::Id(id), false, now_ms))
            .await
    }

    pub(crate) async fn take_back(
        &self,
        images: Images,
        now_ms: i64,
    ) -> Result<Vec<TaskRow>, BookError> {
        self.write(move |tx, tenant| book::take_back(tx, tenant, &images, now_ms))
            .await
    }

    pub(crate) async fn claim(&self, id: Uuid, now_ms: i64) -> Option<book::Claimed> {
        self.write(move |tx, tenant| book::claim(tx, tenant, id, now_ms))
            .await
            .unwrap()
    }

    /// Claims all that is due.
    pub(crate) async fn fire(&self, now_ms: i64) -> Vec<book::Claimed> {
        let due = self
            .read(move |conn, tenant| book::due(conn, tenant, now_ms, 1_000))
            .await
            .unwrap();
        let mut fired = Vec::new();
        for id in due {
            fired.extend(self.claim(id, now_ms).await);
        }
        fired
    }

    pub(crate) async fn answer(
        &self,
        occurrence: Uuid,
        reply: book::Reply,
        now_ms: i64,
    ) -> book::Answered {
        self.write(move |tx, tenant| book::answer(tx, tenant, occurrence, reply, now_ms))
            .await
            .unwrap()
    }

    pub(crate) async fn history(&self, id: Uuid) -> Vec<book::Occurrence> {
        self.read(move |conn, tenant| book::history(conn, tenant, id, 1_000))
            .await
            .unwrap()
    }

    pub(crate) async fn next_wake(&self) -> Option<i64> {
        self.read(book::next_wake).await.unwrap()
    }
}
