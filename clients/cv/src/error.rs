//! What can go wrong, told in three lines: what happened, why, the way out.

use std::{fmt, io, path::Path};

use convergio_contract::{ErrorCode, RpcError};

use crate::{exit::Exit, hint::Hint, output::patient::Stuck};

/// What sort of failure; decides the exit code and the name in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line.
    Usage,
    /// Not inside a git repository, and no diff given.
    NotARepository,
    /// git is missing or failed.
    Git,
    /// The state is another than the verb assumes.
    Conflict,
    /// Beyond a limit.
    TooLarge,
    /// No such thing.
    NotFound,
    /// A file or folder could not be read or written.
    Io,
    /// The daemon does not answer, or could not be started.
    Unreachable,
    /// The daemon answered with an error of the table.
    Rpc(ErrorCode),
    /// The daemon answered with a code that this build does not know.
    UnknownRpc(i32),
    /// The daemon was killed while it ran what was asked for; it said so when it came back.
    DaemonKilled,
    /// The answer could not be written.
    Output,
    /// Whoever read the answer went away; not an error.
    ReaderGone,
    /// Ctrl-C.
    Interrupted,
    /// `--timeout` passed.
    Timeout,
    /// Less came than was asked for.
    Incomplete,
    /// A model or its provider declined to answer.
    Declined,
    /// An answer came that is not what was asked for.
    Unfit,
    /// There is no such program, as shells tell of it.
    NoProgram,
    /// The program is there and cannot be run, as shells tell of it.
    NotRunnable,
}

impl Kind {
    /// How the process ends.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Usage
            | Self::NotARepository
            | Self::Git
            | Self::Conflict
            | Self::TooLarge
            | Self::NotFound => Exit::Usage,
            Self::Unreachable | Self::DaemonKilled => Exit::Daemon,
            Self::Rpc(code) => Exit::of(code),
            Self::Io | Self::UnknownRpc(_) | Self::Output => Exit::Internal,
            Self::ReaderGone => Exit::Ok,
            Self::Interrupted => Exit::Interrupted,
            Self::Timeout => Exit::Timeout,
            Self::Incomplete => Exit::Incomplete,
            Self::Declined | Self::Unfit => Exit::Provider,
            Self::NoProgram => Exit::Program(127),
            Self::NotRunnable => Exit::Program(126),
        }
    }

    /// The stable name in JSON.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::NotARepository => "not_a_repository",
            Self::Git => "git",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
            Self::Io => "io",
            Self::Unreachable => "unreachable",
            Self::Rpc(code) => code.slug(),
            Self::UnknownRpc(_) => "unknown",
            Self::Output => "output",
            Self::ReaderGone => "reader_gone",
            // The contract's word for both; the exit code tells them apart.
            Self::Interrupted | Self::DaemonKilled => "interrupted",
            Self::Timeout => "timeout",
            Self::Incomplete => "incomplete",
            Self::Declined => "declined",
            Self::Unfit => "unfit",
            Self::NoProgram => "no_program",
            Self::NotRunnable => "not_runnable",
        }
    }

    const fn retryable(self) -> bool {
        match self {
            Self::Rpc(code) => code.retryable(),
            Self::Unreachable | Self::Timeout => true,
            _ => false,
        }
    }
}

/// A failure as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Failure {
    /// The sort.
    pub kind: Kind,
    /// What happened, one line.
    pub what: String,
    /// Why, one line.
    pub why: String,
    /// The way out.
    pub way_out: Hint,
    /// Finds the call in the daemon's log.
    pub trace_id: Option<String>,
}

impl Failure {
    /// A failure of a kind, in its three lines.
    pub fn new(kind: Kind, what: impl Into<String>, why: impl Into<String>, way_out: Hint) -> Self {
        Self {
            kind,
            what: what.into(),
            why: why.into(),
            way_out,
            trace_id: None,
        }
    }

    /// A file or folder that could not be used; `activity` as in "read", "write", "open".
    pub fn io(activity: &str, path: &Path, error: &io::Error, way_out: Hint) -> Self {
        Self::new(
            Kind::Io,
            format!("Could not {activity} {}", path.display()),
            describe(error),
            way_out,
        )
    }

