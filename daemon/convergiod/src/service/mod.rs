//! The daemon as a service of the user's session: systemd or launchd.

pub(crate) mod notify;
