//! A disk that loses power: an `SQLite` file system over the usual one that remembers what was
//! synced, and can go back to that plus any part of what was not.
//!
//! The real files always hold the latest state, as the page cache does. For each file the shim
//! keeps a copy of what a power cut would leave for certain (`durable`) and the list of changes
//! since. [`Disk::crash`] writes an image over the real file: the durable part, plus of the
//! unsynced changes nothing, a prefix, or any subset torn at sectors. Nothing is really synced, so
//! that hundreds of cuts take seconds.
//!
//! A failed sync (`Plan::sync_error_at`) is modelled as Linux does it: the changes count as clean
//! from then on, and what of them reached the disk is left to chance.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod vfs;

use std::collections::HashMap;
use std::ffi::c_int;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::ffi;

/// The name to give to `StoreOptions::vfs`.
pub(crate) const VFS: &str = "power-cut";

const SECTOR: usize = 512;

/// When what goes wrong, counted in operations that change the disk (writes, truncations, syncs,
/// deletions), from 1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Plan {
    /// The power goes at this operation: it may be done in part, and everything after it fails.
    pub(crate) cut_at: Option<u64>,
    /// The process dies after this operation: everything after it fails, the page cache stays.
    pub(crate) kill_at: Option<u64>,
    /// The first sync at or after this operation fails, once.
    pub(crate) sync_error_at: Option<u64>,
    /// Every write that needs room fails with "disk full" from this operation on.
    pub(crate) full_from: Option<u64>,
}

/// A small generator that a seed reproduces.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { size: usize },
}

#[derive(Debug, Default)]
struct File {
    /// What a power cut leaves for certain; `None`: the name itself may be gone.
    durable: Option<Vec<u8>>,
    pending: Vec<Change>,
    /// What an unsynced deletion may bring back.
    ghost: Option<Vec<u8>>,
}

#[derive(Debug)]
struct State {
    files: HashMap<PathBuf, File>,
    plan: Plan,
    operations: u64,
    syncs: u64,
    dead: bool,
    rng: Rng,
}

/// The disk under one folder.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    state: Mutex<State>,
}