    /// Ctrl-C.
    pub fn interrupted() -> Self {
        Self::new(
            Kind::Interrupted,
            "Interrupted",
            "Ctrl-C was pressed; what was running is cancelled",
            Hint::AGAIN,
        )
    }

    /// `--timeout` passed during an activity.
    pub fn timeout(limit_ms: u64, activity: &str) -> Self {
        let limit = if limit_ms.is_multiple_of(1000) {
            format!("{} s", limit_ms / 1000)
        } else {
            format!("{limit_ms} ms")
        };
        Self::new(
            Kind::Timeout,
            format!("Not done within {limit}"),
            format!("--timeout passed while {activity}"),
            Hint::MORE_TIME,
        )
    }

    /// Whoever read the answer has gone.
    pub fn reader_gone() -> Self {
        Self::new(
            Kind::ReaderGone,
            "Nobody reads the output any more",
            "the pipe was closed",
            Hint::HELP,
        )
    }

    /// The answer could not be written; a reader that went away is no error.
    pub fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::reader_gone();
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Stuck::Interrupted) => return Self::interrupted(),
            Some(Stuck::TimedOut { limit_ms }) => {
                return Self::timeout(*limit_ms, "writing the output, which nobody reads");
            }
            None => {}
        }
        Self::new(
            Kind::Output,
            "The output could not be written",
            describe(error),
            Hint::OTHER_OUTPUT,
        )
    }

    /// How the process ends.
    pub const fn exit(&self) -> Exit {
        self.kind.exit()
    }

    /// The object under `error` in JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = serde_json::json!({
            "slug": self.kind.slug(),
            "message": self.what,
            "why": self.why,
            "hint": self.way_out.as_str(),
            "retryable": self.kind.retryable(),
            "exit_code": self.exit().code(),
        });
        let code = match self.kind {
            Kind::Rpc(code) => Some(code.code()),
            Kind::UnknownRpc(code) => Some(code),
            _ => None,
        };
        if let Some(code) = code {
            error["code"] = code.into();
        }
        if let Some(trace_id) = &self.trace_id {
            error["trace_id"] = trace_id.as_str().into();
        }
        error
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        let kind = error.kind().map_or(Kind::UnknownRpc(error.code), Kind::Rpc);
        let (default_why, default_way_out) = match kind {
            Kind::Rpc(code) => defaults(code),
            _ => ("the daemon is newer than this `cv`", Hint::REINSTALL),
        };
        let killed = error
            .data
            .as_ref()
            .is_some_and(|data| data.slug == "interrupted");
        let kind = if killed { Kind::DaemonKilled } else { kind };
        let (why, hint, trace_id) = error.data.map_or((None, None, None), |data| {
            (data.why, data.hint, data.trace_id)
        });
        Self {
            kind,
            what: error.message,
            why: why.unwrap_or_else(|| default_why.to_owned()),
            way_out: hint.map_or(default_way_out, |hint| {
                Hint::from_daemon(if hint.contains('`') || !hint.starts_with("cv ") {
                    hint
                } else {
                    format!("`{hint}`")
                })
            }),
            trace_id,
        }
    }
}

