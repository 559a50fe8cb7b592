//! Linux: a StatusNotifierItem on the session's D-Bus.
//!
//! Three things come and go, each on its own, and nothing of it is polled: the watcher (a panel),
//! the bus, and the daemon. The item tells a watcher of itself whenever one comes. Where the bus
//! ends, item and connection are made anew once it is there again.

mod shown;

use std::{
    future::Future,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use convergio_contract::task::Occurrence;
use ksni::{Handle, TrayMethods};
use thiserror::Error;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn},
    time::{Instant, sleep_until, timeout},
};
use zbus::{
    Connection,
    connection::Builder,
    fdo::{DBusProxy, RequestNameFlags},
    names::BusName,
};

use self::shown::{Shown, Watched};
use super::{CHOICES_MAX, Look, Tray, TrayEnd};
use crate::model::{Choice, Difference, View};

/// Who has it is the menu bar of this session.
const NAME: &str = "org.convergio.MenuBar1";
/// Who has it looks after the icons of a panel.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
/// A bus that does not answer holds nobody up for longer.
const WITHIN: Duration = Duration::from_secs(5);
/// Messages that wait for one reader at most.
const QUEUED_MAX: usize = 64;
/// Pauses between tries to reach a bus; the last one goes on.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

const NO_WATCHER: [&str; 3] = [
    "No panel here takes icons; one that comes will show it.",
    "  why: nobody has the name org.kde.StatusNotifierWatcher on the session's D-Bus",
    "  try: on GNOME, gnome-extensions enable appindicatorsupport@rgcjonas.gmail.com",
];

#[derive(Debug, Error)]
enum OpenError {
    #[error(transparent)]
    Bus(#[from] zbus::Error),
    #[error(transparent)]
    Item(#[from] ksni::Error),
    #[error("it does not answer within {} s", WITHIN.as_secs())]
    Slow,
    #[error("another one has the name {NAME}")]
    Taken,
}

/// Runs `work` with the panel of this session.
pub(crate) fn main<W: Future<Output = ExitCode>>(
    view: View,
    work: impl FnOnce(Panel, mpsc::Receiver<Choice>) -> W,
) -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (chosen, choices) = mpsc::channel(CHOICES_MAX);
    let panel = Panel {
        view: Arc::new(view),
        chosen,
        open: None,
        opening: None,
        next_try: None,
        tries: 0,
        told: Told::default(),
    };
    Ok(runtime.block_on(work(panel, choices)))
}

/// What was said on stderr; each once.
#[derive(Debug, Default)]
struct Told {
    bus: bool,
    watcher: bool,
}

/// The panel of a session.
pub(crate) struct Panel {
    view: Arc<View>,
    chosen: mpsc::Sender<Choice>,
    open: Option<Open>,
    opening: Option<JoinHandle<Result<(Open, bool), OpenError>>>,
    /// Not before; none: at once.
    next_try: Option<Instant>,
    tries: usize,
    told: Told,
}

struct Open {
    bus: Connection,
    item: Handle<Shown>,
}

impl Open {
    async fn close(self) {
        // Not dropped alone: the item's task ends by being told so.
        let _ = timeout(WITHIN, self.item.shutdown()).await;
        let _ = timeout(WITHIN, self.bus.close()).await;
    }
}

async fn connect() -> Result<Connection, OpenError> {
    let bus = Builder::session()?
        .max_queued(QUEUED_MAX)
        .method_timeout(WITHIN)
        .build();
    let bus = timeout(WITHIN, bus).await.map_err(|_| OpenError::Slow)?;
    bus.map_err(OpenError::Bus)
}

async fn has_owner(bus: &Connection, name: &'static str) -> zbus::Result<bool> {
    let name = BusName::try_from(name)?;
    Ok(DBusProxy::new(bus).await?.name_has_owner(name).await?)
}

/// The item on the bus, and whether a watcher knows of it.
async fn open(view: Arc<View>, chosen: mpsc::Sender<Choice>) -> Result<(Open, bool), OpenError> {
    let bus = connect().await?;
    let flags = RequestNameFlags::DoNotQueue.into();
    match bus.request_name_with_flags(NAME, flags).await {
        Ok(_) => {}
        Err(zbus::Error::NameTaken) => return Err(OpenError::Taken),
        Err(error) => return Err(error.into()),
    }
    let mut again = true;
    loop {
        let watched = Watched::default();
        let shown = Shown {
            view: Arc::clone(&view),
            chosen: chosen.clone(),
            watched: watched.clone(),
        };
        let item = shown.assume_sni_available(true).spawn();
        let item = timeout(WITHIN, item).await.map_err(|_| OpenError::Slow)??;
        let open = Open {
            bus: bus.clone(),
            item,
        };
        if watched.is() {
            return Ok((open, true));
        }
        // One that came between the item's try and its listening would never be told.
        if !(again && has_owner(&bus, WATCHER).await?) {
            return Ok((open, false));
        }
        again = false;
        let _ = timeout(WITHIN, open.item.shutdown()).await;
    }
}

impl Panel {
    async fn opened(&mut self, opened: Result<(Open, bool), OpenError>) -> Result<(), TrayEnd> {
        match opened {
            Ok((open, watched)) => {
                self.tries = 0;
                self.told.bus = false;
                if !watched && !self.told.watcher {
                    self.told.watcher = true;
                    say(&NO_WATCHER);
                }
                // Something else may have been drawn meanwhile.
                let now = Arc::clone(&self.view);
                self.open = Some(open);
                self.update(None, now).await;
            }
            Err(OpenError::Taken) => return Err(TrayEnd::RunsAlready),
            Err(error) => {
                if !self.told.bus {
                    self.told.bus = true;
                    let why = format!("  why: {error}");
                    say(&[
                        "The session's D-Bus cannot be used; it is tried again now and then.",
                        &why,
                        "  try: cv-menubar --check",
                    ]);
                }
                let last = PAUSES.len() - 1;
                self.next_try = Some(Instant::now() + PAUSES[self.tries.min(last)]);
                self.tries += 1;
            }
        }
        Ok(())
    }

