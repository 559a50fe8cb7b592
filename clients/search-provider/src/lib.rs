//! The provider of GNOME Shell's search (`org.gnome.Shell.SearchProvider2`).
//!
//! While somebody types it asks the daemon for what is on this machine, and never starts one; it
//! asks no model and changes nothing. What a result does is `cv pick --run`'s to know, and happens
//! when the result is chosen.

pub mod found;
pub mod install;
pub mod provider;
pub mod serve;
