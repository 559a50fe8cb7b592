//! What fails with tasks, as it travels.

use convergio_contract::{ErrorCode, RpcError, task::TaskImportResponse};
use convergio_runs::RunsError;
use convergio_store::StoreError;
use convergio_tasks::{
    book::BookError,
    filter::{ATTRIBUTES, FilterError},
};

use crate::{failure, rpc::runs_error};

/// What a change of tasks failed by.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The task's own.
    Book(BookError),
    /// The way back's.
    Runs(RunsError),
    /// Already told.
    Told(Box<RpcError>),
    /// Nothing failed: it was to be undone, and this is what it would have done.
    Dry(Box<TaskImportResponse>),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Book(error.into())
    }
}

impl From<BookError> for WriteError {
    fn from(error: BookError) -> Self {
        Self::Book(error)
    }
}

impl From<RunsError> for WriteError {
    fn from(error: RunsError) -> Self {
        Self::Runs(error)
    }
}

impl From<RpcError> for WriteError {
    fn from(error: RpcError) -> Self {
        Self::Told(Box::new(error))
    }
}

impl WriteError {
    /// As it travels.
    pub(crate) fn told(self) -> RpcError {
        match self {
            Self::Book(error) => told(error),
            Self::Runs(error) => runs_error(error),
            Self::Told(error) => *error,
            Self::Dry(_) => failure::internal("a trial ended as a change", "nothing was changed"),
        }
    }
}

/// An error of the book as it travels.
pub(crate) fn told(error: BookError) -> RpcError {
    let text = error.to_string();
    match error {
        BookError::Store(error) => failure::store(&error),
        BookError::NotFound { .. } => RpcError::new(ErrorCode::NotFound, text)
            .why("it never was, or it was removed")
            .hint("cv task list state:all"),
        BookError::NoOccurrence { .. } => RpcError::new(ErrorCode::NotFound, text)
            .why("it never was, or its task was removed")
            .hint("cv inbox"),
        BookError::Stale { number, .. } => RpcError::new(ErrorCode::Conflict, text)
            .why("somebody changed it in between; nothing was changed")
            .hint(format!("cv task show {number}")),
        BookError::OpenParts { number, parts } => RpcError::new(ErrorCode::Conflict, text)
            .why("a task is done when its parts are")
            .hint(format!(
                "cv task done {}",
                list(parts.iter().chain([&number]))
            )),
        BookError::HasParts { number, .. } => RpcError::new(ErrorCode::Conflict, text)
            .why("they would be left without it")
            .hint(format!("cv task rm --with-parts {number}")),
        BookError::Ended { number, .. } => RpcError::new(ErrorCode::Conflict, text)
            .why("what is over is not reminded of")
            .hint(format!("cv task edit {number} --state open")),
        BookError::ChangedSince { number, .. } => RpcError::new(ErrorCode::Conflict, text)
            .why("taking the change back would lose what was done after it")
            .hint(format!("cv task show {number}")),
        BookError::Conflict { .. } | BookError::Gone { .. } => {
            RpcError::new(ErrorCode::Conflict, text).hint("cv task list state:all")
        }
        BookError::Full { .. } => RpcError::new(ErrorCode::TooLarge, text)
            .why("tasks that are done count too")
            .hint("cv task list state:done"),
        _ => failure::invalid(text),
    }
}

fn list<'a>(numbers: impl Iterator<Item = &'a u64>) -> String {
    let some: Vec<String> = numbers.take(20).map(u64::to_string).collect();
    some.join(" ")
}

/// Why words are no filter.
pub(super) fn no_filter(error: &FilterError) -> RpcError {
    let told = failure::invalid(error.to_string()).hint("cv task list --help");
    match error {
        FilterError::UnknownAttribute { .. } => told.why(format!("there are {ATTRIBUTES}")),
        _ => told,
    }
}
