//! Models over HTTP: a file per wire dialect, and the catalogue of who speaks which.
//!
//! - [`Remote`] answers a [`Permitted`](convergio_models_api::Permitted) request: one wire request,
//!   no hidden retry, nothing sent that the permit does not cover.
//! - An answer ends with `Stop` only behind the dialect's end marker. Whatever else ends it is an
//!   error, behind everything that had been understood.
//! - Decoders are pure ([`StreamDecoder`]): bytes in any pieces in, events out, everything bounded.
//! - A provider that speaks Chat Completions is a row in `catalog.toml`; a dialect is a file here,
//!   a row of [`Kind`] and its fixtures.

mod anthropic;
mod azure;
mod body;
pub mod catalog;
mod decode;
mod discover;
mod endpoint;
mod failure;
mod gemini;
mod kind;
mod lines;
mod ollama;
mod openai;
mod permit;
mod price;
mod price_file;
mod remote;
mod responses;
mod retry_after;
mod schema;
mod sse;
mod text;
mod tools;

pub use catalog::{Catalog, CatalogError, ModelRow, ProviderRow, TAGS};
pub use decode::{DecodeError, Expectation, StreamDecoder};
pub use discover::{ListedModel, describe_model, describe_model_url, list_models, list_models_url};
pub use endpoint::{
    Api, Azure, Dialect, Endpoint, JsonSupport, MaxTokensField, ModelTraits, ReasoningForm,
    is_cloud_model, usual_timeouts,
};
pub use kind::Kind;
pub use ollama::show::ModelDescription;
pub use price::{NextPrice, Price, PriceTier};
pub use price_file::{PriceFile, PriceFileError, TrustedKey};
pub use remote::{Remote, RemoteError};
pub use sse::EventStream;
