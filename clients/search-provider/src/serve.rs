//! The process: on the bus while it is used.

use std::{io::Write as _, process::ExitCode, sync::Arc, time::Duration};

use convergio_client::{ClientOptions, Endpoint, Environment};
use convergio_contract::{
    daemon::{ClientCapabilities, ClientEnv, ClientInfo},
    task::TaskLocale,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, mpsc},
    time::sleep,
};

use crate::provider::Provider;

/// The name on the session bus.
pub const BUS_NAME: &str = "org.convergio.SearchProvider";
/// The object.
pub const OBJECT_PATH: &str = "/org/convergio/SearchProvider";
/// Nobody searched for so long: D-Bus starts us again.
const IDLE: Duration = Duration::from_secs(120);
/// What did not happen and was not yet said.
const FAILED_MAX: usize = 16;

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("no place for data and socket: {0}")]
    Place(#[from] convergio_client::EndpointError),
    #[error("this program's own folder is unknown: {0}")]
    Own(#[source] std::io::Error),
    #[error("the session bus: {0}")]
    Bus(#[from] zbus::Error),
    #[error("waiting for signals: {0}")]
    Signals(#[source] std::io::Error),
    #[error("the runtime: {0}")]
    Runtime(#[source] std::io::Error),
}

/// The languages of `LC_ALL`, `LC_MESSAGES` or `LANG`, as far as they are spoken here.
fn locale() -> TaskLocale {
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let languages = match named {
        Some(name) if name.starts_with("it") => vec!["it".to_owned(), "en".to_owned()],
        _ => vec!["en".to_owned(), "it".to_owned()],
    };
    TaskLocale {
        languages,
        ..TaskLocale::default()
    }
}

async fn run() -> Result<(), ServeError> {
    let own = std::env::current_exe().map_err(ServeError::Own)?;
    let options = ClientOptions {
        endpoint: Endpoint::resolve(&Environment::from_process())?,
        daemon: None,
        client: ClientInfo {
            name: "cv-search-provider".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        capabilities: ClientCapabilities::default(),
        env: ClientEnv::default(),
    };
    let used = Arc::new(Notify::new());
    let (failed, mut failures) = mpsc::channel(FAILED_MAX);
    let provider = Provider::new(
        options,
        own.with_file_name("cv"),
        locale(),
        Arc::clone(&used),
        failed,
    );
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let connection = zbus::connection::Builder::session()?
        .serve_at(OBJECT_PATH, provider)?
        .name(BUS_NAME)?
        .build()
        .await?;
    loop {
        tokio::select! {
            () = used.notified() => {}
            Some(why) = failures.recv() => complain(&why),
            () = sleep(IDLE) => break,
            _ = terminate.recv() => break,
        }
    }
    // Calls that came meanwhile are left to the next one, which D-Bus starts for them.
    connection.release_name(BUS_NAME).await?;
    connection.graceful_shutdown().await;
    Ok(())
}

fn complain(why: &str) {
    // Nobody reads it where the journal does not.
    let _ = writeln!(std::io::stderr(), "cv-search-provider: {why}");
}

/// Serves until nobody searches any more.
#[must_use]
pub fn serve() -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)
        .and_then(|runtime| runtime.block_on(run()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(7)
        }
    }
}
