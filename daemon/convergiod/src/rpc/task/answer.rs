//! Answers to reminders, from wherever they come.

use convergio_contract::{RpcError, Uuid};
use convergio_tasks::book::{self, Answered, Reply};

use super::{WriteError, wire};
use crate::{daemon::Daemon, rpc::undo};

/// What an answer is called in the list of ways back.
fn verb(reply: Reply) -> &'static str {
    match reply {
        Reply::Done => "done",
        Reply::Snooze { .. } => "snooze",
        Reply::Dismiss | Reply::Seen => "dismiss",
    }
}

impl Daemon {
    /// Answers a reminder, in one commit with the way back from it. The same answer again changes
    /// nothing and says so.
    pub(crate) async fn answer_reminder(
        &self,
        occurrence_id: Uuid,
        reply: Reply,
    ) -> Result<Answered, RpcError> {
        let now_ms = self.reminders.clock.now_ms();
        let tenant = self.runs().tenant();
        let retention = self.runs().retention();
        let write = self.store.write("answer a reminder", move |tx| {
            let answered = book::answer(tx, tenant.id(), occurrence_id, reply, now_ms)?;
            let label = wire::label(verb(reply), &answered.task);
            undo::keep_tasks(tx, tenant, &retention, &label, answered.images.clone())?;
            Ok::<_, WriteError>(answered)
        });
        let answered = write.await.map_err(WriteError::told)?;
        if answered.changed {
            self.tasks_changed();
        }
        Ok(answered)
    }
}
