//! Listening and connecting.

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener as StdListener, UnixStream as StdStream},
    },
    path::{Path, PathBuf},
};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};

use crate::folder::{self, FolderError};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// Why the socket could not be opened.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The folder or what stands in the socket's place is not fit.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A daemon answers there.
    #[error("another process is listening on {path}")]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {activity} {path}: {source}")]
    Io {
        /// What was tried.
        activity: &'static str,
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn io_error(activity: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ListenError {
    let path = path.to_owned();
    move |source| ListenError::Io {
        activity,
        path,
        source,
    }
}

/// Opens the socket with mode 0600 in a folder that only we can write. A stale socket, one that
/// refuses connections, is removed; a living one, a symlink or a file is not.
///
/// The caller holds the instance lock, so nobody else of ours removes or binds meanwhile.
pub fn bind_listener(path: &Path, uid: u32) -> Result<StdListener, ListenError> {
    if let Some(parent) = path.parent() {
        folder::prepare(parent, uid)?;
    }
    if folder::socket_stands_at(path)? {
        match connect_blocking(path) {
            Ok(_) => {
                return Err(ListenError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(io_error("remove the stale socket", path))?;
            }
            // The listener's queue is full: somebody is alive there.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(ListenError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(source) => return Err(io_error("probe the socket", path)(source)),
        }
    }
    let open = || -> io::Result<OwnedFd> {
        let socket = new_socket()?;
        // The mode of an unbound socket is what bind(2) gives the file on Linux, so it is never
        // open to others, not even for an instant. Elsewhere the folder's mode protects it.
        #[cfg(target_os = "linux")]
        rustix::fs::fchmod(&socket, rustix::fs::Mode::from_raw_mode(0o600))?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, BACKLOG)?;
        Ok(socket)
    };
    let listener = StdListener::from(open().map_err(io_error("listen on", path))?);
    listener
        .set_nonblocking(true)
        .map_err(io_error("prepare", path))?;
    Ok(listener)
}

/// Hands a bound listener to the runtime that is current.
pub fn into_tokio(listener: StdListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

#[cfg(not(target_os = "linux"))]
fn new_socket() -> io::Result<OwnedFd> {
    // Here it cannot be made so in one step.
    let flags = SocketFlags::empty();
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn new_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

/// Connects without a runtime. Unix sockets connect at once or fail: a full queue is
/// `WouldBlock`, no listener `ConnectionRefused`.
pub fn connect_blocking(path: &Path) -> io::Result<StdStream> {
    let socket = new_socket()?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(StdStream::from(socket))
}

/// Connects and makes sure that the listener runs under our own user id, so that nobody else can
/// pose as the daemon.
pub fn connect_to_own(path: &Path, uid: u32) -> io::Result<UnixStream> {
    let stream = connect_blocking(path)?;
    let found = peer_uid(&stream)?;
    if found != uid {
        let why = format!("the listener at {} runs as user id {found}", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    UnixStream::from_std(stream)
}

/// The user id at the other end, from the kernel.
pub fn peer_uid(stream: &impl AsFd) -> io::Result<u32> {
    #[cfg(target_os = "linux")]
    {
        Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let stream = UnixStream::from_std(StdStream::from(stream.as_fd().try_clone_to_owned()?))?;
        Ok(stream.peer_cred()?.uid())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn uid() -> u32 {
        rustix::process::getuid().as_raw()
    }

    #[test]
    fn the_socket_is_ours_alone_and_a_living_one_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run/cv.sock");
        let _listener = bind_listener(&path, uid()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777,
            0o700
        );
        assert!(matches!(
            bind_listener(&path, uid()),
            Err(ListenError::InUse { .. })
        ));
    }

    #[test]
    fn a_stale_socket_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run/cv.sock");
        drop(bind_listener(&path, uid()).unwrap());
        assert!(path.exists());
        assert!(bind_listener(&path, uid()).is_ok());
    }

    #[test]
    fn a_symlink_in_the_sockets_place_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("run");
        folder::prepare(&folder, uid()).unwrap();
        let path = folder.join("cv.sock");
        std::os::unix::fs::symlink("/nowhere", &path).unwrap();
        let refused = bind_listener(&path, uid());
        assert!(matches!(
            refused,
            Err(ListenError::Folder(FolderError::NotASocket { .. }))
        ));
    }

    #[tokio::test]
    async fn both_ends_know_each_other() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run/cv.sock");
        let listener = into_tokio(bind_listener(&path, uid()).unwrap()).unwrap();
        let client = connect_to_own(&path, uid()).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!(peer_uid(&server).unwrap(), uid());
        assert_eq!(peer_uid(&client).unwrap(), uid());
        assert!(connect_to_own(&path, uid() + 1).is_err());
    }
}
