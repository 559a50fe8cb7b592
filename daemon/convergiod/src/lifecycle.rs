//! The daemon's life: taking the lock, opening, serving, draining, ending.

mod look;

use std::{
    fs, io,
    os::unix::net::UnixListener as StdListener,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use convergio_config::{
    DAEMON_IDLE_EXIT_MS, LOG_KEEP_FILES, LOG_MAX_BYTES, Paths, secrets::Secrets,
};
use convergio_contract::{ErrorCode, RpcError, Uuid, health::StartedBy};
use convergio_runs::Runs;
use convergio_store::{Store, StoreOptions};
use convergio_transport::{
    Endpoint, folder,
    lock::{InstanceLock, LockError, Owner, StartLock},
    socket,
};
use tokio::{
    net::UnixListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::timeout,
};

use crate::{
    BootError, BootOptions,
    accept::{self, Connections},
    background::Background,
    bus::live::LiveRuns,
    configuration::{Configuration, retention},
    daemon::{Daemon, Phase, RunsTiming, Shown},
    desktop::{self, Desktop, held::Held},
    gateway::Gateway,
    log::{Log, LogOptions},
    providers::ModelHouse,
    recovery::recover,
    reminders::{Reminders, keep},
    service::{notify::Notifier, predecessor::released},
    socket_file::{Place, Watch, place},
    tick::Timer,
    version,
};

/// Between two looks at the world.
const TICK: Duration = Duration::from_secs(30);
/// What is on its way to clients is written for so long at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);
/// Runs that were told to end have so long for it.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);
/// How long a daemon that does not listen any more may hold the lock; less than the client waits
/// that started this one.
const LEAVE_WITHIN: Duration = Duration::from_secs(12);
/// Between two looks at a daemon that holds the lock and does not answer.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Clients that came at the last moment are still served for so long.
const LINGER: Duration = Duration::from_millis(300);

fn io_error(activity: &'static str) -> impl FnOnce(io::Error) -> BootError {
    move |source| BootError::Io { activity, source }
}

/// Everything that is open and not yet served.
pub(crate) struct Opened {
    pub(crate) daemon: Arc<Daemon>,
    listener: StdListener,
    /// The socket as it was bound; none where its folder cannot be looked into.
    bound: Option<Place>,
    /// Whether the socket is removed at the end: not one that a service manager opened.
    ours: bool,
    lock: InstanceLock,
    signals: bool,
    notifier: Notifier,
}

fn acquire(endpoint: &Endpoint, service: bool) -> Result<InstanceLock, BootError> {
    let begun = Instant::now();
    loop {
        let owner = match InstanceLock::acquire(&endpoint.lock_file) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held { owner, .. }) => owner,
            Err(error) => return Err(error.into()),
        };
        if service {
            // Somebody may have been looking at the lock in this instant. A client that starts a
            // daemon holds the start lock, and looks before; a service manager does not.
            let _nobody_looks = StartLock::acquire(&endpoint.start_lock)?;
            return InstanceLock::acquire(&endpoint.lock_file).map_err(|error| match error {
                LockError::Held { owner, .. } => BootError::AlreadyRunning { owner },
                other => other.into(),
            });
        }
        // A daemon that is leaving holds the lock longer than the socket: it is waited for.
        let answers = |owner: &Owner| socket::connect_blocking(&owner.socket).is_ok();
        if owner.as_ref().is_some_and(answers) || begun.elapsed() > LEAVE_WITHIN {
            return Err(BootError::AlreadyRunning { owner });
        }
        // Looked at again now and then: it may be starting, and answer soon.
        released(&endpoint.lock_file, LOOK_AGAIN);
    }
}

