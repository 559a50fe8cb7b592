//! Changing the user's file: planned first, so that the way back can be stored
//! before anything is written, then applied as one atomic replacement.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::catalog::Catalog;
use crate::config::policy_values;
use crate::document;
use crate::error::{ConfigError, ErrorKind, Fault};
use crate::file;
use crate::paths::{Environment, Paths};
use crate::settings;
use crate::value::{Layer, Origin};

pub(crate) const ACTIVITY: &str = "change the settings";

/// Names one content of the user's file: the SHA-256 of its bytes in
/// hexadecimal, or `none` when there is no file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// The revision of these bytes; of no file for `None`.
    pub fn of(bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else {
            return Self("none".to_owned());
        };
        let digest = Sha256::digest(bytes);
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// A revision as a client sent it; one that names no content is simply
    /// never the current one.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The revision's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Plans changes of the user's file.
#[derive(Debug, Clone)]
pub struct Editor {
    config_file: PathBuf,
    uid: u32,
    pub(crate) environment: Environment,
    pub(crate) catalog: Catalog,
}

/// A change that was computed and not yet written.
#[derive(Debug, Clone)]
pub struct PlannedEdit {
    /// The file that would be written: where `config.toml` leads, if it is a
    /// link.
    pub path: PathBuf,
    /// The content before; `None` when there is no file.
    pub before: Option<Vec<u8>>,
    /// The content after; `None` when the file would be removed.
    pub after: Option<Vec<u8>>,
    /// The revision of `before`: what must still be there when it is applied.
    pub before_rev: Revision,
    /// The revision of `after`: what must still be there when it is undone.
    pub after_rev: Revision,
    uid: u32,
}

impl Editor {
    /// An editor of the file in `paths`, for the user of `environment`.
    pub fn new(paths: &Paths, environment: &Environment, catalog: &Catalog) -> Self {
        Self {
            config_file: paths.config_file.clone(),
            uid: environment.uid,
            environment: environment.clone(),
            catalog: catalog.clone(),
        }
    }

    /// Plans to set a key to a value, both as text. Comments and the order of
    /// the file stay. Other faults of the file, as long as it is TOML, do not
    /// stand in the way: this may be their repair.
    ///
    /// # Errors
    /// An unknown key, a value that it does not take, a key that the managed
    /// policy fixes, a policy that can't be trusted, another revision than
    /// `expected_rev`, a file that is not ours or can't be read.
    pub fn set(
        &self,
        name: &str,
        value: &str,
        expected_rev: Option<&Revision>,
    ) -> Result<PlannedEdit, ConfigError> {
        let target = settings::find(&self.catalog, name, ACTIVITY)?;
        let value = target.read_text(value).map_err(|refusal| {
            ConfigError::from(Fault {
                kind: refusal.kind,
                activity: ACTIVITY,
                origin: None,
                reason: refusal.reason,
                hint: format!(
                    "cv config set {} {}",
                    target.typed(),
                    target.spec.typed_example()
                ),
            })
        })?;
        self.refuse_fixed(&target.dotted())?;
        let policy = policy_values(&self.environment, &self.catalog)?;
        self.plan(expected_rev, |text, path| {
            let after = document::set(text, path, &target.segments(), &value)?;
            self.refuse_new_problem(text, &after, path, &policy)?;
            Ok(Some(after))
        })
    }

    /// Plans to remove a key from the file, so that the weaker layers hold
    /// again. Any name that stands in the file can be removed, unknown ones
    /// and whole tables included. A key that does not stand there is a plan
    /// that changes nothing.
    ///
    /// # Errors
    /// As [`Editor::set`]; [`ErrorKind::UnknownKey`] when the name is neither
    /// a setting nor in the file.
    pub fn unset(
        &self,
        name: &str,
        expected_rev: Option<&Revision>,
    ) -> Result<PlannedEdit, ConfigError> {
        let known = self.catalog.find(name).map(|target| target.dotted());
        self.refuse_fixed(known.as_deref().unwrap_or(name))?;
        let policy = policy_values(&self.environment, &self.catalog)?;
        let plan = self.plan(expected_rev, |text, path| {
            let after = document::unset(text, path, name)?;
            if let Some(after) = &after {
                self.refuse_new_problem(text, after, path, &policy)?;
            }
            Ok(after)
        })?;
        if !plan.changes_anything() {
            settings::find(&self.catalog, name, ACTIVITY)?;
        }
        Ok(plan)
    }

    pub(crate) fn refuse_fixed(&self, name: &str) -> Result<(), ConfigError> {
        match policy_values(&self.environment, &self.catalog)?.get(name) {
            None => Ok(()),
            Some(entry) => Err(Fault {
                kind: ErrorKind::FixedByPolicy,
                activity: ACTIVITY,
                origin: Some(entry.origin.clone()),
                reason: format!("the managed policy fixes `{name}` to {}", entry.value),
                hint: format!("cv config explain {name}"),
            }
            .into()),
        }
    }

    pub(crate) fn plan(
        &self,
        expected_rev: Option<&Revision>,
        change: impl FnOnce(&str, &Path) -> Result<Option<String>, Fault>,
    ) -> Result<PlannedEdit, ConfigError> {
        let path = resolve(&self.config_file, self.uid)?;
        let before = file::read(&path, ACTIVITY)?.map(|content| content.bytes);
        let before_rev = Revision::of(before.as_deref());
        if let Some(expected) = expected_rev {
            check_revision(&path, expected, &before_rev)?;
        }
        let text = crate::parse::decode(
            before.as_deref().unwrap_or_default(),
            &path,
            Layer::User,
            ACTIVITY,
        )?;
        let after = match change(text, &path)? {
            Some(after) => Some(after.into_bytes()),
            None => before.clone(),
        };
        let after_rev = Revision::of(after.as_deref());
        Ok(PlannedEdit {
            path,
            before,
            after,
            before_rev,
            after_rev,
            uid: self.uid,
        })
    }
}

impl PlannedEdit {
    /// Whether applying would change the file.
    pub fn changes_anything(&self) -> bool {
        self.before_rev != self.after_rev
    }

    /// Writes the change: a new file beside the old one, synced, renamed over
    /// it, and the folder synced. When this returns `Ok` the change is durable;
    /// at no moment is the file half written.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the file is no longer what was planned
    /// with, or another edit is under way; [`ErrorKind::Io`] otherwise.
    pub fn apply(&self) -> Result<(), ConfigError> {
        if !self.changes_anything() {
            return Ok(());
        }
        Ok(replace(
            &self.path,
            &self.before_rev,
            self.after.as_deref(),
            self.uid,
        )?)
    }
}

/// Plans to put back what was there before an edit: the `before` of its
/// [`PlannedEdit`], provided that the file still has `after_rev`.
///
/// # Errors
/// [`ErrorKind::Conflict`] when the file was changed since.
pub fn restore(
    paths: &Paths,
    environment: &Environment,
    before: Option<Vec<u8>>,
    after_rev: &Revision,
) -> Result<PlannedEdit, ConfigError> {
    let path = resolve(&paths.config_file, environment.uid)?;
    let current = file::read(&path, ACTIVITY)?.map(|content| content.bytes);
    let current_rev = Revision::of(current.as_deref());
    check_revision(&path, after_rev, &current_rev)?;
    Ok(PlannedEdit {
        path,
        before_rev: current_rev,
        after_rev: Revision::of(before.as_deref()),
        before: current,
        after: before,
        uid: environment.uid,
    })
}

fn check_revision(path: &Path, expected: &Revision, found: &Revision) -> Result<(), Fault> {
    if expected == found {
        return Ok(());
    }
    Err(Fault {
        kind: ErrorKind::Conflict,
        activity: ACTIVITY,
        origin: Some(Origin::file(path)),
        reason: "the file was changed in the meantime".to_owned(),
        hint: "look at it again, then repeat the change: cv config get".to_owned(),
    })
}

/// The file that a write would replace. A link is followed, so that a dotfile
/// kept elsewhere stays a link; what belongs to another user is refused.
fn resolve(config_file: &Path, uid: u32) -> Result<PathBuf, Fault> {
    let io = |error: &io::Error| file::io_fault(config_file, ACTIVITY, error);
    let own = |path: &Path, owner: u32| {
        if owner == uid {
            return Ok(());
        }
        Err(Fault {
            kind: ErrorKind::ForeignOwner,
            activity: ACTIVITY,
            origin: Some(Origin::file(path)),
            reason: format!("it belongs to user {owner}, and you are user {uid}"),
            hint: format!(
                "change it as that user, or take it over: ls -l '{}'",
                path.display()
            ),
        })
    };
    match std::fs::symlink_metadata(config_file) {
        Ok(metadata) => {
            own(config_file, metadata.uid())?;
            if !metadata.is_symlink() {
                return Ok(config_file.to_owned());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(config_file.to_owned()),
        Err(error) => return Err(io(&error)),
    }
    let real = config_file.canonicalize().map_err(|error| {
        let mut fault = io(&error);
        if error.kind() == io::ErrorKind::NotFound {
            fault.kind = ErrorKind::NotAFile;
            fault.reason = "it is a link to a file that does not exist".to_owned();
            fault.hint = format!("remove the link: rm '{}'", config_file.display());
        }
        fault
    })?;
    let metadata = std::fs::metadata(&real).map_err(|error| io(&error))?;
    own(&real, metadata.uid())?;
    Ok(real)
}

/// Replaces a file, or removes it when `content` is `None`, if it still has
/// the revision `expected`.
pub(crate) fn replace(
    path: &Path,
    expected: &Revision,
    content: Option<&[u8]>,
    uid: u32,
) -> Result<(), Fault> {
    let io = |path: &Path, error: &io::Error| file::io_fault(path, ACTIVITY, error);
    let folder = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| io(folder, &error))?;
    let handle = file::open(folder, OFlags::DIRECTORY).map_err(|error| io(folder, &error))?;
    let owner = handle.metadata().map_err(|error| io(folder, &error))?.uid();
    if owner != uid {
        return Err(Fault {
            kind: ErrorKind::ForeignOwner,
            activity: ACTIVITY,
            origin: Some(Origin::file(folder)),
            reason: format!("the folder belongs to user {owner}, and you are user {uid}"),
            hint: format!(
                "move the settings into a folder of your own: ls -ld '{}'",
                folder.display()
            ),
        });
    }
    let _lock = Lock::take(&handle, path)?;

    let current = file::read(path, ACTIVITY)?.map(|content| content.bytes);
    check_revision(path, expected, &Revision::of(current.as_deref()))?;
    match content {
        Some(content) => {
            let new = new_name(path);
            let written = write_new(&new, content)
                .and_then(|()| std::fs::rename(&new, path))
                .map_err(|error| io(path, &error));
            if written.is_err() {
                // The fault above is what matters; a leftover is removed by the
                // next edit.
                let _ = std::fs::remove_file(&new);
            }
            written?;
        }
        None => std::fs::remove_file(path).map_err(|error| io(path, &error))?,
    }
    handle.sync_all().map_err(|error| io(folder, &error))
}

/// Holds off other edits in a folder until it is dropped.
struct Lock<'a>(&'a File);

impl<'a> Lock<'a> {
    fn take(folder: &'a File, path: &Path) -> Result<Self, Fault> {
        match folder.try_lock() {
            Ok(()) => Ok(Self(folder)),
            Err(std::fs::TryLockError::WouldBlock) => Err(Fault {
                kind: ErrorKind::Conflict,
                activity: ACTIVITY,
                origin: Some(Origin::file(path)),
                reason: "another change is being written right now".to_owned(),
                hint: "repeat the change".to_owned(),
            }),
            Err(std::fs::TryLockError::Error(error)) => Err(file::io_fault(path, ACTIVITY, &error)),
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that was forked meanwhile shares
        // the lock until it runs its own program. If unlocking fails, closing
        // is what is left.
        let _ = self.0.unlock();
    }
}

/// The name is fixed, so that what a crash leaves behind is found and removed;
/// the folder's lock keeps two edits from sharing it.
fn new_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
