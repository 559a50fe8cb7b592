//! Points where a reply waits for the test.

use std::{sync::Arc, time::Duration};

use crate::{
    record::{DEADLINE, Missed},
    watched::Watched,
};

/// Closed until the test opens it; then open for good. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Watched<State>>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    reached: usize,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody pass, now and later.
    pub fn open(&self) {
        self.0.change(|state| state.open = true);
    }

    /// Blocks until replies have come to this gate `times` times in all, at most 20 s.
    ///
    /// # Errors
    /// When fewer came.
    pub fn wait_reached(&self, times: usize) -> Result<(), Missed> {
        self.wait_reached_for(times, DEADLINE)
    }

    /// The same with another deadline.
    ///
    /// # Errors
    /// When fewer came within `deadline`.
    pub fn wait_reached_for(&self, times: usize, deadline: Duration) -> Result<(), Missed> {
        if self.0.wait(deadline, |state| state.reached >= times) {
            return Ok(());
        }
        Err(Missed {
            awaited: format!("a gate reached {times} times"),
            seen: format!("{:?}", self.0),
            deadline,
        })
    }

    /// Comes to the gate and waits there until it is open.
    pub(crate) async fn pass(&self) {
        self.0.change(|state| state.reached += 1);
        self.0.until(|state| state.open).await;
    }
}
