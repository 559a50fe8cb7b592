//! The library counts none of its allocations. Alone in its file: it is set once for a process,
//! before the library's first use.

use convergio_store::{Store, StoreOptions};

#[tokio::test]
async fn no_allocation_of_the_library_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions::new(folder.path())).unwrap();
    let rows = store.read("count tables", |conn| {
        let count = "SELECT count(*) FROM sqlite_schema";
        let count = conn.query_row(count, [], |row| row.get::<_, i64>(0));
        count.map_err(convergio_store::at(conn, "count tables"))
    });
    assert!(rows.await.unwrap() > 0);
    #[expect(unsafe_code, reason = "the library's own call, without a safe wrapper")]
    // SAFETY: reads a number.
    let counted = unsafe { rusqlite::ffi::sqlite3_memory_used() };
    assert_eq!(counted, 0);
    store.close().await.unwrap();
}
