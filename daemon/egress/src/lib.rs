//! The one gate through which bytes leave the machine: an HTTP client that sends nothing without
//! an [`EgressPermit`], which exists only after the row that tells of the call was committed.
//!
//! What it promises:
//!
//! - One permit, one request, one origin. Nothing is sent again by itself and no redirect is
//!   followed, so a key never reaches an origin that it was not meant for.
//! - Every wait is bounded and says which wait it was; every answer is bounded in bytes.
//! - No cookies, no referer, no environment: proxies are what the composition hands over.
//! - Errors, `Debug` and traces hold no header value, query, userinfo or body.
//! - Nothing is built before it is needed: a daemon that calls nobody holds no TLS roots.

mod clients;
mod error;
mod failure;
mod gate;
mod guard;
mod origin;
mod permit;
mod progress;
mod proxy;
mod request;
mod resolver;
mod response;
mod roots;

pub use error::{ConnectFailure, Denial, EgressError, Phase, TlsFailure};
pub use gate::Egress;
pub use guard::is_public;
pub use origin::Origin;
pub use permit::EgressPermit;
pub use proxy::ProxySettings;
pub use request::{Method, Reach, Request, Timeouts};
pub use response::{Body, Response};
pub use roots::ExtraRoots;

pub use reqwest::header::HeaderMap;
pub use secrecy::SecretString;
pub use url::Url;
