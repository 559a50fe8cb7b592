//! `-o FILE`: the answer as a file, whole or not at all.

use std::path::{Path, PathBuf};

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    limits::UNDO_FILE_MAX_BYTES,
    undo::{UndoFile, UndoPut, UndoPutParams},
};

use crate::{
    daemon,
    edit::{Place, place::Found, sha256},
    error::{Failure, Kind},
    hint::Hint,
    wire,
};

/// Where an answer goes. Looked at before anything is asked, so that a place that cannot be
/// written costs nothing.
#[derive(Debug)]
pub struct Target {
    place: Place,
    path: PathBuf,
    found: Option<Found>,
}

impl Target {
    /// A path as it was typed, in `folder`.
    pub fn new(folder: &Path, path: &Path) -> Result<Self, Failure> {
        let path = folder.join(path);
        let looked = || -> Result<_, Failure> {
            let place = Place::absolute(&path, false)?;
            let found = place.read()?;
            Ok((place, found))
        };
        let (place, found) = looked().map_err(|failure| Failure {
            // Nothing was asked yet: a place that cannot be written is a fault of the command line.
            kind: match failure.kind {
                Kind::Io => Kind::Usage,
                kind => kind,
            },
            way_out: Hint::OTHER_FILE,
            ..failure
        })?;
        Ok(Self { place, path, found })
    }

    /// The path, for a person.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Replaces the file by the answer. The way back is stored first.
    pub async fn write(&self, text: &str, client: &Client, root: &str) -> Result<(), Failure> {
        if text.len() > UNDO_FILE_MAX_BYTES {
            return Err(Failure::new(
                Kind::TooLarge,
                format!("{} is not written", self.path.display()),
                "the answer is larger than 4 MiB, more than the way back can hold",
                Hint::RUNS,
            ));
        }
        let before = match &self.found {
            Some(found) => Some(wire::blob(found.bytes.clone(), "The file")?),
            None => None,
        };
        let params = UndoPutParams {
            undo_id: Uuid::now_v7(),
            label: format!(
                "cv ask -o {}",
                self.path
                    .file_name()
                    .map(|name| name.to_string_lossy())
                    .unwrap_or_default()
            ),
            root: root.to_owned(),
            files: vec![UndoFile {
                path: self.place.text()?,
                before,
                after_sha256: sha256(text.as_bytes()),
            }],
            silence: None,
            ended_silence: None,
        };
        client
            .call::<UndoPut>(&params)
            .await
            .map_err(daemon::failure)?;
        self.place.write(text.as_bytes(), self.found.as_ref())
    }

    /// Keeps what came of an answer that is not whole beside the file, which stays as it was.
    pub fn keep_partial(&self, text: &str) -> Result<PathBuf, Failure> {
        let mut name = self.place.name().to_owned();
        name.push(".partial");
        let path = self.path.with_file_name(name);
        let place = Place::absolute(&path, false)?;
        let found = place.read()?;
        place.write(text.as_bytes(), found.as_ref())?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_said_before_and_parts_never_take_the_files_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = Target::new(folder.path(), Path::new("no/such/folder/f"));
        assert_eq!(missing.expect_err("no folder").kind, Kind::Usage);
        let long = Target::new(folder.path(), Path::new(&"x".repeat(300)));
        assert_eq!(long.expect_err("a long name").kind, Kind::Usage);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("l")).expect("links");
        let link = Target::new(folder.path(), Path::new("l"));
        assert_eq!(link.expect_err("a link").kind, Kind::Conflict);
        std::fs::write(folder.path().join("f"), "old").expect("writes");
        let target = Target::new(folder.path(), Path::new("f")).expect("a place");
        let partial = target.keep_partial("half").expect("kept");
        assert_eq!(std::fs::read(partial).expect("reads"), b"half");
        assert_eq!(
            std::fs::read(folder.path().join("f")).expect("reads"),
            b"old"
        );
    }
}
