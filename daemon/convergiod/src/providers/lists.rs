//! The list of prices in force: a file that somebody signed whom the user trusts, where there is one
//! that is newer than this release's own catalogue.

use std::{
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, RwLock},
};

use convergio_models_remote::{Catalog, ModelRow, PriceFile, PriceFileError, TrustedKey};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The folder below the data folder.
const FOLDER: &str = "prices";
const CURRENT: &str = "current.json";
const PREVIOUS: &str = "previous.json";

/// Bytes that a kept list may have: its text as JSON, where quotes take two bytes.
const KEPT_MAX_BYTES: u64 = 3 << 20;

/// A list as it is kept: with all that is needed to check it again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    text: String,
    signature: String,
    key: String,
    taken_ms: i64,
}

/// A list that is in force.
#[derive(Debug)]
pub(crate) struct Listed {
    /// What it says.
    pub(crate) file: PriceFile,
    /// Hex of its text's SHA-256.
    pub(crate) sha256: String,
    /// The key that signed it.
    pub(crate) key: String,
    /// When it was taken.
    pub(crate) taken_ms: i64,
}

impl Listed {
    /// What prices of it say of where they come from.
    pub(crate) fn source(&self) -> String {
        format!(
            "price list of {} by {}",
            self.file.issued, self.file.publisher
        )
    }
}

/// Why a list could not be taken or given back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// It is not used.
    #[error(transparent)]
    Refused(#[from] PriceFileError),
    /// There is none to go back from.
    #[error("the prices in force are those of this release")]
    NothingTaken,
    /// The disk.
    #[error("the price list could not be kept: {0}")]
    Io(#[from] io::Error),
    /// What is kept is broken.
    #[error("the price list that was kept cannot be read: {0}")]
    Broken(String),
}

/// The list in force, and where it is kept.
#[derive(Debug)]
pub(crate) struct PriceLists {
    folder: PathBuf,
    in_force: RwLock<Option<Arc<Listed>>>,
    /// Held by who changes it, so that nobody who reads waits for the disk.
    changing: Mutex<()>,
    /// Why what is kept is not in force; none where nothing is wrong.
    problem: RwLock<Option<String>>,
}

/// The newest day on which a price of this release was so, at its end: what is older is not news.
pub(crate) fn released() -> Timestamp {
    static NEWEST: LazyLock<Timestamp> = LazyLock::new(|| {
        let rows = Catalog::builtin().providers().iter();
        let prices = rows
            .flat_map(|row| &row.models)
            .filter_map(|row| row.price.as_ref());
        let days = prices.filter_map(|price| price.as_of.parse::<Date>().ok());
        let start = |day: Date| day.to_zoned(TimeZone::UTC).ok();
        let newest = days.max().and_then(start);
        newest.map_or(Timestamp::UNIX_EPOCH, |day| day.timestamp())
    });
    *NEWEST
}

impl PriceLists {
    /// What is kept below `data_dir`. What cannot be read is not in force, and is told of.
    pub(crate) fn open(data_dir: &Path, now: Timestamp) -> Self {
        let folder = data_dir.join(FOLDER);
        let (listed, problem) = match read(&folder.join(CURRENT), now) {
            Ok(listed) => (listed, None),
            Err(error) => {
                tracing::warn!(%error, "the prices of this release hold");
                (None, Some(error.to_string()))
            }
        };
        // A release may bring newer prices than the list that was taken before it.
        let listed = listed.filter(|listed| listed.file.replaces(Some(released())).is_ok());
        Self {
            folder,
            in_force: RwLock::new(listed.map(Arc::new)),
            changing: Mutex::default(),
            problem: RwLock::new(problem),
        }
    }

    /// The list in force; none where the prices are those of this release.
    pub(crate) fn in_force(&self) -> Option<Arc<Listed>> {
        let in_force = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        in_force.clone()
    }

    /// Why what was kept is not in force.
    pub(crate) fn problem(&self) -> Option<String> {
        let problem = self.problem.read().unwrap_or_else(PoisonError::into_inner);
        problem.clone()
    }

    /// Whether there is a list to go back to before the one in force.
    pub(crate) fn has_previous(&self) -> bool {
        self.folder.join(PREVIOUS).exists()
    }

    /// Takes a list that one of `trusted` signed and that is newer than what is in force: kept on
    /// the disk before it counts. Blocks.
    pub(crate) fn take(
        &self,
        text: String,
        signature: String,
        trusted: &[TrustedKey],
        now: Timestamp,
    ) -> Result<Arc<Listed>, ListError> {
        let (file, key) = PriceFile::verified(&text, &signature, trusted, now)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.in_force().map(|listed| listed.file.issued);
        file.replaces(Some(before.unwrap_or_else(released)))?;
        let listed = Listed {
            sha256: hex(&text),
            file,
            key: key.as_str().to_owned(),
            taken_ms: now.as_millisecond(),
        };
        let kept = Kept {
            text,
            signature,
            key: listed.key.clone(),
            taken_ms: listed.taken_ms,
        };
        std::fs::create_dir_all(&self.folder)?;
        let current = self.folder.join(CURRENT);
        if before.is_some() {
            let old = std::fs::read(&current)?;
            write(&self.folder, PREVIOUS, &old)?;
        } else {
            remove(&self.folder.join(PREVIOUS))?;
        }
        let kept = serde_json::to_vec(&kept).map_err(io::Error::from)?;
        write(&self.folder, CURRENT, &kept)?;
        let listed = Arc::new(listed);
        self.put(Some(Arc::clone(&listed)));
        Ok(listed)
    }

    /// Goes back to the list before, else to the prices of this release. Blocks.
    pub(crate) fn go_back(&self, now: Timestamp) -> Result<Option<Arc<Listed>>, ListError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.folder.join(CURRENT);
        if self.in_force().is_none() && !current.exists() {
            return Err(ListError::NothingTaken);
        }
        let before = read(&self.folder.join(PREVIOUS), now)?;
        match &before {
            Some(_) => std::fs::rename(self.folder.join(PREVIOUS), &current)?,
            None => remove(&current)?,
        }
        sync(&self.folder)?;
        let before = before.filter(|listed| listed.file.replaces(Some(released())).is_ok());
        let before = before.map(Arc::new);
        self.put(before.clone());
        Ok(before)
    }

    fn put(&self, listed: Option<Arc<Listed>>) {
        let mut in_force = self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *in_force = listed;
        drop(in_force);
        let mut problem = self.problem.write().unwrap_or_else(PoisonError::into_inner);
        *problem = None;
    }
}

