//! What stands where the socket belongs.

use std::{fs, io, os::unix::fs::MetadataExt};

use convergio_contract::health::Check;
use convergio_transport::{folder, socket};

use super::{Patient, fault, fine, note, quoted};

const ID: &str = "socket";

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    let path = &patient.endpoint.socket;
    let shown = path.display();
    let check = match folder::socket_stands_at(path) {
        Ok(false) => fine(
            ID,
            format!("no socket at {shown}: the next `cv` starts the daemon"),
        ),
        Err(found) => {
            let why = "the daemon follows and removes nothing there that is not its socket";
            fault(
                ID,
                found.to_string(),
                why,
                format!("mv {0} {0}.old", quoted(path)),
            )
        }
        Ok(true) => match socket::connect_blocking(path) {
            Ok(stream) => match socket::peer_uid(&stream) {
                Ok(uid) if uid == patient.surroundings.transport.uid => mode(patient),
                Ok(uid) => fault(
                    ID,
                    format!("user id {uid} listens at {shown}"),
                    "somebody else could read what you send",
                    format!("rm {}", quoted(path)),
                ),
                Err(error) => fault(
                    ID,
                    format!("who listens at {shown} cannot be told: {error}"),
                    "it is not used",
                    "cv stop".to_owned(),
                ),
            },
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => note(
                ID,
                format!("nobody listens at {shown}"),
                "a daemon was killed; the next one replaces it",
                "cv status",
            ),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => note(
                ID,
                format!("the queue at {shown} is full"),
                "the daemon does not keep up, or does not answer at all",
                "cv stop",
            ),
            Err(error) => fault(
                ID,
                format!("{shown} cannot be reached: {error}"),
                "no client can use the daemon",
                format!("ls -l {}", quoted(path)),
            ),
        },
    };
    vec![check]
}

fn mode(patient: &Patient<'_>) -> Check {
    let path = &patient.endpoint.socket;
    let mode = fs::symlink_metadata(path).map_or(0o600, |found| found.mode() & 0o777);
    // macOS gives a socket the mode of the umask; there the folder closes it.
    if mode & 0o077 != 0 && !patient.surroundings.transport.macos {
        let why = "the folder and the check of every caller keep others out all the same";
        let fix = format!("chmod 600 {}", quoted(path));
        return note(
            ID,
            format!("{} has mode {mode:o}", path.display()),
            why,
            fix,
        );
    }
    fine(ID, format!("somebody listens at {}", path.display()))
}
