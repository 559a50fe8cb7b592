//! Finding the daemon, and starting it where it does not run: one starter at a time, and nobody
//! starts a second one.

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use convergio_contract::RpcError;
use convergio_transport::{
    folder,
    lock::{self, LockError, Owner, StartLock},
    socket,
};
use tokio::{
    io::AsyncReadExt,
    net::{UnixStream, unix::pipe},
    sync::oneshot,
    time::timeout,
};

use crate::{ClientError, ClientOptions, Endpoint};

/// How long a start may take, the wait for another starter included.
const START_TIMEOUT_MS: u64 = 15_000;
/// The longest message of a daemon that gives up.
const START_MESSAGE_MAX_BYTES: u64 = 64 * 1024;

/// Variables that a started daemon inherits; all others stay with the client.
const ENVIRONMENT: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "LANG",
    "TZ",
    "TMPDIR",
    "SHELL",
    "RUST_BACKTRACE",
    "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DO_NOT_TRACK",
    "CREDENTIALS_DIRECTORY",
];
/// Prefixes of further ones.
const ENVIRONMENT_PREFIXES: &[&str] = &["LC_", "CONVERGIO_"];

/// What a person should know about how the daemon came to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnNotice {
    /// The service is enabled, but nothing listened at its socket, so the daemon was started
    /// beside it.
    ServiceEnabledButNoSocket,
}

/// Connects, or starts the daemon and connects.
pub(crate) async fn connect_or_start(
    options: &ClientOptions,
) -> Result<(UnixStream, Option<SpawnNotice>), ClientError> {
    let endpoint = &options.endpoint;
    if let Some(stream) = try_connect(&endpoint.socket).await? {
        return Ok((stream, None));
    }
    let started = connect_under_lock(options);
    match timeout(Duration::from_millis(START_TIMEOUT_MS), started).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ClientError::Timeout {
            method: "the daemon's start",
            timeout_ms: START_TIMEOUT_MS,
        }),
    }
}

async fn connect_under_lock(
    options: &ClientOptions,
) -> Result<(UnixStream, Option<SpawnNotice>), ClientError> {
    let endpoint = &options.endpoint;
    if options.daemon.is_none() && !endpoint.data_dir().is_dir() {
        return Err(ClientError::NotRunning {
            socket: endpoint.socket.clone(),
        });
    }
    let start_lock = acquire(&endpoint.start_lock).await?;
    if let Some(stream) = try_connect(&endpoint.socket).await? {
        return Ok((stream, None));
    }
    // The same daemon under another runtime folder: a cron job has no XDG_RUNTIME_DIR.
    let owner = lock::instance_owner(&endpoint.lock_file, &start_lock);
    if let Some(owner) = &owner
        && let Some(stream) = try_connect(&owner.socket).await?
    {
        return Ok((stream, None));
    }
    let Some(daemon) = &options.daemon else {
        return Err(ClientError::NotRunning {
            socket: endpoint.socket.clone(),
        });
    };
    let service = endpoint.service_enabled();
    start(daemon).await?;
    let stream = try_connect(&endpoint.socket)
        .await?
        .ok_or_else(|| ClientError::Connect {
            socket: endpoint.socket.clone(),
            source: io::Error::from(io::ErrorKind::ConnectionRefused),
        })?;
    drop(start_lock);
    Ok((
        stream,
        service.then_some(SpawnNotice::ServiceEnabledButNoSocket),
    ))
}

/// The daemon that holds the instance lock, whether or not it answers.
pub async fn running_owner(endpoint: &Endpoint) -> Result<Option<Owner>, ClientError> {
    if !endpoint.lock_file.exists() {
        return Ok(None);
    }
    let start_lock = acquire(&endpoint.start_lock).await?;
    Ok(lock::instance_owner(&endpoint.lock_file, &start_lock))
}

