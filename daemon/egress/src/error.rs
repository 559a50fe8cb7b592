//! What can come of a request. No text here ever holds a header value, query, userinfo or body.

use std::{fmt, time::Duration};

use thiserror::Error;

use crate::Origin;

/// Why a request has no answer, or why an answer ended early.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EgressError {
    /// No connection was made.
    #[error("cannot connect: {why}")]
    Connect {
        /// Which step failed.
        why: ConnectFailure,
    },
    /// The other side could not prove who it is, or TLS broke.
    #[error("no secure connection: {why}")]
    Tls {
        /// What was wrong.
        why: TlsFailure,
    },
    /// A wait took too long.
    #[error("timed out {phase} after {after:?}")]
    Timeout {
        /// Which wait.
        phase: Phase,
        /// The bound that was reached.
        after: Duration,
    },
    /// The connection was lost after the request began and before the answer ended.
    #[error("the connection was lost after {received_bytes} bytes of the answer")]
    Reset {
        /// Bytes of the answer's body that were delivered before.
        received_bytes: u64,
    },
    /// The answer points elsewhere; it is never followed.
    #[error("answered with a redirect ({status}{}), which is not followed", towards(.to_origin))]
    Redirect {
        /// The HTTP status, 300 to 399.
        status: u16,
        /// Where to, when it says so and it is HTTP.
        to_origin: Option<Origin>,
    },
    /// The answer's body has more bytes than allowed; those within the bound were delivered.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The bound.
        limit_bytes: u64,
    },
    /// Nothing was sent, because it must not be.
    #[error("not sent: {why}")]
    Denied {
        /// The rule that says so.
        why: Denial,
    },
    /// What came back is not HTTP.
    #[error("the answer breaks the protocol: {what}")]
    Protocol {
        /// How.
        what: String,
    },
    /// The request itself is impossible; nothing was sent.
    #[error("the request cannot be sent: {what}")]
    Request {
        /// What is wrong with it.
        what: String,
    },
    /// Roots or proxies as configured cannot be used; nothing was sent.
    #[error("the connection cannot be set up: {what}")]
    Setup {
        /// What is wrong with them.
        what: String,
    },
}

impl EgressError {
    /// Whether bytes of the request may have reached the other side. `false` is certain: what was
    /// held for the call can be given back.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Denied { .. }
            | Self::Request { .. }
            | Self::Setup { .. } => false,
            Self::Timeout { phase, .. } => *phase != Phase::Connect,
            // After the handshake TLS can still break.
            Self::Tls { why } => matches!(why, TlsFailure::Broken(_)),
            Self::Reset { .. }
            | Self::Redirect { .. }
            | Self::TooLarge { .. }
            | Self::Protocol { .. } => true,
        }
    }
}

fn towards(origin: &Option<Origin>) -> String {
    origin
        .as_ref()
        .map_or_else(String::new, |origin| format!(" to {origin}"))
}

/// Which step of connecting failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The name has no address, or nobody could be asked.
    Dns,
    /// Nobody listens there.
    Refused,
    /// There is no way there: no route, no network.
    Unreachable,
    /// The connection was closed before it stood.
    Closed,
    /// Something else, in the system's words.
    Other(String),
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Dns => "the host name cannot be resolved",
            Self::Refused => "the connection was refused",
            Self::Unreachable => "the network or host cannot be reached",
            Self::Closed => "the connection was closed before it stood",
            Self::Other(text) => text,
        })
    }
}

/// What was wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// No root that is trusted here vouches for the certificate (also: self-signed).
    UnknownIssuer,
    /// The certificate is for another host.
    WrongName,
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not begun; the clock here may be wrong.
    NotYetValid,
    /// The certificate was revoked.
    Revoked,
    /// The certificate is wrong in another way, in the verifier's words.
    BadCertificate(String),
    /// What answered is no TLS: a server of plain HTTP, most likely.
    NotSpoken,
    /// The handshake failed, in the TLS library's words.
    Handshake(String),
    /// TLS broke after the handshake, in the TLS library's words.
    Broken(String),
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => out.write_str("no trusted root vouches for the certificate"),
            Self::WrongName => out.write_str("the certificate is for another host"),
            Self::Expired => out.write_str("the certificate has expired"),
            Self::NotYetValid => out.write_str("the certificate is not valid yet"),
            Self::Revoked => out.write_str("the certificate was revoked"),
            Self::BadCertificate(text) => write!(out, "the certificate is bad: {text}"),
            Self::NotSpoken => out.write_str("the server does not speak TLS"),
            Self::Handshake(text) => write!(out, "the handshake failed: {text}"),
            Self::Broken(text) => write!(out, "TLS broke: {text}"),
        }
    }
}

/// A wait with a bound of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Resolving, connecting, the TLS handshake.
    Connect,
    /// Waiting for the answer to begin.
    FirstByte,
    /// Waiting for more of the answer.
    Idle,
    /// All of it together.
    Total,
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Connect => "connecting",
            Self::FirstByte => "waiting for the first byte",
            Self::Idle => "waiting for more of the answer",
            Self::Total => "altogether",
        })
    }
}

/// The rule by which nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// The permit is for another origin.
    OtherOrigin {
        /// What the permit is for.
        permitted: Box<Origin>,
        /// Where the request wanted to go.
        asked: Box<Origin>,
    },
    /// Neither `http` nor `https`.
    Scheme,
    /// User name or password in the URL.
    Userinfo,
    /// Unencrypted to another machine.
    PlainHttp,
    /// An address that is not public, for a request that may only reach public ones.
    NotPublic,
}

impl fmt::Display for Denial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherOrigin { permitted, asked } => {
                write!(out, "the permit is for {permitted}, not for {asked}")
            }
            Self::Scheme => out.write_str("only http and https are spoken"),
            Self::Userinfo => out.write_str("the URL holds a user name or password"),
            Self::PlainHttp => out.write_str(
                "plain http to another machine would show everything to anybody on the way",
            ),
            Self::NotPublic => out.write_str("the host is not on the public network"),
        }
    }
}
