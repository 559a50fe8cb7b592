//! What has expired, removed beside live traffic.

use convergio_ledger::{LedgerError, expired_details, forget_expired};
use convergio_store::StoreError;

use crate::daemon::{Daemon, now_ms};

/// Attempts whose details are forgotten, or tasks that are purged, in one transaction.
const SLICE: usize = 100;
/// Slices of one pass: what is more waits for the next one.
const SLICES_MAX: usize = 1_000;

/// Removes runs, events, tasks and other content whose time is over, and what attempts of long ago
/// say of whose they were. What fails is logged, and tried again with the next pass.
pub(crate) async fn remove(daemon: &Daemon) {
    match daemon.runs().clone().prune().await {
        Ok(pruned) if pruned.total() > 0 => {
            tracing::info!(?pruned, "removed what has expired");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "what has expired could not be removed"),
    }
    match forget(daemon, now_ms()).await {
        Ok(0) => {}
        Ok(attempts) => tracing::info!(attempts, "forgot the details of old attempts"),
        Err(error) => tracing::warn!(%error, "details of old attempts could not be removed"),
    }
    match purge_tasks(daemon, now_ms()).await {
        Ok(0) => {}
        Ok(tasks) => tracing::info!(tasks, "purged tasks that were removed long ago"),
        Err(error) => tracing::warn!(%error, "removed tasks could not be purged"),
    }
}

/// How many tasks went for good: the way back from their removal has expired.
async fn purge_tasks(daemon: &Daemon, now_ms: i64) -> Result<usize, StoreError> {
    let tenant = daemon.runs().tenant().id();
    let before_ms = now_ms.saturating_sub(daemon.runs().retention().undo_ms);
    let mut purged = 0;
    for _ in 0..SLICES_MAX {
        let write = daemon.store.write("purge removed tasks", move |tx| {
            convergio_tasks::book::purge(tx, tenant, before_ms, SLICE)
        });
        match write.await? {
            0 => break,
            some => purged += some,
        }
    }
    if purged > 0 && !daemon.store.scrub().await? {
        tracing::info!("a reader holds the log: what was removed leaves it later");
    }
    Ok(purged)
}

/// How many attempts lost their details.
async fn forget(daemon: &Daemon, now_ms: i64) -> Result<usize, LedgerError> {
    let tenant = daemon.runs().tenant().id();
    let mut forgotten = 0;
    for _ in 0..SLICES_MAX {
        // Looked for where nobody waits for it: only the writer holds others up.
        let read = daemon.store.read("look for old details", move |conn| {
            expired_details(conn, tenant, now_ms, SLICE)
        });
        let due: Vec<_> = read.await?;
        if due.is_empty() {
            break;
        }
        let write = daemon.store.write("forget old details", move |tx| {
            forget_expired(tx, tenant, &due)
        });
        forgotten += write.await?;
    }
    // Nor does the log of the database tell it.
    if forgotten > 0 && !daemon.store.scrub().await? {
        tracing::info!("a reader holds the log: what was removed leaves it later");
    }
    Ok(forgotten)
}