async fn try_connect(path: &Path) -> Result<Option<UnixStream>, ClientError> {
    if !folder::socket_stands_at(path)? {
        return Ok(None);
    }
    let uid = rustix::process::getuid().as_raw();
    match socket::connect_to_own(path, uid) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(None),
            // The listener's queue is full. A blocking connect waits for its place in it.
            io::ErrorKind::WouldBlock => wait_for_place(path).await.map(Some),
            _ => Err(ClientError::Connect {
                socket: path.to_owned(),
                source: error,
            }),
        },
    }
}

/// Connects on a thread of its own, because only a blocking connect(2) waits for a full queue.
async fn wait_for_place(path: &Path) -> Result<UnixStream, ClientError> {
    let (done, connected) = oneshot::channel();
    let target = path.to_owned();
    std::thread::spawn(move || {
        let stream = std::os::unix::net::UnixStream::connect(&target).and_then(|stream| {
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        // The waiter may have given up.
        let _ = done.send(stream);
    });
    let limit = Duration::from_millis(START_TIMEOUT_MS);
    let connected = timeout(limit, connected).await.ok().and_then(Result::ok);
    let connected = connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
    let to_error = |source| ClientError::Connect {
        socket: path.to_owned(),
        source,
    };
    connected.and_then(UnixStream::from_std).map_err(to_error)
}

/// Takes the start lock on a thread of its own: flock(2) has no deadline, so the thread is left
/// behind when the caller's deadline passes, and ends with the lock or with the process.
async fn acquire(path: &Path) -> Result<StartLock, ClientError> {
    let (done, locked) = oneshot::channel();
    let target = path.to_owned();
    std::thread::spawn(move || {
        // The waiter may have given up; the lock is then dropped at once.
        let _ = done.send(StartLock::acquire(&target));
    });
    locked
        .await
        .map_err(|_| LockError::Io {
            activity: "wait for",
            path: path.to_owned(),
            source: io::Error::other("the waiting thread ended"),
        })?
        .map_err(ClientError::from)
}

/// Starts the daemon and waits until it listens, or says why it does not.
async fn start(daemon: &Path) -> Result<(), ClientError> {
    let spawn_error = |source| ClientError::Spawn {
        daemon: daemon.to_owned(),
        source,
    };
    let mut command = Command::new(daemon);
    command.args(["serve", "--spawned"]).env_clear();
    for (name, value) in std::env::vars_os() {
        let listed = name.to_str().is_some_and(|name| {
            ENVIRONMENT.contains(&name)
                || ENVIRONMENT_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        });
        if !listed {
            continue;
        }
        // The daemon leaves this folder, so a relative place would become another one.
        match name.to_str() {
            Some("CONVERGIO_HOME" | "CONVERGIO_SOCKET") if !value.is_empty() => {
                let place = std::path::absolute(&value).map_err(spawn_error)?;
                command.env(name, place);
            }
            _ => {
                command.env(name, value);
            }
        }
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(spawn_error)?;
    let Some(output) = child.stdout.take() else {
        return Err(spawn_error(io::Error::other("no pipe to the daemon")));
    };
    let output = pipe::Receiver::from_owned_fd(output.into()).map_err(spawn_error)?;
    let mut said = String::new();
    let read = output
        .take(START_MESSAGE_MAX_BYTES)
        .read_to_string(&mut said)
        .await;
    read.map_err(spawn_error)?;
    let said = said.trim();
    if said == "ready" {
        return Ok(());
    }
    let (why, hint) = match serde_json::from_str::<RpcError>(said) {
        Ok(error) => {
            let data = error.data.as_ref();
            let why = match data.and_then(|data| data.why.as_ref()) {
                Some(why) => format!("{}: {why}", error.message),
                None => error.message.clone(),
            };
            (why, data.and_then(|data| data.hint.clone()))
        }
        Err(_) if said.is_empty() => ("it ended without a word".to_owned(), None),
        Err(_) => (said.to_owned(), None),
    };
    Err(ClientError::StartFailed { why, hint })
}
