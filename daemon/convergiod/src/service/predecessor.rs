//! Ending the daemon that runs, so that another may take its place.

use std::{cmp::Ordering, fs::File, path::Path, sync::mpsc, time::Duration};

use convergio_transport::{
    Endpoint,
    lock::{InstanceLock, LockError, Owner, StartLock, instance_owner},
};
use rustix::{
    fs::{FlockOperation, StatVfsMountFlags, flock},
    process::{Pid, Signal, kill_process},
};

use crate::version;

/// Longer than a daemon takes to drain.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// Why the running daemon still runs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StayError {
    /// A lock could not be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It is newer than this program.
    #[error("the daemon that runs is version {theirs}, newer than this program ({ours})")]
    Newer {
        /// Its version.
        theirs: String,
        /// Ours.
        ours: &'static str,
    },
    /// It could not be told.
    #[error("process {pid} could not be told to end: {source}")]
    Signal {
        /// The process.
        pid: u32,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It holds the lock and does not say who it is.
    #[error("a daemon runs that does not say who it is: {} names no process", .path.display())]
    Nameless {
        /// The lock file.
        path: std::path::PathBuf,
    },
    /// It did not end.
    #[error("process {pid} was told to end and is still there")]
    StillThere {
        /// The process.
        pid: u32,
    },
}

/// Ends the running daemon, if there is one, and gives back who it was. The caller holds the
/// start lock, so nobody starts another meanwhile.
pub(crate) fn end(endpoint: &Endpoint, start_lock: &StartLock) -> Result<Option<Owner>, StayError> {
    let lock_file = &endpoint.lock_file;
    let Some(owner) = instance_owner(lock_file, start_lock) else {
        // Nobody, or somebody who could not write its name: the lock tells.
        return match lock_file.exists().then(|| InstanceLock::acquire(lock_file)) {
            None | Some(Ok(_)) => Ok(None),
            Some(Err(LockError::Held { path, .. })) => Err(StayError::Nameless { path }),
            Some(Err(error)) => Err(error.into()),
        };
    };
    if version::compare(&owner.version, version::OURS) == Some(Ordering::Greater) {
        return Err(StayError::Newer {
            theirs: owner.version,
            ours: version::OURS,
        });
    }
    // On a read-only disk the name is that of the last holder that could write it.
    let read_only = rustix::fs::statvfs(lock_file)
        .is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::RDONLY));
    if read_only {
        let path = lock_file.to_owned();
        return Err(StayError::Nameless { path });
    }
    let told = i32::try_from(owner.pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = told {
        match kill_process(pid, Signal::TERM) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(errno) => {
                return Err(StayError::Signal {
                    pid: owner.pid,
                    source: errno.into(),
                });
            }
        }
    }
    if released(lock_file, GONE_WITHIN) {
        Ok(Some(owner))
    } else {
        Err(StayError::StillThere { pid: owner.pid })
    }
}

/// Waits until nobody holds the lock. flock(2) has no deadline, so it is waited for on a thread
/// that is left behind where the deadline passes.
pub(crate) fn released(lock_file: &Path, within: Duration) -> bool {
    let Ok(file) = File::open(lock_file) else {
        return true;
    };
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        while flock(&file, FlockOperation::LockShared) == Err(rustix::io::Errno::INTR) {}
        drop(file);
        // The waiter may have given up.
        let _ = sender.send(());
    });
    receiver.recv_timeout(within).is_ok()
}
