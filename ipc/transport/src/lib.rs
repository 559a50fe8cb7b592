//! How bytes get from a client to the daemon and back: where the socket lies, who may use it,
//! how one daemon is told from two, and what a line on the wire is.
//!
//! Newline-delimited JSON over a Unix socket. tokio's own socket types serve: interprocess was
//! tried first and gave nothing more on the platforms that are supported.

pub mod endpoint;
pub mod folder;
pub mod frame;
pub mod lock;
pub mod message;
pub mod socket;
pub mod stream;

pub use endpoint::{Endpoint, Environment};
