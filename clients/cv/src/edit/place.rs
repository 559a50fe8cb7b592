//! A file's place under a root, held by its folder's descriptor: no link on the way can lead a
//! write elsewhere, now or between check and use.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, Permissions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use convergio_contract::limits::UNDO_FILE_MAX_BYTES;
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};

use crate::{
    error::{Failure, Kind},
    hint::Hint,
};

/// Where a file is, or could be.
#[derive(Debug)]
pub struct Place {
    folder: OwnedFd,
    name: OsString,
    full: PathBuf,
}

/// A file's content, and what must stay as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its bytes.
    pub bytes: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
}

impl Place {
    /// Finds `path` under `root` without following a link; `make_folders` creates what is
    /// missing on the way.
    pub fn under(root: &Path, path: &Path, make_folders: bool) -> Result<Self, Failure> {
        let full = root.join(path);
        let outside = |why: &str| {
            Failure::new(
                Kind::Conflict,
                format!("{} is not changed", full.display()),
                why,
                Hint::NOT_OURS,
            )
        };
        let mut names = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => names.push(name),
                Component::CurDir => {}
                _ => return Err(outside("its path leads out of the folder under review")),
            }
        }
        let Some(name) = names.pop() else {
            return Err(outside("its path names no file"));
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let failed = |activity: &str, errno: Errno| match errno {
            Errno::LOOP | Errno::NOTDIR => outside("a link stands on the way to it"),
            errno => Failure::io(activity, &full, &errno.into(), Hint::NOT_OURS),
        };
        let mut folder = rustix::fs::open(root, flags, Mode::empty())
            .map_err(|errno| failed("open the folder of", errno))?;
        for name in names {
            let open =
                || rustix::fs::openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty());
            let next = match open() {
                Err(Errno::NOENT) if make_folders => {
                    rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o777))
                        .map_err(|errno| failed("create the folder of", errno))?;
                    open()
                }
                other => other,
            };
            folder = next.map_err(|errno| failed("open the folder of", errno))?;
        }
        Ok(Self {
            folder,
            name: name.to_owned(),
            full,
        })
    }

    /// A place by its absolute path, its folder taken as it is.
    pub fn absolute(path: &Path, make_folders: bool) -> Result<Self, Failure> {
        let refused = || {
            Failure::new(
                Kind::Conflict,
                format!("{} is not changed", path.display()),
                "it is not an absolute path to a file",
                Hint::NOT_OURS,
            )
        };
        let name = path.file_name().ok_or_else(refused)?;
        let folder = path.parent().ok_or_else(refused)?;
        if !path.is_absolute() {
            return Err(refused());
        }
        if make_folders && !folder.is_dir() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::io("create", folder, &error, Hint::NOT_OURS))?;
        }
        Self::under(folder, Path::new(name), false)
    }

    /// The full path.
    pub fn path(&self) -> &Path {
        &self.full
    }

    /// The full path in UTF-8, as it travels.
    pub fn text(&self) -> Result<String, Failure> {
        self.full.to_str().map(str::to_owned).ok_or_else(|| {
            Failure::new(
                Kind::Conflict,
                format!("{} is not changed", self.full.display()),
                "its path is not UTF-8, so the way back could not be stored",
                Hint::NOT_OURS,
            )
        })
    }

    fn failed(&self, activity: &str, error: &std::io::Error) -> Failure {
        Failure::io(activity, &self.full, error, Hint::NOT_OURS)
    }

    fn refused(&self, why: &str) -> Failure {
        Failure::new(
            Kind::Conflict,
            format!("{} is not changed", self.full.display()),
            why,
            Hint::NOT_OURS,
        )
    }

    /// Reads the file; none where there is none. Refuses links, several names and what is no
    /// file.
    pub fn read(&self) -> Result<Option<Found>, Failure> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(self.refused("it is a link")),
            Err(errno) => return Err(self.failed("open", &errno.into())),
        };
        let about = file
            .metadata()
            .map_err(|error| self.failed("look at", &error))?;
        if !about.is_file() {
            return Err(self.refused("it is not a regular file"));
        }
        if about.nlink() > 1 {
            return Err(
                self.refused("it has several names (hard links), and a change would part them")
            );
        }
        let mut bytes = Vec::new();
        file.take(UNDO_FILE_MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.failed("read", &error))?;
        if bytes.len() > UNDO_FILE_MAX_BYTES {
            return Err(self.refused("it is larger than 4 MiB, more than the way back can hold"));
        }
        Ok(Some(Found {
            bytes,
            mode: about.mode() & 0o7777,
            owner: (about.uid(), about.gid()),
        }))
    }

    /// Puts bytes in the file's place: written beside it, synced, renamed. Mode and owner stay;
    /// the file must still be what `found` says.
    pub fn write(&self, bytes: &[u8], found: Option<&Found>) -> Result<(), Failure> {
        let beside = OsString::from(format!(".cv-{}.tmp", uuid::Uuid::now_v7().simple()));
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created = Mode::from_raw_mode(if found.is_some() { 0o600 } else { 0o666 });
        let file = rustix::fs::openat(&self.folder, &beside, flags, created)
            .map_err(|errno| self.failed("write beside", &errno.into()))?;
        let outcome = self.fill(File::from(file), bytes, found).and_then(|()| {
            if self.read()?.as_ref() != found {
                return Err(self.refused("it changed while it was being edited"));
            }
            rustix::fs::renameat(&self.folder, &beside, &self.folder, &self.name)
                .map_err(|errno| self.failed("replace", &errno.into()))
        });
        if outcome.is_err() {
            // The first error is the one to tell.
            let _ = rustix::fs::unlinkat(&self.folder, &beside, AtFlags::empty());
            return outcome;
        }
        self.sync_folder()
    }

    fn fill(&self, mut file: File, bytes: &[u8], found: Option<&Found>) -> Result<(), Failure> {
        let failed = |error: &std::io::Error| self.failed("write", error);
        file.write_all(bytes).map_err(|error| failed(&error))?;
        if let Some(found) = found {
            let own = file.metadata().map_err(|error| failed(&error))?;
            if (own.uid(), own.gid()) != found.owner {
                let (uid, gid) = found.owner;
                std::os::unix::fs::fchown(&file, Some(uid), Some(gid))
                    .map_err(|error| self.failed("keep the owner of", &error))?;
            }
            file.set_permissions(Permissions::from_mode(found.mode))
                .map_err(|error| self.failed("keep the mode of", &error))?;
        }
        file.sync_all().map_err(|error| failed(&error))
    }

    /// Removes the file.
    pub fn remove(&self) -> Result<(), Failure> {
        match rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => self.sync_folder(),
            Err(errno) => Err(self.failed("remove", &errno.into())),
        }
    }

    fn sync_folder(&self) -> Result<(), Failure> {
        rustix::fs::fsync(&self.folder)
            .map_err(|errno| self.failed("sync the folder of", &errno.into()))
    }

    /// The file's own name.
    pub fn name(&self) -> &OsStr {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_write_keeps_the_mode_and_leaves_nothing_beside() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("run.sh");
        fs::write(&path, "a\n").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).expect("mode");
        let place = Place::under(temp.path(), Path::new("run.sh"), false).expect("a place");
        let found = place.read().expect("reads").expect("is there");
        place.write(b"b\n", Some(&found)).expect("writes");
        assert_eq!(fs::read(&path).expect("reads"), b"b\n");
        let mode = fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
        assert_eq!(fs::read_dir(temp.path()).expect("lists").count(), 1);

        let error = place
            .write(b"c\n", Some(&found))
            .expect_err("changed meanwhile");
        assert_eq!(error.kind, Kind::Conflict);
        assert_eq!(fs::read(&path).expect("reads"), b"b\n");
        assert_eq!(fs::read_dir(temp.path()).expect("lists").count(), 1);
    }

    #[test]
    fn nothing_leads_out_of_the_root() {
        let temp = tempfile::tempdir().expect("a folder");
        let root = temp.path().join("root");
        let other = temp.path().join("other");
        fs::create_dir_all(&root).expect("creates");
        fs::create_dir_all(&other).expect("creates");
        fs::write(other.join("f"), "x").expect("writes");
        std::os::unix::fs::symlink(&other, root.join("way")).expect("links");
        std::os::unix::fs::symlink(other.join("f"), root.join("f")).expect("links");
        for path in ["../other/f", "/etc/passwd", "way/f", "", ".."] {
            let error = Place::under(&root, Path::new(path), true).expect_err(path);
            assert_eq!(error.kind, Kind::Conflict, "{path}");
        }
        let link = Place::under(&root, Path::new("f"), false).expect("a place");
        assert_eq!(link.read().expect_err("a link").kind, Kind::Conflict);
    }

    #[test]
    fn a_file_with_two_names_is_refused() {
        let temp = tempfile::tempdir().expect("a folder");
        fs::write(temp.path().join("a"), "x").expect("writes");
        fs::hard_link(temp.path().join("a"), temp.path().join("b")).expect("links");
        let place = Place::under(temp.path(), Path::new("a"), false).expect("a place");
        assert!(
            place
                .read()
                .expect_err("two names")
                .why
                .contains("hard links")
        );
    }
}
