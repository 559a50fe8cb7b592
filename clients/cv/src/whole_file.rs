//! Files that are read whole: named by a person, and bounded.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Why a file was not read.
#[derive(Debug)]
pub enum Unread {
    /// The system's word.
    Io(io::Error),
    /// A pipe or a device, which may never end.
    Endless,
    /// It has more bytes than were allowed.
    TooLarge,
}

/// Reads a file of at most `max` bytes. A named pipe or a device is not opened: even that may never
/// end. A pipe that the shell opened, `<(…)`, blocks until it ends.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, Unread> {
    let about = std::fs::metadata(path).map_err(Unread::Io)?;
    let by_shell = path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd");
    let ends = about.is_file() || about.is_dir() || (by_shell && is_pipe(&about));
    if !ends {
        return Err(Unread::Endless);
    }
    let file = File::open(path).map_err(Unread::Io)?;
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Unread::Io)?;
    if bytes.len() as u64 > max {
        return Err(Unread::TooLarge);
    }
    Ok(bytes)
}

fn is_pipe(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    about.file_type().is_fifo()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_never_end_is_not_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a pipe");
        // Were it opened, this would wait for a writer.
        assert!(matches!(read(&pipe, 9), Err(Unread::Endless)));
        let zero = Path::new("/dev/zero");
        assert!(matches!(read(zero, 9), Err(Unread::Endless)));
        let file = folder.path().join("file");
        std::fs::write(&file, "123456789").expect("writes");
        assert_eq!(read(&file, 9).expect("reads"), b"123456789");
        assert!(matches!(read(&file, 8), Err(Unread::TooLarge)));
        assert!(matches!(read(folder.path(), 9), Err(Unread::Io(_))));
        let missing = folder.path().join("missing");
        assert!(matches!(read(&missing, 9), Err(Unread::Io(_))));
    }
}