    /// Shows `now`, and `between` for a moment before it.
    async fn update(&mut self, between: Option<View>, now: Arc<View>) {
        let Some(open) = &self.open else { return };
        let drawing = async {
            if let Some(between) = between {
                let between = Arc::new(between);
                open.item.update(move |shown| shown.view = between).await;
            }
            open.item.update(move |shown| shown.view = now).await;
        };
        if timeout(WITHIN, drawing).await.is_err() {
            self.give_up().await;
        }
    }

    /// Item and bus are made anew.
    async fn give_up(&mut self) {
        self.next_try = Some(Instant::now() + PAUSES[0]);
        if let Some(open) = self.open.take() {
            open.close().await;
        }
    }
}

fn say(lines: &[&str]) {
    // Where nobody reads, nothing is lost.
    let _ = writeln!(io::stderr(), "cv-menubar: {}", lines.join("\n"));
}

impl Tray for Panel {
    const SHOWS_REMINDERS: bool = false;

    async fn draw(&mut self, view: View, difference: Difference) {
        let before = std::mem::replace(&mut self.view, Arc::new(view));
        // The item's library would give the number of an entry to the one that takes its place.
        // Emptied in between, no number is given twice, and a click that was meant for the old
        // entry finds none.
        let between = difference.meaning.then(|| View {
            items: Vec::new(),
            ..View::clone(&before)
        });
        self.update(between, Arc::clone(&self.view)).await;
    }

    async fn tend(&mut self) -> Result<(), TrayEnd> {
        if let Some(open) = &self.open {
            open.bus.closed().await;
            self.give_up().await;
            return Ok(());
        }
        if let Some(next_try) = self.next_try {
            sleep_until(next_try).await;
            self.next_try = None;
        }
        // A task of its own: an item that is half made must not be let go of.
        let opening = self
            .opening
            .get_or_insert_with(|| spawn(open(Arc::clone(&self.view), self.chosen.clone())));
        let opened = opening.await;
        self.opening = None;
        match opened {
            Ok(opened) => self.opened(opened).await,
            Err(_) => {
                self.next_try = Some(Instant::now() + PAUSES[PAUSES.len() - 1]);
                Ok(())
            }
        }
    }

    fn remind(&mut self, _: &Occurrence) {}

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.close().await;
        }
    }
}

/// The bus and what is on it.
pub(crate) async fn look() -> Vec<Look> {
    let bus = match connect().await {
        Ok(bus) => bus,
        Err(error) => {
            return vec![Look {
                what: "bus",
                good: false,
                seen: format!("the session's D-Bus cannot be used: {error}"),
            }];
        }
    };
    let found = vec![Look {
        what: "bus",
        good: true,
        seen: "the session's D-Bus answers".to_owned(),
    }];
    let watcher = match has_owner(&bus, WATCHER).await {
        Ok(true) => Ok(format!("{WATCHER} is there: a panel shows icons")),
        Ok(false) => Err(format!(
            "nobody has the name {WATCHER}: no panel shows icons (GNOME needs the extension \
             AppIndicator and KStatusNotifierItem Support)"
        )),
        Err(error) => Err(error.to_string()),
    };
    let own = match has_owner(&bus, NAME).await {
        Ok(true) => Ok("runs in this session".to_owned()),
        Ok(false) => Ok("does not run in this session".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let looks = [("panel", watcher), ("menu bar", own)].map(|(what, seen)| Look {
        what,
        good: seen.is_ok(),
        seen: seen.unwrap_or_else(|why| why),
    });
    found.into_iter().chain(looks).collect()
}