/// Takes the lock, opens log, socket and database. Blocks; needs no runtime.
pub(crate) fn open(options: &mut BootOptions) -> Result<Opened, BootError> {
    let paths = Paths::derive(&options.surroundings.settings)?;
    let endpoint = Endpoint::resolve(&options.surroundings.transport)?;
    let uid = options.surroundings.transport.uid;
    folder::prepare(&paths.data_dir, uid)?;
    let given = options.listener.take();
    let mut lock = match acquire(&endpoint, given.is_some()) {
        Ok(lock) => lock,
        Err(error) => {
            options.listener = given;
            return Err(error);
        }
    };
    let configuration = Configuration::new(paths, options.surroundings.settings.clone());
    let broken = configuration.load().err();
    let settings = configuration.own();
    let log = Log::open(LogOptions {
        path: configuration.paths.log_file.clone(),
        max_bytes: settings.value(&LOG_MAX_BYTES),
        keep_files: settings.value(&LOG_KEEP_FILES),
    });
    if let Some(install) = options.log_to.take() {
        install(Arc::clone(&log), &settings);
    }
    if let Some(error) = broken {
        tracing::warn!(%error, "settings are broken; defaults hold for the daemon's own life");
    }
    let ours = given.is_none();
    let listener = match given {
        Some(listener) => listener,
        None => socket::bind_listener(&endpoint.socket, uid)?,
    };
    let socket = listening_at(&listener).unwrap_or_else(|| endpoint.socket.clone());
    let owner = Owner {
        pid: std::process::id(),
        socket: socket.clone(),
        version: version::OURS.to_owned(),
    };
    if let Err(error) = lock.write_owner(&owner) {
        tracing::warn!(%error, "the lock does not say who holds it");
    }
    let store = Store::open(&StoreOptions::new(&configuration.paths.data_dir))?;
    let connections = Arc::new(Connections::from_file_limit());
    let (surroundings, started_by) = (options.surroundings.clone(), options.started_by);
    let (peer_uid, timing) = (
        options.peer_uid.unwrap_or(uid),
        options.timing.unwrap_or_default(),
    );
    let shown = Shown {
        pid: std::process::id(),
        socket: socket.display().to_string(),
        data_dir: configuration.paths.data_dir.display().to_string(),
        log_file: log.path().display().to_string(),
        config_file: configuration.paths.config_file.display().to_string(),
    };
    let keys = &options.surroundings.keys;
    let sources = keys.sources(&configuration.environment, &configuration.paths);
    let secrets = Secrets::new(sources);
    log.hide(secrets.clone());
    let models = ModelHouse::new(secrets, keys.proxies(), &configuration.paths.data_dir);
    let held = Held::new(&configuration.paths.data_dir);
    let desktop = Desktop::new(&options.surroundings.buses);
    let daemon = Arc::new_cyclic(|this| Daemon {
        this: this.clone(),
        surroundings,
        shown,
        epoch: Uuid::now_v7().simple().to_string()[..12].to_owned(),
        started_by,
        started: Instant::now(),
        bound_runs: std::sync::OnceLock::new(),
        models,
        unsaved_books: tokio::sync::OnceCell::new(),
        peer_uid,
        socket,
        configuration,
        log,
        connections,
        background: Background::new(),
        live: Arc::new(LiveRuns::default()),
        phase: watch::Sender::new(Phase::Serving),
        restart_when_idle: std::sync::atomic::AtomicBool::new(false),
        wish: tokio::sync::Notify::new(),
        timing,
        gateway: Gateway::default(),
        topics: Arc::default(),
        menu_turn: tokio::sync::Mutex::default(),
        held,
        desktop,
        reminders: Reminders::new(options.clock.clone()),
        store,
    });
    Ok(Opened {
        bound: place(&daemon.socket),
        daemon,
        listener,
        ours,
        lock,
        signals: options.signals,
        notifier: options.notifier,
    })
}

fn listening_at(listener: &StdListener) -> Option<PathBuf> {
    listener
        .local_addr()
        .ok()?
        .as_pathname()
        .map(Path::to_owned)
}

/// Serves until somebody or something ends the daemon. `ready` is called when clients are
/// answered; it is told what went wrong where they never will be.
pub(crate) async fn serve(
    opened: Opened,
    ready: impl FnOnce(Result<(), &BootError>),
) -> Result<(), BootError> {
    match begin(&opened).await {
        Ok((listener, timer, signals)) => {
            ready(Ok(()));
            Life {
                opened,
                listener,
                timer,
                signals,
                keeping: None,
                tidy_since: None,
                today: jiff::Zoned::now().date(),
            }
            .run()
            .await
        }
        Err(error) => {
            ready(Err(&error));
            Err(error)
        }
    }
}