fn hex(text: &str) -> String {
    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept there; none where nothing is. Its signature is checked again.
fn read(path: &Path, now: Timestamp) -> Result<Option<Listed>, ListError> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(KEPT_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let broken = |why: &str| ListError::Broken(why.to_owned());
    if bytes.len() as u64 > KEPT_MAX_BYTES {
        return Err(broken("it is too large"));
    }
    let kept: Kept =
        serde_json::from_slice(&bytes).map_err(|error| ListError::Broken(error.to_string()))?;
    let key = TrustedKey::parse(&kept.key).ok_or_else(|| broken("its key is none"))?;
    // What was taken once stays good if the clock was set back meanwhile.
    let now = now.max(Timestamp::from_millisecond(kept.taken_ms).unwrap_or(now));
    let (file, _) = PriceFile::verified(&kept.text, &kept.signature, &[key], now)?;
    Ok(Some(Listed {
        sha256: hex(&kept.text),
        file,
        key: kept.key,
        taken_ms: kept.taken_ms,
    }))
}

/// Writes a file so that there is the old one or the new one at any time.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = folder.join(format!("{name}.new"));
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, folder.join(name))?;
    sync(folder)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// The row of a model: the list's where it has one, else the catalogue's.
pub(super) fn row<'a>(
    listed: Option<&'a Listed>,
    builtin: Option<&'a convergio_models_remote::ProviderRow>,
    model: &str,
) -> Option<&'a ModelRow> {
    let builtin = builtin?;
    listed
        .and_then(|listed| listed.file.model(&builtin.name, model))
        .or_else(|| builtin.model(model))
}

#[cfg(test)]
mod tests {
    use minisign::KeyPair;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T00:00:00Z".parse().unwrap()
    }

    fn list(day: u32) -> String {
        format!("format = 1\nissued = \"2026-11-{day}T12:00:00Z\"\npublisher = \"p\"\n")
    }

    struct Signer {
        pair: KeyPair,
        trusted: Vec<TrustedKey>,
    }

    impl Signer {
        fn new() -> Self {
            let pair = KeyPair::generate_unencrypted_keypair().unwrap();
            let trusted = vec![TrustedKey::parse(&pair.pk.to_base64()).unwrap()];
            Self { pair, trusted }
        }

        fn take(&self, lists: &PriceLists, text: &str) -> Result<Arc<Listed>, ListError> {
            let (pk, sk) = (Some(&self.pair.pk), &self.pair.sk);
            let signed = minisign::sign(pk, sk, text.as_bytes(), None, None).unwrap();
            lists.take(text.to_owned(), signed.into_string(), &self.trusted, now())
        }
    }

    #[test]
    fn a_list_outlives_the_daemon_and_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new();
        let lists = PriceLists::open(folder.path(), now());
        assert!(lists.in_force().is_none());
        assert!(matches!(lists.go_back(now()), Err(ListError::NothingTaken)));
        signer.take(&lists, &list(20)).unwrap();
        signer.take(&lists, &list(21)).unwrap();
        let refused = signer.take(&lists, &list(20));
        assert!(matches!(
            refused,
            Err(ListError::Refused(PriceFileError::NotNewer { .. }))
        ));
        let again = PriceLists::open(folder.path(), now());
        let issued = |lists: &PriceLists| lists.in_force().map(|it| it.file.issued.to_string());
        assert_eq!(issued(&again).unwrap(), "2026-11-21T12:00:00Z");
        again.go_back(now()).unwrap();
        assert_eq!(issued(&again).unwrap(), "2026-11-20T12:00:00Z");
        assert!(!again.has_previous());
        again.go_back(now()).unwrap();
        assert_eq!(issued(&again), None);
        assert!(PriceLists::open(folder.path(), now()).in_force().is_none());
    }

    #[test]
    fn what_was_changed_on_the_disk_is_told_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new();
        let lists = PriceLists::open(folder.path(), now());
        signer.take(&lists, &list(21)).unwrap();
        let path = folder.path().join(FOLDER).join(CURRENT);
        let kept = std::fs::read_to_string(&path).unwrap();
        for broken in [
            kept.replace("publisher = ", "publisher  = "),
            "{".to_owned(),
            String::new(),
            "x".repeat(4 << 20),
        ] {
            std::fs::write(&path, broken).unwrap();
            let lists = PriceLists::open(folder.path(), now());
            assert!(lists.in_force().is_none());
            assert!(lists.problem().is_some());
            // The way out: take a list, or go back.
            lists.go_back(now()).unwrap();
            assert!(lists.problem().is_none());
            std::fs::write(&path, &kept).unwrap();
        }
    }

    #[test]
    fn a_list_from_before_the_release_is_not_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let lists = PriceLists::open(folder.path(), now());
        let refused = Signer::new().take(&lists, &list(19));
        assert!(matches!(
            refused,
            Err(ListError::Refused(PriceFileError::NotNewer { .. }))
        ));
    }
}
