//! What a method is.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

/// One callable method, declared once.
pub trait Method: 'static {
    /// Its name on the wire, `namespace.verb`.
    const NAME: &'static str;
    /// One line for the OpenRPC document.
    const SUMMARY: &'static str;
    /// How long a client waits for the response, in milliseconds.
    const TIMEOUT_MS: u64;
    /// May be called before `initialize` was answered.
    const BEFORE_INITIALIZE: bool = false;
    /// The by-name parameters, always an object.
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// The result.
    type Response: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
}

/// Declares a [`Method`]: `method!(/** doc */ Type, "name", Params => Response, timeout_ms)`.
macro_rules! method {
    ($(#[doc = $doc:literal])+ $type:ident, $name:literal, $params:ty => $response:ty, $timeout_ms:literal $(, $const:ident = $value:expr)*) => {
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub enum $type {}

        impl $crate::method::Method for $type {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = concat!($($doc, "\n"),+).trim_ascii();
            const TIMEOUT_MS: u64 = $timeout_ms;
            $(const $const: bool = $value;)*
            type Params = $params;
            type Response = $response;
        }
    };
}
pub(crate) use method;

/// Parameters or a response with nothing in it: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
pub struct Empty {}
