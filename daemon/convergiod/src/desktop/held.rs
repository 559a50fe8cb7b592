//! Work that nobody waits for, and why it is held back.
//!
//! That is one thing today: removing what has expired ([`crate::expiry`]). Providers are probed and
//! price lists read only when somebody asks, so nothing needs the network by itself; `offline` is
//! told and holds nothing back yet. Reminders and runs are never held back.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use convergio_contract::{ErrorCode, RpcError, menu::BackgroundState};
use tokio::sync::{Mutex, watch};

use crate::{background::Background, menu::draw::ASKED};

/// In the data folder while somebody wants it so, across restarts.
const MARKER: &str = "background-paused";
/// What has expired is removed after so long although the battery is used: to keep things no longer
/// than was promised counts more.
const TIDY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// All that may hold such work back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reasons {
    /// Somebody wants it so.
    pub(crate) asked: bool,
    /// The machine runs on its battery.
    pub(crate) battery: bool,
    /// There is no way to the internet.
    pub(crate) offline: bool,
    /// The machine is about to sleep.
    pub(crate) sleep: bool,
}

impl Reasons {
    fn words(self) -> Vec<String> {
        [
            (self.asked, ASKED),
            (self.battery, "battery"),
            (self.offline, "offline"),
            (self.sleep, "sleep"),
        ]
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, word)| word.to_owned())
        .collect()
    }
}

/// Holds such work back while there is a reason.
pub(crate) struct Held {
    reasons: watch::Sender<Reasons>,
    marker: PathBuf,
    /// One at a time writes the marker.
    turn: Mutex<()>,
}

impl Held {
    /// As it was left; `data_dir` exists.
    pub(crate) fn new(data_dir: &Path) -> Self {
        let marker = data_dir.join(MARKER);
        let asked = marker.exists();
        Self {
            reasons: watch::Sender::new(Reasons {
                asked,
                ..Reasons::default()
            }),
            marker,
            turn: Mutex::new(()),
        }
    }

    /// Why, now.
    pub(crate) fn reasons(&self) -> Reasons {
        *self.reasons.borrow()
    }

    /// Follows [`Self::reasons`].
    pub(crate) fn watch(&self) -> watch::Receiver<Reasons> {
        self.reasons.subscribe()
    }

    /// As it is told.
    pub(crate) fn state(&self) -> BackgroundState {
        let reasons = self.reasons().words();
        BackgroundState {
            paused: !reasons.is_empty(),
            reasons,
        }
    }

    /// Changes reasons that nobody has to keep.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Reasons)) {
        self.reasons.send_if_modified(|reasons| {
            let before = *reasons;
            change(reasons);
            if *reasons != before {
                tracing::info!(?reasons, "what holds back background work changed");
            }
            *reasons != before
        });
    }

    /// Whether what has expired may be removed, which waits since then.
    pub(crate) fn may_tidy(&self, waits_since: Instant) -> bool {
        let reasons = self.reasons();
        if reasons.asked || reasons.sleep {
            return false;
        }
        !reasons.battery || waits_since.elapsed() > TIDY_AFTER
    }

    /// Somebody wants it held back, or not any more. Durable when this returns.
    pub(crate) async fn ask(&self, background: &Background, paused: bool) -> Result<(), RpcError> {
        let _turn = self.turn.lock().await;
        let marker = self.marker.clone();
        let written = background.run("keep a wish", move || write(&marker, paused));
        written.await?.map_err(|error| {
            RpcError::new(ErrorCode::StorageError, "the wish could not be kept")
                .why(format!("{}: {error}", self.marker.display()))
                .hint("cv doctor")
        })?;
        self.set(|reasons| reasons.asked = paused);
        Ok(())
    }
}

fn write(marker: &Path, paused: bool) -> io::Result<()> {
    match paused {
        true => fs::File::create(marker)?.sync_all()?,
        false => match fs::remove_file(marker) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        },
    }
    let folder = marker.parent().unwrap_or(Path::new("/"));
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wish_outlives_the_daemon_and_the_rest_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let background = Background::new();
        let held = Held::new(folder.path());
        let mut watch = held.watch();
        assert_eq!(held.state(), BackgroundState::default());
        held.ask(&background, true).await.unwrap();
        held.set(|reasons| {
            reasons.battery = true;
            reasons.offline = true;
        });
        assert!(watch.has_changed().unwrap());
        watch.mark_unchanged();
        held.set(|reasons| reasons.battery = true);
        assert!(!watch.has_changed().unwrap());
        assert_eq!(held.state().reasons, ["asked", "battery", "offline"]);
        let again = Held::new(folder.path());
        assert_eq!(again.state().reasons, ["asked"]);
        again.ask(&background, false).await.unwrap();
        again.ask(&background, false).await.unwrap();
        assert!(!Held::new(folder.path()).state().paused);
    }

    #[test]
    fn what_has_expired_waits_a_day_for_the_battery_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let held = Held::new(folder.path());
        let now = Instant::now();
        let Some(yesterday) = now.checked_sub(TIDY_AFTER + Duration::from_secs(1)) else {
            return;
        };
        assert!(held.may_tidy(now));
        held.set(|reasons| reasons.offline = true);
        assert!(held.may_tidy(now));
        held.set(|reasons| reasons.battery = true);
        assert!(!held.may_tidy(now));
        assert!(held.may_tidy(yesterday));
        held.set(|reasons| reasons.asked = true);
        assert!(!held.may_tidy(yesterday));
    }
}
