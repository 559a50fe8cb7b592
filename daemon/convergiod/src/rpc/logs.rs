//! The daemon's log, for whoever may not know where it is.

use std::{io, time::Duration};

use convergio_contract::{
    ErrorCode, RpcError,
    limits::PAGE_MAX,
    logs::{LogsRead, LogsReadParams, LogsReadResponse},
};
use tokio::time::timeout;

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure, log,
};

/// Lines where no limit is given.
const LINES_DEFAULT: u32 = 100;
/// The longest wait for a line, in milliseconds.
const WAIT_MAX_MS: u64 = 30_000;

impl Handle<LogsRead> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: LogsReadParams,
    ) -> Result<LogsReadResponse, RpcError> {
        let limit = params.limit.unwrap_or(LINES_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {PAGE_MAX}, not {limit}"
            )));
        }
        let limit = limit as usize;
        let cursor = params.cursor.as_deref();
        let mut page = self.page(cursor, limit)?;
        if page.lines.is_empty() && cursor.is_some() && params.wait_ms > 0 {
            let wait = Duration::from_millis(params.wait_ms.min(WAIT_MAX_MS));
            let grown = self.log.grown(|| {
                log::read(self.log.path(), cursor, 1).is_ok_and(|page| !page.lines.is_empty())
            });
            // Nothing came: the empty page is the answer.
            if timeout(wait, grown).await.is_ok() {
                page = self.page(cursor, limit)?;
            }
        }
        Ok(LogsReadResponse {
            lines: page.lines,
            cursor: page.cursor,
            gap: page.gap,
        })
    }
}

impl Daemon {
    fn page(&self, cursor: Option<&str>, limit: usize) -> Result<log::Page, RpcError> {
        log::read(self.log.path(), cursor, limit).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => failure::invalid(error.to_string()),
            _ => RpcError::new(
                ErrorCode::StorageError,
                format!("cannot read {}", self.log.path().display()),
            )
            .why(error.to_string())
            .hint("cv doctor"),
        })
    }
}