fn disks() -> MutexGuard<'static, HashMap<PathBuf, Arc<Disk>>> {
    static DISKS: OnceLock<Mutex<HashMap<PathBuf, Arc<Disk>>>> = OnceLock::new();
    DISKS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// Takes over the folder `dir` (which exists) for connections that use [`VFS`].
    pub(crate) fn install(dir: &Path) -> Arc<Self> {
        vfs::register();
        let dir = dir.canonicalize().unwrap();
        let disk = Arc::new(Self {
            dir: dir.clone(),
            state: Mutex::new(State {
                files: HashMap::new(),
                plan: Plan::default(),
                operations: 0,
                syncs: 0,
                dead: false,
                rng: Rng::new(0),
            }),
        });
        disks().insert(dir, Arc::clone(&disk));
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts operations from zero and lets `plan` happen.
    pub(crate) fn arm(&self, plan: Plan, seed: u64) {
        let mut state = self.state();
        state.plan = plan;
        state.operations = 0;
        state.syncs = 0;
        state.rng = Rng::new(seed);
    }

    /// Operations since it was armed.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Syncs since it was armed.
    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Whether the power is gone.
    pub(crate) fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Starts again after the process died: the page cache is as it was.
    pub(crate) fn restart(&self) {
        self.forget_shared_memory();
        let mut state = self.state();
        state.dead = false;
        state.plan = Plan::default();
    }

    fn forget_shared_memory(&self) {
        for entry in fs::read_dir(&self.dir).unwrap().flatten() {
            // Memory, for all that it has a name.
            if entry.path().to_string_lossy().ends_with("-shm") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    /// Leaves on the real disk what a power cut would, and turns the power on again. Every
    /// connection must be closed.
    pub(crate) fn crash(&self) {
        let mut state = self.state();
        let mut files = std::mem::take(&mut state.files);
        let mut rng = state.rng.clone();
        for (path, file) in &mut files {
            match image(file, &mut rng) {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => {
                    let _ = fs::remove_file(path);
                }
            }
        }
        self.forget_shared_memory();
        state.rng = rng;
        state.dead = false;
        state.plan = Plan::default();
    }
}

/// Lets go of a folder.
pub(crate) fn remove(disk: &Disk) {
    disks().remove(&disk.dir);
}

fn image(file: &mut File, rng: &mut Rng) -> Option<Vec<u8>> {
    let mut bytes = match (file.durable.take(), file.ghost.take()) {
        (Some(bytes), _) => bytes,
        (None, ghost) => match rng.below(3) {
            0 => return None,
            1 => return ghost,
            _ => Vec::new(),
        },
    };
    let pending = std::mem::take(&mut file.pending);
    apply_some(&mut bytes, &pending, rng);
    Some(bytes)
}

/// Nothing, a prefix, or any subset, torn at sectors.
fn apply_some(bytes: &mut Vec<u8>, pending: &[Change], rng: &mut Rng) {
    match rng.below(4) {
        0 => {}
        1 => {
            let some = rng.below(pending.len() as u64 + 1) as usize;
            pending[..some]
                .iter()
                .for_each(|change| apply(bytes, change));
        }
        2 => pending.iter().for_each(|change| apply(bytes, change)),
        _ => {
            for change in pending {
                match change {
                    Change::Write { offset, bytes: new } if rng.below(2) == 0 => {
                        for (n, sector) in new.chunks(SECTOR).enumerate() {
                            if rng.below(3) > 0 {
                                put(bytes, offset + n * SECTOR, sector);
                            }
                        }
                    }
                    change if rng.below(2) == 0 => apply(bytes, change),
                    _ => {}
                }
            }
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes: new } => put(bytes, *offset, new),
        Change::Truncate { size } => bytes.truncate(*size),
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    if bytes.len() < offset + new.len() {
        bytes.resize(offset + new.len(), 0);
    }
    bytes[offset..offset + new.len()].copy_from_slice(new);
}

/// What a step may do.
enum Step {
    Go,
    /// The power goes in the middle of it.
    Cut,
    Dead,
}

impl State {
    fn step(&mut self) -> Step {
        if self.dead {
            return Step::Dead;
        }
        self.operations += 1;
        if self.plan.cut_at.is_some_and(|at| self.operations >= at) {
            self.dead = true;
            return Step::Cut;
        }
        if self.plan.kill_at.is_some_and(|at| self.operations >= at) {
            self.dead = true;
        }
        Step::Go
    }

    fn full(&self) -> bool {
        self.plan
            .full_from
            .is_some_and(|from| self.operations >= from)
    }

    fn file(&mut self, path: &Path) -> &mut File {
        self.files.entry(path.to_path_buf()).or_default()
    }

    fn sync(&mut self, path: &Path) -> c_int {
        match self.step() {
            Step::Dead | Step::Cut => return ffi::SQLITE_IOERR_FSYNC,
            Step::Go => {}
        }
        self.syncs += 1;
        let fails = self
            .plan
            .sync_error_at
            .is_some_and(|at| self.operations >= at);
        if fails {
            self.plan.sync_error_at = None;
        }
        let mut rng = self.rng.clone();
        let file = self.file(path);
        let pending = std::mem::take(&mut file.pending);
        if fails {
            if let Some(durable) = &mut file.durable {
                apply_some(durable, &pending, &mut rng);
            }
        } else {
            let durable = file.durable.get_or_insert_default();
            pending.iter().for_each(|change| apply(durable, change));
            file.ghost = None;
        }
        self.rng = rng;
        if fails {
            ffi::SQLITE_IOERR_FSYNC
        } else {
            ffi::SQLITE_OK
        }
    }
}
