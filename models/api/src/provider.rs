//! What answers.

use std::pin::Pin;

use futures_core::Stream;

use crate::{error::ModelError, event::ModelEvent, permit::Permitted, request::ModelRequest};

/// An answer in the making. Dropping it cancels the call. After an `Err` it ends.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelEvent, ModelError>> + Send>>;

/// Something that answers requests. Made for one run: it holds the key that the run may use.
pub trait Provider: Send + Sync {
    /// Bytes that the body of this request has on the wire; 0 inside the daemon. The egress row
    /// states them before they leave.
    fn wire_bytes(&self, request: &ModelRequest) -> u64;

    /// Where the bytes go: scheme, host and port; empty inside the daemon.
    fn destination(&self) -> String;

    /// Answers. The request is sent when the stream is first polled; one stream is one wire
    /// request, there is no hidden retry.
    fn stream(&self, request: Permitted<ModelRequest>) -> ModelStream;
}
