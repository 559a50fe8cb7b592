//! Where the socket lies without `XDG_RUNTIME_DIR`.

use convergio_contract::health::Check;

use super::{Patient, fine, note};

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    let surroundings = patient.surroundings;
    if surroundings.transport.macos || patient.endpoint.explicit {
        return Vec::new();
    }
    let check = match (
        &surroundings.transport.xdg_runtime_dir,
        surroundings.has_runtime_dir,
    ) {
        (Some(folder), _) => fine(
            "runtime-folder",
            format!("XDG_RUNTIME_DIR is {}", folder.display()),
        ),
        (None, true) => note(
            "runtime-folder",
            "XDG_RUNTIME_DIR is not an absolute path and is ignored",
            "programs that use it may find another socket than you",
            "unset XDG_RUNTIME_DIR",
        ),
        (None, false) => note(
            "runtime-folder",
            format!(
                "XDG_RUNTIME_DIR is not set; the socket is {}",
                patient.endpoint.socket.display()
            ),
            "that works, and is usual in cron jobs and after su",
            "export XDG_RUNTIME_DIR=/run/user/$(id -u)",
        ),
    };
    vec![check]
}
