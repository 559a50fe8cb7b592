//! The daemon: one process per user that takes runs, records what happens in them and tells it
//! to clients. This crate is the composition: it alone knows all the others.
//!
//! [`boot`] starts a whole daemon on a thread of the calling process; the program itself does
//! little more. What it never does: send anything over a network (nothing in it can), serve
//! another user, or acknowledge what is not on the disk.

mod accept;
mod background;
mod boot_error;
mod bus;
mod configuration;
mod conn;
mod daemon;
mod desktop;
mod dispatch;
mod doctor;
mod egress;
mod expiry;
mod failure;
mod gateway;
mod lanes;
mod lifecycle;
mod log;
mod memory;
mod menu;
mod notifications;
mod offline;
pub mod program;
mod providers;
mod recovery;
mod redact;
mod reminders;
mod rpc;
mod run_kinds;
pub mod service;
mod socket_file;
mod surroundings;
mod tick;
mod topics;
mod version;

use std::{
    io,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use convergio_config::{LOG_LEVEL, Settings};
use convergio_contract::health::StartedBy;
use tracing_subscriber::filter::LevelFilter;

use crate::{
    daemon::{Daemon, Phase},
    log::{Log, LogTarget},
};

pub use crate::{
    boot_error::BootError,
    daemon::RunsTiming,
    reminders::Clock,
    service::notify::Notifier,
    surroundings::{Buses, Keys, Surroundings},
};

/// Threads of the runtime's own pool end so long after their last job.
const IDLE_THREAD: Duration = Duration::from_millis(200);
/// Readings of the database at one time.
const POOL_THREADS: usize = 4;

type LogInstaller = Box<dyn FnOnce(Arc<Log>, &Settings) + Send>;

/// How a daemon is started.
pub struct BootOptions {
    /// Where everything is.
    pub surroundings: Surroundings,
    /// Who starts it.
    pub started_by: StartedBy,
    /// A socket that a service manager opened; none to open our own.
    pub listener: Option<UnixListener>,
    /// The only user to serve, where it is not the daemon's own: for tests.
    pub peer_uid: Option<u32>,
    /// End on SIGTERM and SIGINT.
    pub signals: bool,
    /// Whom to tell.
    pub notifier: Notifier,
    /// Other times than usual: for tests.
    pub timing: Option<RunsTiming>,
    /// What time it is, for reminders: for tests.
    pub clock: Clock,
    log_to: Option<LogInstaller>,
}

impl BootOptions {
    /// A daemon of its own under `home`, without signals, service manager or idle exit.
    pub fn under(home: &Path) -> Self {
        Self {
            surroundings: Surroundings::under(home),
            started_by: StartedBy::Foreground,
            listener: None,
            peer_uid: None,
            signals: false,
            notifier: Notifier::silent(),
            timing: None,
            clock: Clock::system(),
            log_to: None,
        }
    }

    /// The daemon of this process.
    pub fn from_process(started_by: StartedBy, listener: Option<UnixListener>) -> Self {
        Self {
            surroundings: Surroundings::from_process(),
            started_by,
            listener,
            peer_uid: None,
            signals: true,
            notifier: Notifier::from_process(),
            timing: None,
            clock: Clock::system(),
            log_to: Some(Box::new(move |log, settings| {
                log_everything(log, settings, started_by == StartedBy::Foreground);
            })),
        }
    }
}

fn level(settings: &Settings) -> LevelFilter {
    match settings.value(&LOG_LEVEL) {
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => LevelFilter::INFO,
    }
}

/// Sends what every thread of the process says to the log, and to the terminal if one watches.
fn log_everything(log: Arc<Log>, settings: &Settings, terminal: bool) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level(settings))
        .with_ansi(false)
        .with_writer(move || LogTarget {
            log: Arc::clone(&log),
            terminal,
        })
        .finish();
    // A second daemon in one process writes to the first one's log.
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(%panic, "panicked");
    }));
}

fn runtime() -> Result<tokio::runtime::Runtime, BootError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_keep_alive(IDLE_THREAD)
        .max_blocking_threads(POOL_THREADS)
        .build()
        .map_err(|source| BootError::Io {
            activity: "start the event loop",
            source,
        })
}

/// Serves on the calling thread until the daemon ends. `ready` is called once: when clients are
/// answered, or with why they never will be.
///
/// On [`BootError::AlreadyRunning`] the clients that wait at a given socket were answered.
pub fn serve(
    mut options: BootOptions,
    ready: impl FnOnce(Result<(), &BootError>),
) -> Result<(), BootError> {
    memory::prepare();
    let opened = match lifecycle::open(&mut options) {
        Ok(opened) => opened,
        Err(error) => {
            if let Some(listener) = options.listener.take() {
                refuse_waiting(listener, &error)?;
            }
            ready(Err(&error));
            return Err(error);
        }
    };
    runtime()?.block_on(lifecycle::serve(opened, ready))
}

fn refuse_waiting(listener: UnixListener, why: &BootError) -> Result<(), BootError> {
    let io = |source: io::Error| BootError::Io {
        activity: "answer who waits",
        source,
    };
    runtime()?.block_on(async {
        let listener = convergio_transport::socket::into_tokio(listener).map_err(io)?;
        accept::refuse_queued(&listener, &why.to_rpc()).await;
        Ok(())
    })
}

/// A daemon that runs on a thread of this process. Dropping it ends the daemon and waits.
pub struct Running {
    daemon: Arc<Daemon>,
    thread: Option<JoinHandle<Result<(), BootError>>>,
}

impl Running {
    /// The socket that clients connect to.
    pub fn socket(&self) -> &Path {
        &self.daemon.socket
    }

    /// The log file.
    pub fn log_file(&self) -> PathBuf {
        self.daemon.log.path().to_owned()
    }

    /// Drains and ends, as SIGTERM does. Returns at once.
    pub fn stop(&self) {
        self.daemon.advance(Phase::Draining);
    }

    /// Reads the wall clock now, as after the machine slept. Returns at once.
    pub fn look_at_the_clock(&self) {
        self.daemon.reminders.wake();
    }

    /// Waits until the daemon has ended.
    pub fn wait(mut self) -> Result<(), BootError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), BootError> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(BootError::Io {
                activity: "run the daemon",
                source: io::Error::other("its thread panicked"),
            }),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        // Nobody is left to hear it; `wait` is for who wants to.
        let _ = self.join();
    }
}

/// Starts a daemon on a thread of its own and returns when clients are answered.
pub fn boot(mut options: BootOptions) -> Result<Running, BootError> {
    let opened = lifecycle::open(&mut options)?;
    let daemon = Arc::clone(&opened.daemon);
    let (sender, ready) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("convergiod".to_owned())
        .spawn(move || {
            let say = |outcome: Result<(), &BootError>| {
                // The receiver waits for exactly this.
                let _ = sender.send(outcome.is_ok());
            };
            runtime()?.block_on(lifecycle::serve(opened, say))
        })
        .map_err(|source| BootError::Io {
            activity: "start a thread",
            source,
        })?;
    let mut running = Running {
        daemon,
        thread: Some(thread),
    };
    match ready.recv() {
        Ok(true) => Ok(running),
        Ok(false) | Err(_) => match running.join() {
            Err(error) => Err(error),
            Ok(()) => Ok(running),
        },
    }
}
