//! The HTTP client's failures, sorted into ours. Its own texts are not shown: they hold URLs.

use std::{error::Error, io, time::Duration};

use rustls::{CertificateError, InvalidMessage};

use crate::{
    ConnectFailure, Denial, EgressError, Phase, TlsFailure,
    progress::ConnectTimedOut,
    resolver::{NotPublic, Unresolved},
};

/// A chain longer than this is a loop.
const MAX_CAUSES: usize = 16;

/// Sorts a failure before there was an answer.
pub(crate) fn before_answer(error: &reqwest::Error, connect: Duration) -> EgressError {
    let causes = causes(error);
    if let Some(stopped) = stopped_by_us(&causes, connect) {
        return stopped;
    }
    if !error.is_connect() {
        return after_connect(&causes, 0);
    }
    if let Some(why) = find::<rustls::Error>(&causes) {
        return EgressError::Tls {
            why: handshake(why),
        };
    }
    let kind = find::<io::Error>(&causes).map(io::Error::kind);
    let why = match kind {
        Some(io::ErrorKind::ConnectionRefused) => ConnectFailure::Refused,
        Some(
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable,
        ) => ConnectFailure::Unreachable,
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected,
        ) => ConnectFailure::Closed,
        Some(io::ErrorKind::TimedOut) => {
            return EgressError::Timeout {
                phase: Phase::Connect,
                after: connect,
            };
        }
        _ => ConnectFailure::Other(last_words(&causes)),
    };
    EgressError::Connect { why }
}

/// Sorts a failure after `received_bytes` of the answer's body.
pub(crate) fn in_answer(error: &reqwest::Error, received_bytes: u64) -> EgressError {
    after_connect(&causes(error), received_bytes)
}

fn stopped_by_us(causes: &[&(dyn Error + 'static)], connect: Duration) -> Option<EgressError> {
    if find::<ConnectTimedOut>(causes).is_some() {
        return Some(EgressError::Timeout {
            phase: Phase::Connect,
            after: connect,
        });
    }
    if find::<NotPublic>(causes).is_some() {
        let why = Denial::NotPublic;
        return Some(EgressError::Denied { why });
    }
    find::<Unresolved>(causes).map(|_| EgressError::Connect {
        why: ConnectFailure::Dns,
    })
}

fn after_connect(causes: &[&(dyn Error + 'static)], received_bytes: u64) -> EgressError {
    if let Some(why) = find::<rustls::Error>(causes) {
        let why = TlsFailure::Broken(why.to_string());
        return EgressError::Tls { why };
    }
    let broken = |what: String| EgressError::Protocol { what };
    if let Some(error) = find::<h2::Error>(causes)
        && !error.is_io()
        && !error.is_remote()
    {
        return broken(error.to_string());
    }
    if let Some(error) = find::<hyper::Error>(causes)
        && (error.is_parse() || error.is_user())
    {
        return broken(error.to_string());
    }
    // A chunk's length that is none arrives as one of these.
    let kind = find::<io::Error>(causes).map(io::Error::kind);
    if let Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) = kind {
        return broken(last_words(causes));
    }
    EgressError::Reset { received_bytes }
}

fn handshake(error: &rustls::Error) -> TlsFailure {
    if let rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) = error {
        return TlsFailure::NotSpoken;
    }
    let rustls::Error::InvalidCertificate(error) = error else {
        return TlsFailure::Handshake(error.to_string());
    };
    match error {
        CertificateError::UnknownIssuer => TlsFailure::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailure::WrongName
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::NotYetValid
        }
        CertificateError::Revoked => TlsFailure::Revoked,
        other => TlsFailure::BadCertificate(other.to_string()),
    }
}

/// The failure and what caused it, outermost first. What an I/O error wraps is a cause too, which
/// its own `source` passes over.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes: Vec<&'a (dyn Error + 'static)> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next.filter(|_| causes.len() < MAX_CAUSES) {
        causes.push(error);
        let wrapped = error.downcast_ref::<io::Error>();
        next = match wrapped.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    causes
}

fn find<'a, E: Error + 'static>(causes: &[&'a (dyn Error + 'static)]) -> Option<&'a E> {
    causes.iter().find_map(|cause| cause.downcast_ref::<E>())
}

/// What the innermost cause says. Only the client's own outer errors hold a URL.
fn last_words(causes: &[&(dyn Error + 'static)]) -> String {
    match causes {
        [] | [_] => "the HTTP client gives no reason".to_owned(),
        [.., last] => last.to_string(),
    }
}