type Begun = (Arc<UnixListener>, Timer, Option<(Signal, Signal)>);

async fn begin(opened: &Opened) -> Result<Begun, BootError> {
    let daemon = &opened.daemon;
    let listener = opened
        .listener
        .try_clone()
        .and_then(socket::into_tokio)
        .map_err(io_error("listen"))?;
    let timer = Timer::new().map_err(io_error("open a timer"))?;
    let signals = match opened.signals {
        true => Some((
            signal(SignalKind::terminate()).map_err(io_error("hear signals"))?,
            signal(SignalKind::interrupt()).map_err(io_error("hear signals"))?,
        )),
        false => None,
    };
    let runs = Runs::new(daemon.store.clone(), retention(&daemon.configuration.own())).await?;
    recover(&runs).await?;
    let tenant = runs.tenant();
    let profile = daemon.store.read("find the local profile", move |conn| {
        convergio_runs::local_profile(conn, tenant)
    });
    let profile_id = profile.await?;
    // Set once, here.
    let _ = daemon.bound_runs.set((runs, profile_id));
    daemon.tend_gateway().await;
    Ok((Arc::new(listener), timer, signals))
}

struct Life {
    opened: Opened,
    listener: Arc<UnixListener>,
    timer: Timer,
    signals: Option<(Signal, Signal)>,
    /// Fires reminders.
    keeping: Option<tokio::task::JoinHandle<()>>,
    /// What has expired is to be removed, since then.
    tidy_since: Option<Instant>,
    /// The day of the last look: "tomorrow" in a menu is another one on the next.
    today: jiff::civil::Date,
}

