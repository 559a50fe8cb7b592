//! The dialects: a row for each here, all else in the dialect's own file.

use std::fmt;

use convergio_egress::Url;
use convergio_models_api::ModelRequest;
use serde::Deserialize;

use crate::{
    anthropic, azure,
    decode::{Dialect, Expectation},
    endpoint::Endpoint,
    gemini, ollama, openai, responses,
};

/// What one dialect says and hears. Every supported dialect's file has one.
pub(crate) struct Wire {
    /// The body of a question.
    pub(crate) body: fn(&Endpoint, &ModelRequest) -> Result<Vec<u8>, String>,
    /// Where a question goes.
    pub(crate) url: fn(&Endpoint, &ModelRequest) -> Url,
    /// How an answer is divided.
    pub(crate) framing: Framing,
    /// Reads the pieces of one answer.
    pub(crate) decoder: fn(Expectation) -> Box<dyn Dialect>,
    /// Which header carries the key.
    pub(crate) key: fn(&Endpoint) -> KeyHeader,
    /// What every request says besides.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Where the list of models is.
    pub(crate) list_url: fn(&Endpoint) -> Url,
    /// The field that holds its rows.
    pub(crate) list_field: &'static str,
}

/// How an answer is divided into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events. A JSON body is no answer then.
    Events,
    /// A message on each line.
    Lines,
}

impl Framing {
    /// The media type of such an answer.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }
}

/// Which header carries the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyHeader {
    /// `authorization`, as a bearer's.
    Bearer,
    /// One of the dialect's own, the key alone.
    Named(&'static str),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $wire:expr;)+) => {
        /// The dialects, by the name that configuration and catalogue use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The name in configuration and catalogue.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// How it is spoken; `None` where this release does not.
            pub(crate) fn wire(self) -> Option<&'static Wire> {
                match self {
                    $(Self::$kind => $wire,)+
                }
            }
        }
    };
}

// A row: variant, name, how it is spoken.
kinds! {
    /// Anthropic Messages.
    Anthropic, "anthropic", Some(&anthropic::WIRE);
    /// OpenAI Chat Completions, and everything compatible.
    OpenAi, "openai", Some(&openai::WIRE);
    /// OpenAI Responses.
    OpenAiResponses, "openai-responses", Some(&responses::WIRE);
    /// OpenAI as Azure hosts it.
    Azure, "azure", Some(&azure::WIRE);
    /// Google Gemini.
    Gemini, "gemini", Some(&gemini::WIRE);
    /// Ollama's own API.
    Ollama, "ollama", Some(&ollama::WIRE);
}

impl Kind {
    /// Back from [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// Whether this release speaks it.
    pub fn is_supported(self) -> bool {
        self.wire().is_some()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
