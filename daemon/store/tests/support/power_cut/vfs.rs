//! The table of C functions between `SQLite` and the disk that loses power.
#![expect(
    unsafe_code,
    reason = "a file system for SQLite is a table of C functions"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rusqlite::ffi;

use super::{Change, Disk, File, Step, disks};

/// What `SQLite` allocates for an open file; the real file system's part follows behind it.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    /// From `Box::into_raw`; null for files that are not watched.
    watched: *mut Watched,
}

struct Watched {
    disk: Arc<Disk>,
    path: PathBuf,
}

const OWN_SIZE: usize = size_of::<OpenFile>();

/// The real file system's file inside ours.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite allocates szOsFile bytes, ours first, then the real ones; see `register`.
    unsafe { file.cast::<u8>().add(OWN_SIZE).cast() }
}

unsafe fn watched<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Watched> {
    // SAFETY: `open` filled an OpenFile at this address, and `close` frees the box last.
    unsafe { (*file.cast::<OpenFile>()).watched.as_ref() }
}

/// Calls the real file system's function of the same name.
macro_rules! real_call {
    ($file:expr, $name:ident ( $($arg:expr),* )) => {{
        let real = real($file);
        match (*(*real).pMethods).$name {
            Some(function) => function(real $(, $arg)*),
            None => ffi::SQLITE_IOERR,
        }
    }};
}

/// Functions that only pass on.
macro_rules! pass {
    ($($name:ident as $field:ident ( $($arg:ident : $type:ty),* );)+) => {
        $(unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $arg: $type)*) -> c_int {
            // SAFETY: SQLite calls with a file that `open` made; the real part is open too.
            unsafe { real_call!(file, $field($($arg),*)) }
        })+
    };
}

pass! {
    read as xRead(to: *mut c_void, amount: c_int, offset: i64);
    file_size as xFileSize(size: *mut i64);
    lock as xLock(level: c_int);
    unlock as xUnlock(level: c_int);
    check_reserved as xCheckReservedLock(out: *mut c_int);
    control as xFileControl(op: c_int, arg: *mut c_void);
    sector_size as xSectorSize();
    characteristics as xDeviceCharacteristics();
    shm_map as xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void);
    shm_lock as xShmLock(offset: c_int, n: c_int, flags: c_int);
    shm_unmap as xShmUnmap(delete: c_int);
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as in `pass`.
    unsafe {
        let real = real(file);
        if let Some(function) = (*(*real).pMethods).xShmBarrier {
            function(real);
        }
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as in `pass`; the box is freed once, since SQLite closes once.
    unsafe {
        let code = real_call!(file, xClose());
        let own = file.cast::<OpenFile>();
        if !(*own).watched.is_null() {
            drop(Box::from_raw((*own).watched));
            (*own).watched = std::ptr::null_mut();
        }
        code
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: as in `pass`; `from` holds `amount` bytes.
    unsafe {
        if let Some(Watched { disk, path }) = watched(file) {
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), amount as usize);
            let mut state = disk.state();
            let step = state.step();
            if matches!(step, Step::Dead) {
                return ffi::SQLITE_IOERR_WRITE;
            }
            if state.full() {
                return ffi::SQLITE_FULL;
            }
            state.file(path).pending.push(Change::Write {
                offset: offset as usize,
                bytes: bytes.to_vec(),
            });
            if matches!(step, Step::Cut) {
                return ffi::SQLITE_IOERR_WRITE;
            }
        }
        real_call!(file, xWrite(from, amount, offset))
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: as in `pass`.
    unsafe {
        if let Some(Watched { disk, path }) = watched(file) {
            let mut state = disk.state();
            let step = state.step();
            if matches!(step, Step::Dead) {
                return ffi::SQLITE_IOERR_TRUNCATE;
            }
            state.file(path).pending.push(Change::Truncate {
                size: size as usize,
            });
            if matches!(step, Step::Cut) {
                return ffi::SQLITE_IOERR_TRUNCATE;
            }
        }
        real_call!(file, xTruncate(size))
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: as in `pass`.
    unsafe {
        match watched(file) {
            Some(Watched { disk, path }) => disk.state().sync(path),
            None => real_call!(file, xSync(flags)),
        }
    }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe fn path_of(name: *const c_char) -> Option<(Arc<Disk>, PathBuf)> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite passes C strings.
    let path = PathBuf::from(unsafe { CStr::from_ptr(name) }.to_str().ok()?);
    let disk = Arc::clone(disks().get(path.parent()?)?);
    Some((disk, path))
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes our table and an allocation of its szOsFile bytes; the application
    // data is the real table, which lives as long as the process.
    unsafe {
        let own = file.cast::<OpenFile>();
        (*own).base.pMethods = std::ptr::null();
        (*own).watched = std::ptr::null_mut();
        let found = path_of(name);
        if let Some((disk, path)) = &found {
            let mut state = disk.state();
            let exists = path.exists();
            if state.dead && !exists {
                return ffi::SQLITE_CANTOPEN;
            }
            if !state.files.contains_key(path) {
                let durable = fs::read(path).ok();
                state.files.insert(
                    path.clone(),
                    File {
                        durable,
                        ..File::default()
                    },
                );
            }
        }
        let real_vfs = (*vfs).pAppData.cast::<ffi::sqlite3_vfs>();
        let Some(real_open) = (*real_vfs).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let code = real_open(real_vfs, name, real(file), flags, out_flags);
        if code == ffi::SQLITE_OK {
            if let Some((disk, path)) = found {
                (*own).watched = Box::into_raw(Box::new(Watched { disk, path }));
            }
            (*own).base.pMethods = &METHODS;
        }
        code
    }
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_dir: c_int,
) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        if let Some((disk, path)) = path_of(name) {
            let mut state = disk.state();
            match state.step() {
                Step::Dead => return ffi::SQLITE_IOERR_DELETE,
                Step::Cut => {
                    let file = state.file(&path);
                    file.ghost = file.durable.take().or(file.ghost.take());
                    return ffi::SQLITE_IOERR_DELETE;
                }
                Step::Go if sync_dir != 0 => {
                    state.files.remove(&path);
                }
                Step::Go => {
                    let file = state.file(&path);
                    file.ghost = file.durable.take().or(file.ghost.take());
                    file.pending.clear();
                }
            }
        }
        let real_vfs = (*vfs).pAppData.cast::<ffi::sqlite3_vfs>();
        match (*real_vfs).xDelete {
            Some(function) => function(real_vfs, name, 0),
            None => ffi::SQLITE_IOERR_DELETE,
        }
    }
}

pub(super) fn register() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // SAFETY: the default table lives as long as the process, and so does ours (leaked); the
        // functions that are copied unchanged ignore the table that they are called with.
        unsafe {
            let real = ffi::sqlite3_vfs_find(std::ptr::null());
            assert!(!real.is_null(), "SQLite has a default file system");
            let mut table = *real;
            table.szOsFile += c_int::try_from(OWN_SIZE).unwrap();
            table.zName = c"power-cut".as_ptr();
            table.pNext = std::ptr::null_mut();
            table.pAppData = real.cast();
            table.xOpen = Some(open);
            table.xDelete = Some(delete);
            let table = Box::leak(Box::new(table));
            let code = ffi::sqlite3_vfs_register(table, 0);
            assert_eq!(code, ffi::SQLITE_OK);
        }
    });
}