async fn asked_to_end(signals: &mut Option<(Signal, Signal)>) {
    match signals {
        Some((terminate, interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        None => std::future::pending().await,
    }
}

impl Life {
    async fn run(mut self) -> Result<(), BootError> {
        let daemon = Arc::clone(&self.opened.daemon);
        tracing::info!(
            version = version::OURS,
            socket = %daemon.socket.display(),
            started_by = ?daemon.started_by,
            "serving"
        );
        self.opened.notifier.ready();
        let mut accepting = tokio::spawn(accept::accept(
            Arc::clone(&daemon),
            Arc::clone(&self.listener),
        ));
        self.keeping = Some(tokio::spawn(keep(Arc::clone(&daemon))));
        let desktop = tokio::spawn(desktop::attend(Arc::clone(&daemon)));
        let mut phase = daemon.phase.subscribe();
        let socket_file = Watch::new(&daemon.socket);
        let mut ticks = 0u64;
        let mut idle_since = Instant::now();
        let outcome = loop {
            if !daemon.is_idle() {
                idle_since = Instant::now();
            }
            if self.may_leave(idle_since) {
                tracing::info!("idle: ending");
                break Ok(());
            }
            let sleep = self.until_next_look(idle_since);
            self.timer.set(sleep).map_err(io_error("set the timer"))?;
            tokio::select! {
                fired = self.timer.fired() => {
                    fired.map_err(io_error("wait for the timer"))?;
                    ticks += 1;
                    if !self.tick(ticks, !accepting.is_finished()).await {
                        break Ok(());
                    }
                }
                () = asked_to_end(&mut self.signals) => {
                    tracing::info!("asked to end by a signal");
                    break Ok(());
                }
                _ = phase.wait_for(|phase| *phase != Phase::Serving) => break Ok(()),
                () = daemon.wish.notified() => {}
                () = daemon.reminders.planned() => {}
                () = socket_file.changed() => if self.lost_the_socket() {
                    break Ok(());
                },
                () = daemon.connections.freed.notified() => idle_since = Instant::now(),
                () = daemon.live.one_ended() => idle_since = Instant::now(),
                failed = &mut accepting => {
                    let source = match failed {
                        Ok(error) => error,
                        Err(panic) => io::Error::other(panic),
                    };
                    tracing::error!(%source, "the socket is broken");
                    break Err(BootError::Io { activity: "accept connections", source });
                }
            }
        };
        desktop.abort();
        self.end(accepting).await;
        outcome
    }

    fn idle_exit(&self) -> Duration {
        let settings = self.opened.daemon.configuration.own();
        Duration::from_millis(settings.value(&DAEMON_IDLE_EXIT_MS))
    }

    fn may_leave(&self, idle_since: Instant) -> bool {
        let daemon = &self.opened.daemon;
        if !daemon.is_idle() {
            return false;
        }
        if daemon.restart_when_idle.load(Ordering::Acquire) {
            return true;
        }
        daemon.started_by == StartedBy::OnDemand && idle_since.elapsed() >= self.idle_exit()
    }

    fn until_next_look(&self, idle_since: Instant) -> Duration {
        let daemon = &self.opened.daemon;
        let tick = self
            .opened
            .notifier
            .wants_word_every()
            .map_or(TICK, |word| TICK.min(word));
        let reminder = daemon.reminders.until_next();
        let tick = reminder.map_or(tick, |next| tick.min(next));
        if daemon.started_by != StartedBy::OnDemand || !daemon.is_idle() {
            return tick;
        }
        tick.min(self.idle_exit().saturating_sub(idle_since.elapsed()))
    }

    /// Whether nobody finds the daemon any more.
    fn lost_the_socket(&self) -> bool {
        let Opened { daemon, bound, .. } = &self.opened;
        let lost = bound.is_some() && place(&daemon.socket) != *bound;
        if lost {
            tracing::warn!(socket = %daemon.socket.display(), "the socket is no longer ours: ending");
        }
        lost
    }

    /// Refuses new runs, lets running ones end, settles the rest, says goodbye.
    async fn end(mut self, accepting: tokio::task::JoinHandle<io::Error>) {
        let daemon = Arc::clone(&self.opened.daemon);
        daemon.advance(Phase::Draining);
        daemon.close_gateway();
        self.opened.notifier.stopping();
        let drained = tokio::select! {
            drained = timeout(daemon.timing.drain, daemon.live.settled()) => drained.is_ok(),
            // The second one: nothing is waited for. The next start ends what is left.
            () = asked_to_end(&mut self.signals) => {
                tracing::warn!("asked to end again: runs are left as they are");
                return self.leave();
            }
        };
        if !drained {
            for run in daemon.live.running() {
                run.cancel("the daemon is ending");
            }
            if timeout(SETTLE_WITHIN, daemon.live.settled()).await.is_err() {
                tracing::warn!("runs did not end in time; the next start ends them");
            }
        }
        daemon.advance(Phase::Ending);
        if let Some(mut keeping) = self.keeping.take()
            && timeout(SETTLE_WITHIN, &mut keeping).await.is_err()
        {
            // What it was showing is shown again, in its own place.
            keeping.abort();
        }
        if self.opened.ours && place(&daemon.socket) == self.opened.bound {
            // Whoever comes from here on starts another daemon, which waits for the lock.
            // A socket that stays is stale, and probed by whoever comes next.
            let _ = fs::remove_file(&daemon.socket);
        }
        // Clients that don't read don't hold up the end.
        let _ = timeout(FLUSH_WITHIN, daemon.connections.flushed()).await;
        // Who came before that is served, and leaves; who only stays is left behind.
        let _ = timeout(LINGER, daemon.connections.none()).await;
        accepting.abort();
        let mut error = RpcError::new(ErrorCode::Overloaded, "the daemon is ending")
            .why("it was asked to, or nobody needed it")
            .hint("cv status");
        if let Some(data) = &mut error.data {
            // The socket is gone: who comes again starts another daemon.
            data.retry_after_ms = Some(0);
        }
        accept::refuse_queued(&self.listener, &error).await;
        daemon.connections.close_all();
        if let Err(error) = daemon.store.clone().close().await {
            tracing::warn!(%error, "the database was not closed well; the next start mends it");
        }
        self.leave();
    }

    fn leave(self) {
        tracing::info!("ended");
        self.opened.daemon.log.sync();
        // Last: from here on another daemon may start.
        drop(self.opened.lock);
    }
}

impl Default for RunsTiming {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(2),
            drain: Duration::from_secs(10),
        }
    }
}
