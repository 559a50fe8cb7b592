//! Where a view is drawn: one [`Tray`] for each system, everything else knows none of them.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::{look, main};
#[cfg(target_os = "macos")]
pub(crate) use macos::{look, main};

use convergio_contract::task::Occurrence;
use thiserror::Error;

use crate::model::{Difference, View};

/// Choices that wait to be done at most. A person does not click faster; a program might.
const CHOICES_MAX: usize = 16;

/// Why nothing is drawn any more.
#[derive(Debug, Error)]
pub(crate) enum TrayEnd {
    /// There is one in this session already.
    #[cfg_attr(
        target_os = "macos",
        expect(dead_code, reason = "the system itself keeps an application to one")
    )]
    #[error("another menu bar of Convergio's runs in this session")]
    RunsAlready,
}

/// A place in the panel or menu bar.
pub(crate) trait Tray {
    /// It shows reminders by itself, because no daemon may on this system.
    const SHOWS_REMINDERS: bool;

    /// Draws a view in place of the last one, changing only what differs.
    async fn draw(&mut self, view: View, difference: Difference);

    /// Looks after the way to the panel; ends as soon as there is something to do after it, often
    /// never. Safe to cancel.
    async fn tend(&mut self) -> Result<(), TrayEnd>;

    /// Shows a reminder.
    fn remind(&mut self, occurrence: &Occurrence);

    /// Leaves the panel.
    async fn close(&mut self);
}

/// Whether something of the surroundings is as it should be.
#[derive(Debug)]
pub(crate) struct Look {
    /// What was looked for.
    pub(crate) what: &'static str,
    /// It is as it should be.
    pub(crate) good: bool,
    /// What was seen.
    pub(crate) seen: String,
}
