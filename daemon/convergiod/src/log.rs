//! The daemon's log: lines in a file that is rotated by size and count, redacted before they are
//! written, and read from a cursor that survives rotation and restart.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use convergio_config::secrets::Secrets;
use tokio::sync::Notify;

use crate::redact::redact;

/// The longest line that is written; the rest is cut with a mark.
const LINE_MAX_BYTES: usize = 4096;

/// Where the log is and how much of it is kept.
#[derive(Clone, Debug)]
pub(crate) struct LogOptions {
    /// The current file; older ones are beside it with `.1`, `.2` … behind their name.
    pub(crate) path: PathBuf,
    /// The file is rotated before it grows beyond this.
    pub(crate) max_bytes: u64,
    /// Rotated files.
    pub(crate) keep_files: u64,
}

#[derive(Default)]
struct Writer {
    file: Option<File>,
    bytes: u64,
    /// Lines that could not be written.
    lost: u64,
}

/// The open log.
pub(crate) struct Log {
    options: LogOptions,
    writer: Mutex<Writer>,
    grown: Notify,
    /// The keys in hand, whatever they look like.
    secrets: OnceLock<Secrets>,
}

impl Log {
    /// Opens the file, or goes on without: a full disk does not stop the daemon.
    pub(crate) fn open(options: LogOptions) -> Arc<Self> {
        if let Some(folder) = options.path.parent() {
            // Reported by the first write that fails.
            let _ = fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder);
        }
        Arc::new(Self {
            options,
            writer: Mutex::default(),
            grown: Notify::new(),
            secrets: OnceLock::new(),
        })
    }

    /// Keeps the keys that these know out of every line from here on.
    pub(crate) fn hide(&self, secrets: Secrets) {
        // Set once, when the daemon is put together.
        let _ = self.secrets.set(secrets);
    }

    /// The line without keys: those in hand, and whatever looks like one.
    fn hidden(&self, line: &str) -> String {
        let redactor = self.secrets.get().map(Secrets::redactor);
        let known = redactor
            .as_ref()
            .map_or(Cow::Borrowed(line), |redactor| redactor.redact(line));
        redact(&known).into_owned()
    }

    /// The current file.
    pub(crate) fn path(&self) -> &Path {
        &self.options.path
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one line. What cannot be written is counted, and the count is written later.
    pub(crate) fn append(&self, line: &str) {
        let line = self.hidden(line.trim_end_matches('\n'));
        let mut writer = self.writer();
        let lost = writer.lost;
        let mut text = String::new();
        if lost > 0 {
            text.push_str(&format!("({lost} lines could not be written)\n"));
        }
        push_line(&mut text, &line);
        match self.write(&mut writer, &text) {
            Ok(()) => writer.lost = 0,
            Err(_) => {
                writer.lost += 1;
                writer.file = None;
            }
        }
        drop(writer);
        self.grown.notify_waiters();
    }

    fn write(&self, writer: &mut Writer, text: &str) -> io::Result<()> {
        if writer.file.is_none() {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
                .open(&self.options.path)?;
            writer.bytes = file.metadata()?.len();
            writer.file = Some(file);
        }
        if writer.bytes > 0 && writer.bytes + text.len() as u64 > self.options.max_bytes {
            writer.file = None;
            rotate(&self.options)?;
            return self.write(writer, text);
        }
        if let Some(file) = &mut writer.file {
            file.write_all(text.as_bytes())?;
            writer.bytes += text.len() as u64;
        }
        Ok(())
    }

    /// Waits until a line is appended after this call was first polled, or `done` says that one
    /// was before.
    pub(crate) async fn grown(&self, already: impl Fn() -> bool) {
        let grown = self.grown.notified();
        tokio::pin!(grown);
        grown.as_mut().enable();
        if !already() {
            grown.await;
        }
    }

    /// Syncs what was written, at the end.
    pub(crate) fn sync(&self) {
        if let Some(file) = &self.writer().file {
            // The log is no promise; the daemon ends either way.
            let _ = file.sync_data();
        }
    }
}

