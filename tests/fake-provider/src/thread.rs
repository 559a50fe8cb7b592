//! A runtime on a thread of its own, ended and joined when it is dropped.

use std::{future::Future, io, thread};

use tokio::{runtime, sync::oneshot};

#[derive(Debug)]
pub(crate) struct Thread {
    runtime: runtime::Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Thread {
    /// Runs what `main` makes until it ends or this is dropped; then everything that it spawned
    /// is dropped too.
    pub(crate) fn start<F>(
        name: &str,
        main: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = ()>,
    {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    tokio::select! {
                        () = main() => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn runtime(&self) -> &runtime::Handle {
        &self.runtime
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there was printed; it must not become a second one here.
            let _ = thread.join();
        }
    }
}
