//! Whether somebody still reads stdout.

use std::{io, os::fd::AsFd};

use tokio::{io::Interest, net::unix::pipe};

/// Whoever reads stdout. On Linux a pipe says at once that its reader went, where writing would
/// only tell with the next bytes, and a model may take its time for those. Elsewhere the next
/// write tells.
#[derive(Debug)]
pub struct Reader(Option<pipe::Sender>);

impl Reader {
    /// Of this process's stdout. What cannot be waited for, a file for instance, never goes.
    pub fn of_stdout() -> Self {
        let watched = io::stdout()
            .as_fd()
            .try_clone_to_owned()
            // Unchecked, because nothing is written here: the check would make the pipe, which
            // others share, one that does not block.
            .and_then(pipe::Sender::from_owned_fd_unchecked);
        Self(watched.ok())
    }

    /// Resolves when it has gone.
    pub async fn gone(&self) {
        if let Some(stdout) = &self.0
            && stdout.ready(Interest::ERROR).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
