//! What a call of a model is, whoever answers it: the request, the permit without which it cannot
//! be made, the events of its answer, what it used, and how it fails. No I/O.
//!
//! A provider takes a [`Permitted<ModelRequest>`](Permitted): request and permission are one value,
//! and the ledger's admission is the only place that makes it.

pub mod capabilities;
pub mod error;
pub mod event;
pub mod permit;
pub mod provider;
pub mod request;
pub mod usage;

pub use capabilities::Capabilities;
pub use error::{ErrorClass, ModelError, Phase};
pub use event::{ModelEvent, StopReason};
pub use permit::{Permit, Permitted, Policy};
pub use provider::{ModelStream, Provider};
pub use request::{
    CacheAfter, CacheBreakpoint, IMAGE_TOKENS_MAX, Image, Message, ModelRequest, OutputSchema,
    Part, ReasoningEffort, Role, Tool, ToolCall, ToolChoice,
};
pub use usage::{Resource, Usage};
