//! What the daemon says, handed to whoever waits for it.

use std::sync::Mutex;

use convergio_contract::{
    Uuid,
    event::{RUN_CLOSED, RUN_EVENT},
    topic::TOPIC_NOTIFICATION,
};
use convergio_transport::message::{self, Incoming};
use jsonrpsee_types::Id;
use serde::Deserialize;

use crate::connection::{Shared, lock};

#[derive(Deserialize)]
struct RunIdOnly {
    run_id: Uuid,
}

/// Hands one line to whoever waits for it. An error means that the connection is of no use.
pub(crate) fn hand_out(line: &[u8], shared: &Mutex<Shared>) -> Result<(), String> {
    let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let incoming = message::parse(text).map_err(|fault| fault.message)?;
    match incoming {
        Incoming::Response {
            id: Id::Number(id),
            outcome,
        } => {
            if let Some(waiting) = lock(shared).calls.remove(&id) {
                // The caller may be gone; then nobody wants it.
                let _ = waiting.send(outcome.map(ToOwned::to_owned));
            }
            Ok(())
        }
        // An error without our id answers a line that could not be read: the daemon speaks to
        // the whole connection.
        Incoming::Response {
            outcome: Err(error),
            ..
        } => Err(error.message),
        Incoming::Notification {
            method,
            params: Some(params),
        } if method == RUN_EVENT => {
            let RunIdOnly { run_id } =
                serde_json::from_str(params.get()).map_err(|error| error.to_string())?;
            let mut shared = lock(shared);
            if let Some(reader) = shared.runs.get(&run_id) {
                let event =
                    serde_json::from_str(params.get()).map_err(|error| error.to_string())?;
                // Full: the reader subscribes anew. Closed: nobody reads.
                if reader.try_send(event).is_err() {
                    shared.runs.remove(&run_id);
                }
            }
            Ok(())
        }
        Incoming::Notification {
            method,
            params: Some(params),
        } if method == TOPIC_NOTIFICATION => {
            let mut shared = lock(shared);
            // One that this client does not know is none of its business.
            if let Some(reader) = &shared.topics
                && let Ok(event) = serde_json::from_str(params.get())
                && reader.try_send(event).is_err()
            {
                shared.topics = None;
            }
            Ok(())
        }
        // The reader was too slow: it subscribes anew after the last event that it saw.
        Incoming::Notification {
            method,
            params: Some(params),
        } if method == RUN_CLOSED => {
            let RunIdOnly { run_id } =
                serde_json::from_str(params.get()).map_err(|error| error.to_string())?;
            lock(shared).runs.remove(&run_id);
            Ok(())
        }
        Incoming::Response { .. } | Incoming::Notification { .. } | Incoming::Request { .. } => {
            Ok(())
        }
    }
}
