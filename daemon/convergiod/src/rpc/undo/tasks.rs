//! The way back from changes of tasks. The daemon's own: nothing of it is a file.

use convergio_contract::{RpcError, Uuid};
use convergio_runs::{Retention, RunsError, Tenant, UndoState};
use convergio_store::Tx;
use convergio_tasks::book::{self, Images};

use super::{Kept, new_undo};
use crate::{daemon::Daemon, rpc::task::WriteError};

/// Keeps the way back from a change of tasks, in the transaction that makes it. Nothing is kept of
/// a change that changed nothing.
pub(crate) fn keep_tasks(
    tx: &Tx<'_>,
    tenant: Tenant,
    retention: &Retention,
    label: &str,
    images: Images,
) -> Result<Option<Uuid>, RunsError> {
    if images.is_empty() {
        return Ok(None);
    }
    let kept = Kept {
        tasks: Some(images),
        ..Kept::default()
    };
    let id = Uuid::now_v7();
    let new = new_undo(id, label, None, &kept).map_err(|_| RunsError::Invalid {
        what: "task",
        reason: "the way back could not be kept",
    })?;
    convergio_runs::put_undo(tx, tenant, &new, crate::daemon::now_ms(), retention)?;
    Ok(Some(id))
}

impl Daemon {
    /// Takes a change of tasks back, once, unless somebody changed the same since.
    pub(super) async fn restore_tasks(&self, id: Uuid, images: Images) -> Result<(), RpcError> {
        let tenant = self.runs().tenant();
        let now_ms = self.reminders.clock.now_ms();
        let write = self.store.write("take a change of tasks back", move |tx| {
            if convergio_runs::get_undo(tx, tenant, id)?.entry.state != UndoState::Recorded {
                return Ok(());
            }
            book::take_back(tx, tenant.id(), &images, now_ms)?;
            let now_ms = crate::daemon::now_ms();
            convergio_runs::set_undo_state(tx, tenant, id, UndoState::Undone, now_ms)?;
            Ok::<_, WriteError>(())
        });
        write.await.map_err(WriteError::told)?;
        self.reminders.wake();
        Ok(())
    }
}
