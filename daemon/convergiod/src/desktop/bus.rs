//! A D-Bus of the user's or the machine's: one connection to each, made when it is first needed,
//! and again when the bus has come back.

use std::{
    io,
    os::unix::fs::FileTypeExt,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};
use zbus::{Connection, connection::Builder};

/// A bus that does not answer holds nobody up for longer.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// A call that nobody answers ends so.
const CALL_WITHIN: Duration = Duration::from_secs(5);
/// Messages that wait for one reader at most; zbus reads no further while one is behind.
const QUEUED_MAX: usize = 64;

/// Why a bus cannot be used.
#[derive(Clone, Debug, Error)]
pub(crate) enum BusError {
    /// Nobody says where it is.
    #[error("there is no {0} bus: its address is not known")]
    Unknown(&'static str),
    /// Nothing stands where it should be.
    #[error("there is no {name} bus at {place}")]
    NotThere {
        /// Which.
        name: &'static str,
        /// Where.
        place: String,
    },
    /// It is there and does not let us in.
    #[error("the {name} bus does not answer: {why}")]
    Refused {
        /// Which.
        name: &'static str,
        /// What went wrong.
        why: String,
    },
}

/// One bus. Nothing is opened before somebody asks.
pub(crate) struct Bus {
    name: &'static str,
    address: Option<String>,
    open: Mutex<Option<Connection>>,
    /// Somebody wanted it and did not get it, or it has ended since.
    missed: AtomicBool,
    /// Counts connections.
    made: watch::Sender<u64>,
}

impl Bus {
    /// The bus at `address`; `name` is `session` or `system`.
    pub(crate) fn new(name: &'static str, address: Option<String>) -> Self {
        Self {
            name,
            address,
            open: Mutex::new(None),
            missed: AtomicBool::new(false),
            made: watch::Sender::new(0),
        }
    }

    /// Whether somebody wanted it when it was last asked for and did not get it, or has lost it.
    pub(crate) fn is_missed(&self) -> bool {
        if self.missed.load(Ordering::Acquire) {
            return true;
        }
        // Somebody who holds it is just connecting.
        let open = self.open.try_lock();
        open.is_ok_and(|open| open.as_ref().is_some_and(Connection::is_closed))
    }

    /// Whether it is worth while to try: its address is known, and a socket stands there as far as
    /// that can be seen. Opens nothing.
    pub(crate) fn seems_there(&self) -> Result<(), BusError> {
        let address = self.address.as_deref();
        let address = address.ok_or(BusError::Unknown(self.name))?;
        let Some(path) = first_path(address) else {
            return Ok(());
        };
        let is_socket = |found: io::Result<std::fs::Metadata>| {
            found.is_ok_and(|found| found.file_type().is_socket())
        };
        if is_socket(std::fs::metadata(&path)) {
            return Ok(());
        }
        Err(BusError::NotThere {
            name: self.name,
            place: path.display().to_string(),
        })
    }

    /// Changes when a connection was made, whoever wanted it.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.made.subscribe()
    }

    /// The one connection, made now where there is none or the last one has ended.
    pub(crate) async fn connection(&self) -> Result<Connection, BusError> {
        let connected = self.connected().await;
        self.missed.store(connected.is_err(), Ordering::Release);
        connected
    }

    async fn connected(&self) -> Result<Connection, BusError> {
        let mut open = self.open.lock().await;
        if let Some(living) = open.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(living.clone());
        }
        *open = None;
        self.seems_there()?;
        let address = self.address.as_deref().unwrap_or_default();
        let refused = |why: String| BusError::Refused {
            name: self.name,
            why,
        };
        let building = async {
            Builder::address(address)?
                .max_queued(QUEUED_MAX)
                .method_timeout(CALL_WITHIN)
                .build()
                .await
        };
        let built = timeout(CONNECT_WITHIN, building).await;
        let built = built.map_err(|_| refused("it took too long".to_owned()))?;
        let connection = built.map_err(|error| refused(error.to_string()))?;
        self.made.send_modify(|count| *count += 1);
        Ok(open.insert(connection).clone())
    }
}

/// The path of the first address, where it names one: `unix:path=/run/user/1000/bus,guid=…`.
fn first_path(addresses: &str) -> Option<PathBuf> {
    let first = addresses.split(';').next()?;
    let options = first.strip_prefix("unix:")?;
    let path = options
        .split(',')
        .find_map(|option| option.strip_prefix("path="))?;
    Some(unescaped(path).into())
}

/// Undoes `%2f`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|_| first == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A path as an address.
pub(crate) fn address_of(path: &std::path::Path) -> String {
    use std::{fmt::Write, os::unix::ffi::OsStrExt};

    let mut address = "unix:path=".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'/' | b'.' => {
                address.push(char::from(*byte));
            }
            // Writing to a text does not fail.
            other => drop(write!(address, "%{other:02x}")),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_path_goes_into_an_address_and_comes_out_again() {
        for path in ["/run/user/0/bus", "/tmp/with, comma;and ünicode/bus"] {
            let address = address_of(Path::new(path));
            assert!(!address["unix:path=".len()..].contains([',', ';', ' ']));
            let found = first_path(&format!("{address},guid=00;tcp:host=x"));
            assert_eq!(found.as_deref(), Some(Path::new(path)));
        }
        assert_eq!(first_path("unix:abstract=/tmp/x"), None);
        assert_eq!(first_path("tcp:host=localhost"), None);
        assert_eq!(
            first_path("unix:path=/a%zz%2"),
            Some(PathBuf::from("/a%zz%2"))
        );
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_at_once() {
        let none = Bus::new("session", None);
        assert!(matches!(
            none.connection().await,
            Err(BusError::Unknown("session"))
        ));
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("bus");
        let gone = Bus::new("system", Some(address_of(&place)));
        assert!(matches!(
            gone.connection().await,
            Err(BusError::NotThere { .. })
        ));
        // Something else than a socket is no bus, and nobody waits for it.
        std::fs::write(&place, "").unwrap();
        assert!(gone.seems_there().is_err());
    }
}
