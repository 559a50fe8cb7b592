//! Model providers for tests: real HTTP(S) servers on loopback that speak the wire formats of
//! Anthropic Messages, OpenAI Chat Completions and Responses, Gemini and Ollama, and that fail on
//! command.
//!
//! A server runs on a thread and runtime of its own, so that blocking tests can use it. What it
//! answers is a [`Script`] of [`Reply`]s, neutral of dialect: the path of a request says in which
//! dialect its reply is written. Every byte is under the script's control, hence the hand-written
//! HTTP/1.1: no server library resets a connection at byte 731 of a chunked body.
//!
//! It also counts what it would bill, by its own count, so that a test can compare it with what
//! was settled.

mod gate;
mod http;
mod provider;
mod proxy;
mod record;
mod render;
mod reply;
mod request;
mod script;
mod serve;
mod thread;
mod tls;
mod watched;
mod wire;

pub use gate::Gate;
pub use provider::FakeProvider;
pub use proxy::{Action, DelayProxy, Direction, Fault, FaultProxy};
pub use record::{Billed, End, Event, Missed};
pub use reply::{At, Framing, Reply, Stop};
pub use request::{Dialect, Request};
pub use script::Script;
pub use tls::Certificate;
