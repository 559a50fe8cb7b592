//! The daemon that holds the lock, seen from outside.

use std::{sync::mpsc, time::Duration};

use convergio_contract::health::Check;
use convergio_transport::lock::{Owner, StartLock, instance_owner};

use super::{Patient, fault, fine, note};
use crate::version;

const ID: &str = "daemon";
/// Somebody who starts a daemon holds the start lock for so long at most.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    if patient.within {
        return vec![fine(
            ID,
            format!(
                "version {} runs as process {}",
                version::OURS,
                std::process::id()
            ),
        )];
    }
    if !patient.endpoint.lock_file.exists() {
        return vec![fine(ID, "no daemon runs; `cv` starts it when it needs it")];
    }
    let Some(owner) = owner(patient) else {
        return vec![note(
            ID,
            "somebody is starting or replacing the daemon",
            "who runs cannot be told meanwhile",
            "cv doctor",
        )];
    };
    let Some(owner) = owner else {
        return vec![fine(ID, "no daemon runs; `cv` starts it when it needs it")];
    };
    let mut checks = Vec::new();
    if owner.socket != patient.endpoint.socket {
        checks.push(note(
            ID,
            format!(
                "process {} listens at {}",
                owner.pid,
                owner.socket.display()
            ),
            format!(
                "here it is looked for at {} first",
                patient.endpoint.socket.display()
            ),
            "cv stop",
        ));
    }
    if owner.version == version::OURS {
        checks.push(fine(
            ID,
            format!("version {} runs as process {}", owner.version, owner.pid),
        ));
    } else {
        checks.push(note(
            ID,
            format!(
                "version {} runs, version {} is installed",
                owner.version,
                version::OURS
            ),
            "it goes on until it is idle",
            "cv stop",
        ));
    }
    if let Err(error) = convergio_transport::socket::connect_blocking(&owner.socket) {
        checks.push(fault(
            ID,
            format!(
                "process {} holds the lock and cannot be reached: {error}",
                owner.pid
            ),
            "every `cv` waits for it",
            format!("kill {}", owner.pid),
        ));
    }
    checks
}

/// Who holds the lock; none where that cannot be told now.
fn owner(patient: &Patient<'_>) -> Option<Option<Owner>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let endpoint = patient.endpoint.clone();
    // Left behind where the start lock is held for longer: it ends with the process.
    std::thread::spawn(move || {
        let owner = StartLock::acquire(&endpoint.start_lock)
            .map(|lock| instance_owner(&endpoint.lock_file, &lock));
        // The waiter may have given up.
        let _ = sender.send(owner.ok().flatten());
    });
    receiver.recv_timeout(LOOK_WITHIN).ok()
}
