//! The daemon as a service of the user's session: systemd or launchd.

pub(crate) mod install;
pub(crate) mod notify;
pub(crate) mod predecessor;
pub mod units;