/// Why and the way out, where the daemon gave none.
const fn defaults(code: ErrorCode) -> (&'static str, Hint) {
    match code {
        ErrorCode::ParseError | ErrorCode::InvalidRequest | ErrorCode::MethodNotFound => {
            ("`cv` and the daemon do not fit each other", Hint::REINSTALL)
        }
        ErrorCode::InvalidParams => ("a value does not fit", Hint::HELP),
        ErrorCode::Internal => ("a fault of the daemon", Hint::LOGS),
        ErrorCode::NotInitialized | ErrorCode::VersionUnsupported => (
            "`cv` and the daemon speak different versions",
            Hint::REINSTALL,
        ),
        ErrorCode::Unauthorized => ("the daemon belongs to somebody else", Hint::DOCTOR),
        ErrorCode::Forbidden => ("it is not allowed", Hint::DOCTOR),
        ErrorCode::NotFound => ("the daemon knows nothing of the sort", Hint::RUNS),
        ErrorCode::Conflict => ("the state changed meanwhile", Hint::REVIEW_FIRST),
        ErrorCode::TooLarge => ("it is beyond a limit", Hint::NARROWER),
        ErrorCode::Overloaded => ("too much is going on at once", Hint::DOCTOR),
        ErrorCode::RateLimited => ("the provider asks for patience", Hint::DOCTOR),
        ErrorCode::BudgetExceeded
        | ErrorCode::ConfirmationRequired
        | ErrorCode::QuotaExhausted
        | ErrorCode::LicenseRequired
        | ErrorCode::PriceUnknown => ("it costs more than was agreed", Hint::BUDGETS),
        ErrorCode::ConsentRequired => ("a person must agree first, at a terminal", Hint::HELP),
        ErrorCode::EgressDenied => ("policy keeps it on this machine", Hint::POLICY),
        ErrorCode::ProviderError | ErrorCode::ModelUnavailable => {
            ("the model could not be used", Hint::PROVIDERS)
        }
        ErrorCode::KeyUnavailable => (
            "no place that is looked at has it, or keeps it",
            Hint::GIVE_KEY,
        ),
        ErrorCode::PluginTrapped => ("a plugin failed", Hint::LOGS),
        ErrorCode::StorageError => ("the database could not be read or written", Hint::DOCTOR),
        ErrorCode::Cancelled => ("somebody ended it", Hint::AGAIN),
    }
}

/// An I/O error in words, without the operating system's number.
pub fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The three lines on stderr. Text of others cannot break out of its line.
impl Failure {
    /// What, why and way out as (label, text).
    pub fn lines(&self) -> [(&'static str, String); 3] {
        use crate::output::escape::line;
        [
            ("error: ", line(&self.what).into_owned()),
            ("  why: ", line(&self.why).into_owned()),
            ("  try: ", line(self.way_out.as_str()).into_owned()),
        ]
    }

    /// The three lines, unwrapped, uncoloured.
    pub fn three_lines(&self) -> impl fmt::Display {
        struct Lines([(&'static str, String); 3]);
        impl fmt::Display for Lines {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0
                    .iter()
                    .try_for_each(|(label, text)| writeln!(f, "{label}{text}"))
            }
        }
        Lines(self.lines())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_our_own_has_the_contracts_exit_code() {
        for (kind, code) in [
            (Kind::Usage, 2),
            (Kind::NotARepository, 2),
            (Kind::Git, 2),
            (Kind::Conflict, 2),
            (Kind::TooLarge, 2),
            (Kind::NotFound, 2),
            (Kind::Io, 70),
            (Kind::Unreachable, 7),
            (Kind::DaemonKilled, 7),
            (Kind::UnknownRpc(-32099), 70),
            (Kind::Output, 70),
            (Kind::ReaderGone, 0),
            (Kind::Interrupted, 130),
            (Kind::Timeout, 124),
            (Kind::Incomplete, 6),
            (Kind::Declined, 3),
            (Kind::Unfit, 3),
        ] {
            assert_eq!(kind.exit().code(), code, "{kind:?}");
        }
    }

    #[test]
    fn an_error_of_the_daemon_keeps_its_own_words() {
        let failure = Failure::from(
            RpcError::new(ErrorCode::TooLarge, "The diff is too large")
                .why("70 MiB, 64 MiB at most")
                .hint("cv review --staged"),
        );
        assert_eq!(failure.exit(), Exit::Usage);
        assert_eq!(
            failure.three_lines().to_string(),
            "error: The diff is too large\n  why: 70 MiB, 64 MiB at most\n  \
             try: `cv review --staged`\n"
        );
    }

    #[test]
    fn an_error_stays_three_lines_whatever_it_quotes() {
        let failure = Failure::new(Kind::Git, "bad\nname", "\u{1b}[31mred", Hint::HELP);
        let text = failure.three_lines().to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_code_of_a_newer_daemon_is_an_internal_fault_with_a_way_out() {
        let failure = Failure::from(RpcError {
            code: -32099,
            message: "New".to_owned(),
            data: None,
        });
        assert_eq!(failure.exit(), Exit::Internal);
        assert_eq!(failure.to_json()["code"], -32099);
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let gone = Failure::output(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(gone.exit(), Exit::Ok);
        let full = Failure::output(&io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit(), Exit::Internal);
    }
}
