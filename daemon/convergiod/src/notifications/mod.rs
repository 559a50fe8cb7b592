//! Reminders on the desktop, through whatever notification server the session has.
//!
//! One connection, made when there is something to show. Nothing of a reminder lives in memory
//! alone: what a button does stands in its key, whose bubble it is in the database. So a button
//! works after this daemon or the server has been started anew.

mod bubble;
mod key;
mod link;

pub(crate) use bubble::Bubble;
pub(crate) use key::{Asked, Buttons};
pub(crate) use link::{Heard, Link, NotifyError, Server, Shown};
