//! The socket's file: whether it is still ours, and a word at once when somebody takes it away.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// What identifies a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    device: u64,
    inode: u64,
}

/// The file that stands at `path`, if one does.
pub(crate) fn place(path: &Path) -> Option<Place> {
    let found = fs::symlink_metadata(path).ok()?;
    Some(Place {
        device: found.dev(),
        inode: found.ino(),
    })
}

#[cfg(target_os = "linux")]
mod watch {
    use std::{future::pending, os::fd::OwnedFd, path::Path};

    use rustix::{
        fs::inotify::{CreateFlags, WatchFlags, add_watch, init},
        io::{Errno, read},
    };
    use tokio::io::{Interest, unix::AsyncFd};

    /// Tells of changes of one file. Where a file cannot be watched it tells of none.
    pub(crate) struct Watch(Option<AsyncFd<OwnedFd>>);

    impl Watch {
        /// Of the file at `path`. Needs a runtime.
        #[expect(
            unsafe_code,
            reason = "the runtime's only way to wait for a descriptor"
        )]
        pub(crate) fn new(path: &Path) -> Self {
            let watched = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).and_then(|fd| {
                // A removed file changes its number of links, and only later is it gone.
                let changes = WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
                add_watch(&fd, path, changes)?;
                Ok(fd)
            });
            // SAFETY: the descriptor is owned by the value that is registered.
            let register =
                |fd| unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.ok();
            Self(watched.ok().and_then(register))
        }

        /// Waits for a change.
        pub(crate) async fn changed(&self) {
            let Some(fd) = &self.0 else {
                return pending().await;
            };
            loop {
                let Ok(mut ready) = fd.readable().await else {
                    return pending().await;
                };
                let mut events = [0; 1024];
                match read(fd.get_ref(), &mut events) {
                    Ok(_) => return,
                    Err(Errno::AGAIN) => ready.clear_ready(),
                    Err(Errno::INTR) => {}
                    Err(_) => return pending().await,
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod watch {
    use std::{future::pending, path::Path};

    /// Tells of nothing: here the tick looks.
    pub(crate) struct Watch;

    impl Watch {
        /// Of no file.
        pub(crate) fn new(_: &Path) -> Self {
            Self
        }

        /// Waits for good.
        pub(crate) async fn changed(&self) {
            pending().await
        }
    }
}

pub(crate) use watch::Watch;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_taken_away_is_noticed_though_it_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let watch = Watch::new(&path);
        let before = place(&path);
        fs::remove_file(&path).unwrap();
        watch.changed().await;
        assert_ne!(place(&path), before);
    }
}
