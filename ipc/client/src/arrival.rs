//! A word when a daemon comes: its socket appears in its folder.

#[cfg(target_os = "linux")]
mod watch {
    use std::{
        ffi::{CStr, OsString},
        future::pending,
        mem::MaybeUninit,
        os::{fd::OwnedFd, unix::ffi::OsStrExt},
        path::{Path, PathBuf},
    };

    use rustix::{
        fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init},
        io::Errno,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    /// Tells when a socket appears in its folder. Where the folder is not there yet it tells
    /// nothing.
    #[derive(Debug)]
    pub(crate) struct Arrival {
        folder: PathBuf,
        name: OsString,
        watched: Option<AsyncFd<OwnedFd>>,
    }

    impl Arrival {
        /// At this socket. Watches nothing yet.
        pub(crate) fn at(socket: &Path) -> Self {
            Self {
                folder: socket.parent().unwrap_or(Path::new("/")).to_owned(),
                name: socket.file_name().unwrap_or_default().to_owned(),
                watched: None,
            }
        }

        /// Watches from here on. Needs a runtime.
        #[expect(
            unsafe_code,
            reason = "the runtime's only way to wait for a descriptor"
        )]
        pub(crate) fn watch(&mut self) {
            if self.watched.is_some() {
                return;
            }
            let watched = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).and_then(|fd| {
                let changes = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF;
                add_watch(&fd, &self.folder, changes)?;
                Ok(fd)
            });
            // SAFETY: the descriptor is owned by the value that is registered.
            let register =
                |fd| unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.ok();
            self.watched = watched.ok().and_then(register);
        }

        /// Watches no more: somebody is here.
        pub(crate) fn rest(&mut self) {
            self.watched = None;
        }

        /// Waits until it appears, or its folder goes. Safe to cancel.
        pub(crate) async fn came(&mut self) {
            let Some(fd) = &self.watched else {
                return pending().await;
            };
            let ours = |name: &CStr| name.to_bytes() == self.name.as_bytes();
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut changes = Reader::new(fd.get_ref(), &mut buffer);
            'seen: loop {
                let Ok(mut ready) = fd.readable().await else {
                    return pending().await;
                };
                loop {
                    match changes.next().map(|change| change.file_name().map(ours)) {
                        Ok(Some(true)) => return,
                        Ok(Some(false)) | Err(Errno::INTR) => {}
                        // The folder itself: another one may take its place.
                        Ok(None) => break 'seen,
                        Err(Errno::AGAIN) => {
                            ready.clear_ready();
                            break;
                        }
                        Err(_) => return pending().await,
                    }
                }
            }
            self.watched = None;
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod watch {
    use std::{path::Path, time::Duration};

    /// Here one looks again now and then.
    const LOOK_AGAIN: Duration = Duration::from_secs(10);

    /// Tells that it may be worth a look.
    #[derive(Debug)]
    pub(crate) struct Arrival;

    impl Arrival {
        /// At this socket.
        pub(crate) fn at(_: &Path) -> Self {
            Self
        }

        /// Nothing is watched.
        pub(crate) fn watch(&mut self) {}

        /// Nothing was watched.
        pub(crate) fn rest(&mut self) {}

        /// Waits a while.
        pub(crate) async fn came(&mut self) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

pub(crate) use watch::Arrival;
