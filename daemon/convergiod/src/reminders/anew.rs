//! Plans made under other rules of a zone.

use convergio_tasks::book::{self, BookError};

use crate::daemon::Daemon;

/// A zone's rules may be others than when a task was written down: wall-clock time counts.
pub(super) async fn plan(daemon: &Daemon) {
    let tenant = daemon.runs().tenant().id();
    let planned = async {
        let read = daemon
            .store
            .read("compare plans with their zones", move |conn| {
                book::misplanned(conn, tenant)
            });
        let wrong = read.await.map_err(BookError::from)?;
        if wrong.is_empty() {
            return Ok(0);
        }
        let write = daemon.store.write("plan tasks anew", move |tx| {
            book::replan(tx, tenant, &wrong)
        });
        write.await
    };
    match planned.await {
        Ok(0) => {}
        Ok(tasks) => tracing::info!(tasks, "planned anew: a zone has other rules now"),
        Err(error) => tracing::error!(%error, "tasks could not be planned anew"),
    }
}