fn push_line(text: &mut String, line: &str) {
    if line.len() <= LINE_MAX_BYTES {
        text.push_str(line);
    } else {
        text.push_str(&line[..line.floor_char_boundary(LINE_MAX_BYTES)]);
        text.push_str("… (cut)");
    }
    text.push('\n');
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn rotate(options: &LogOptions) -> io::Result<()> {
    if options.keep_files == 0 {
        return fs::remove_file(&options.path);
    }
    for number in (0..options.keep_files).rev() {
        match fs::rename(
            numbered(&options.path, number),
            numbered(&options.path, number + 1),
        ) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A part of the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Oldest first, without line endings.
    pub(crate) lines: Vec<String>,
    /// Where the next page begins.
    pub(crate) cursor: String,
    /// Lines between the cursor that was given and the first line are gone.
    pub(crate) gap: bool,
}

/// The files, oldest first, with their inode.
fn files(path: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    // More files than `keep_files` may be left from an earlier setting.
    for number in 0..=20 {
        let file = numbered(path, number);
        match fs::symlink_metadata(&file) {
            Ok(found) if found.is_file() => files.push((file, found.ino())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    files.reverse();
    Ok(files)
}

/// Lines behind `cursor`, or the last ones.
pub(crate) fn read(path: &Path, cursor: Option<&str>, limit: usize) -> io::Result<Page> {
    let files = files(path)?;
    let place = cursor.and_then(|cursor| {
        let (inode, offset) = cursor.split_once('-')?;
        Some((inode.parse::<u64>().ok()?, offset.parse::<u64>().ok()?))
    });
    match (cursor, place) {
        (None, _) => read_last(&files, limit),
        (Some(_), Some((inode, offset))) => {
            let found = files.iter().position(|(_, found)| *found == inode);
            let gap = found.is_none() && !(inode == 0 && offset == 0);
            let start = found.unwrap_or(0);
            let offset = if found.is_some() { offset } else { 0 };
            read_from(&files[start..], offset, limit, gap)
        }
        (Some(_), None) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the cursor is not one of this log",
        )),
    }
}

fn read_from(files: &[(PathBuf, u64)], offset: u64, limit: usize, gap: bool) -> io::Result<Page> {
    let mut page = Page {
        lines: Vec::new(),
        cursor: "0-0".to_owned(),
        gap,
    };
    let mut at = offset;
    for (path, inode) in files {
        let mut reader = BufReader::new(File::open(path)?);
        reader.seek(SeekFrom::Start(at))?;
        let mut line = Vec::new();
        while page.lines.len() < limit {
            line.clear();
            let count = (&mut reader)
                .take(2 * LINE_MAX_BYTES as u64)
                .read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            at += count as u64;
            line.pop();
            page.lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        page.cursor = format!("{inode}-{at}");
        if page.lines.len() >= limit {
            break;
        }
        at = 0;
    }
    Ok(page)
}

fn read_last(files: &[(PathBuf, u64)], limit: usize) -> io::Result<Page> {
    // The last `limit` lines fit into the end of the newest files.
    let mut wanted = limit as u64 * 256;
    loop {
        let mut start = files.len();
        let mut offset = 0;
        let mut missing = wanted;
        while start > 0 && missing > 0 {
            start -= 1;
            let length = fs::metadata(&files[start].0)?.len();
            offset = length.saturating_sub(missing);
            missing = missing.saturating_sub(length);
        }
        let from_the_very_start = start == 0 && offset == 0;
        let mut page = read_from(
            files.get(start..).unwrap_or_default(),
            offset,
            usize::MAX,
            false,
        )?;
        if !from_the_very_start && offset > 0 && !page.lines.is_empty() {
            // Most likely the middle of a line.
            page.lines.remove(0);
        }
        if page.lines.len() >= limit || from_the_very_start {
            page.lines.drain(..page.lines.len().saturating_sub(limit));
            return Ok(page);
        }
        wanted = wanted.saturating_mul(8);
    }
}

/// The log as a target of `tracing`.
pub(crate) struct LogTarget {
    pub(crate) log: Arc<Log>,
    /// Somebody watches the terminal.
    pub(crate) terminal: bool,
}

impl Write for LogTarget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        self.log.append(&line);
        if self.terminal {
            // A terminal that is gone is no reason to end.
            let _ = io::stderr().write_all(self.log.hidden(&line).as_bytes());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &Path, max_bytes: u64, keep_files: u64) -> Arc<Log> {
        Log::open(LogOptions {
            path: folder.join("state/d.log"),
            max_bytes,
            keep_files,
        })
    }

    #[test]
    fn a_key_in_hand_is_hidden_whatever_it_looks_like() {
        use convergio_config::secrets::{SecretSources, Secrets};
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 1 << 20, 1);
        let around = crate::Surroundings::under(folder.path()).settings;
        let paths = convergio_config::Paths::derive(&around).unwrap();
        let sources = SecretSources::from_variables(Default::default(), &around, &paths);
        let secrets = Secrets::new(sources);
        log.hide(secrets.clone());
        let key = "a plain sentence as a key".to_owned().into();
        let known = secrets.know(&key);
        log.append("asked with a plain sentence as a key today");
        drop(known);
        log.append("asked with a plain sentence again");
        let text = fs::read_to_string(log.path()).unwrap();
        assert!(!text.contains("sentence as a key"), "{text}");
        assert!(text.contains("sentence again"), "{text}");
    }

    #[test]
    fn rotation_keeps_so_many_files_of_such_a_size_and_a_reader_follows() {
        let temp = tempfile::tempdir().unwrap();
        let log = log(temp.path(), 100, 2);
        log.append("line 0");
        let mut cursor = read(log.path(), None, 10).unwrap().cursor;
        let mut seen = vec![0];
        for number in 1..30 {
            log.append(&format!("line {number}"));
            if number % 5 == 0 {
                let page = read(log.path(), Some(&cursor), 100).unwrap();
                assert!(!page.gap);
                seen.extend(
                    page.lines
                        .iter()
                        .map(|line| line[5..].parse::<i32>().unwrap()),
                );
                cursor = page.cursor;
            }
        }
        assert_eq!(seen, (0..=25).collect::<Vec<_>>());
        let names: Vec<_> = fs::read_dir(temp.path().join("state")).unwrap().collect();
        assert_eq!(names.len(), 3);
        for entry in names {
            let found = entry.unwrap().metadata().unwrap();
            assert!(found.len() <= 100);
            assert_eq!(found.mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_reader_that_was_overtaken_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let log = log(temp.path(), 60, 1);
        log.append("first");
        let cursor = read(log.path(), None, 10).unwrap().cursor;
        // The first file stays open, so that its inode is not given to a newer one.
        let _held = File::open(log.path()).unwrap();
        for number in 0..50 {
            log.append(&format!("line {number}"));
        }
        let page = read(log.path(), Some(&cursor), 100).unwrap();
        assert!(page.gap);
        assert_eq!(page.lines.last().map(String::as_str), Some("line 49"));
    }

    #[test]
    fn the_last_lines_come_across_files_and_in_pages() {
        let temp = tempfile::tempdir().unwrap();
        let log = log(temp.path(), 120, 3);
        for number in 0..20 {
            log.append(&format!("line {number}"));
        }
        let page = read(log.path(), None, 4).unwrap();
        assert_eq!(page.lines, ["line 16", "line 17", "line 18", "line 19"]);
        assert!(read(log.path(), Some("nonsense"), 4).is_err());
        let first = read(log.path(), Some("0-0"), 3).unwrap();
        let next = read(log.path(), Some(&first.cursor), 2).unwrap();
        assert_eq!((first.lines.len(), next.lines.len()), (3, 2));
        assert_ne!(first.lines[2], next.lines[0]);
    }

    #[test]
    fn no_log_yet_is_an_empty_page_and_secrets_are_not_written() {
        let temp = tempfile::tempdir().unwrap();
        let log = log(temp.path(), 1000, 1);
        assert!(read(log.path(), None, 10).unwrap().lines.is_empty());
        log.append("password=correcthorse and more");
        log.append(&"x".repeat(10_000));
        let page = read(log.path(), None, 10).unwrap();
        assert!(page.lines.iter().any(|line| line.ends_with("(cut)")));
        assert!(
            !fs::read_to_string(log.path())
                .unwrap()
                .contains("correcthorse")
        );
    }
}
