//! Work that blocks or computes, on threads that end with it.
//!
//! The runtime's own pool keeps its threads for seconds after their last job; an idle daemon has
//! none of these.

use std::sync::Arc;

use convergio_contract::{ErrorCode, RpcError};
use tokio::sync::{Semaphore, oneshot};

/// Threads at one time; what comes more waits.
const THREADS_MAX: usize = 4;

/// Starts threads, few at a time.
#[derive(Clone)]
pub(crate) struct Background {
    permits: Arc<Semaphore>,
}

impl Background {
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(THREADS_MAX)),
        }
    }

    /// Runs `work` on a thread of its own. Dropping the future does not stop the work.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| failed(name, "the daemon is ending"))?;
        let (sender, receiver) = oneshot::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let done = work();
                drop(permit);
                // Nobody waits any more: the caller was cancelled.
                let _ = sender.send(done);
            })
            .map_err(|error| failed(name, &error.to_string()))?;
        receiver
            .await
            .map_err(|_| failed(name, "its thread panicked"))
    }
}

fn failed(name: &str, why: &str) -> RpcError {
    tracing::error!(work = name, why, "background work failed");
    RpcError::new(ErrorCode::Internal, format!("could not {name}")).why(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_its_place() {
        let background = Background::new();
        for _ in 0..THREADS_MAX * 2 {
            let failed = background.run("fall over", || panic!("on purpose")).await;
            assert_eq!(
                failed.map(|(): ()| ()).unwrap_err().kind(),
                Some(ErrorCode::Internal)
            );
        }
        assert_eq!(background.run("add", || 1 + 1).await.unwrap(), 2);
    }
}
