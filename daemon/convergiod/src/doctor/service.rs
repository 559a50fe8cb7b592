//! The service: enabled or not, and of this program.

use std::fs;

use convergio_contract::health::Check;

use super::{Patient, fine, note};
use crate::service::units;

const ID: &str = "service";

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    let environment = &patient.surroundings.transport;
    let Some(home) = &environment.home else {
        return Vec::new();
    };
    if patient.endpoint.explicit {
        return vec![fine(
            ID,
            "CONVERGIO_HOME or CONVERGIO_SOCKET is set: a service is not meant here",
        )];
    }
    let file = if environment.macos {
        units::launchd_file(home)
    } else {
        let folder = units::systemd_folder(home, environment.xdg_config_home.as_deref());
        folder.join(format!("{}.service", units::UNIT))
    };
    let enabled = patient.endpoint.service_enabled();
    let check = match (file.exists(), enabled) {
        (false, false) => fine(ID, "no service: `cv` starts the daemon when it needs it"),
        (true, false) => note(
            ID,
            format!("{} is there and not enabled", file.display()),
            "`cv` starts the daemon itself meanwhile",
            "cv service install",
        ),
        (false, true) => note(
            ID,
            format!("the service is enabled, but {} is gone", file.display()),
            "the daemon does not start with your session",
            "cv service install",
        ),
        (true, true) if !names_this_program(&file) => note(
            ID,
            format!("{} starts another program than this one", file.display()),
            "after an update you may still get the old daemon",
            "cv service install",
        ),
        (true, true) if !patient.endpoint.socket.exists() => note(
            ID,
            "the service is enabled, but nothing listens",
            "`cv` starts the daemon beside it",
            "systemctl --user start convergio.socket",
        ),
        (true, true) => fine(ID, "the service is enabled"),
    };
    vec![check]
}

fn names_this_program(file: &std::path::Path) -> bool {
    let Ok(text) = fs::read_to_string(file) else {
        return false;
    };
    let program = std::env::current_exe().ok();
    program.is_none_or(|program| {
        let plain = program.to_string_lossy();
        text.contains(&*plain) || text.contains(&*plain.replace('%', "%%"))
    })
}
