//! Where an export goes: stdout, or a file that appears when it is whole.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use convergio_contract::Uuid;

use crate::{
    context::Context,
    error::{Failure, Kind},
    hint::Hint,
};

/// Where an export goes.
#[derive(Debug)]
pub enum Sink {
    /// As it comes.
    Stdout,
    /// Written beside its place, and put there when it is whole.
    File {
        /// What is written to.
        file: File,
        /// Where that lies until it is whole.
        beside: PathBuf,
        /// Its place.
        path: PathBuf,
        /// It is in its place.
        done: bool,
    },
}

impl Sink {
    /// A file that is put in its place once it is whole; one that is there only with `force`,
    /// and `over` says how.
    pub fn file(path: &Path, force: bool, over: Hint) -> Result<Self, Failure> {
        let refused = |why: String, way_out| {
            let what = format!("{} is not written", path.display());
            Failure::new(Kind::Usage, what, why, way_out)
        };
        if path.is_dir() {
            return Err(refused("it is a folder".to_owned(), Hint::EXPORT));
        }
        if path.exists() && !force {
            return Err(refused("it is there already".to_owned(), over));
        }
        let name = path.file_name().map(|name| name.to_string_lossy());
        let beside = path.with_file_name(format!(
            ".{}.{}",
            name.unwrap_or_default(),
            Uuid::now_v7().simple()
        ));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
            .map_err(|error| refused(crate::error::describe(&error), Hint::EXPORT))?;
        Ok(Self::File {
            file,
            beside,
            path: path.to_owned(),
            done: false,
        })
    }

    /// Adds a text.
    pub fn write(&mut self, text: &str, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Stdout => context.answer.write(text),
            Self::File { file, path, .. } => file
                .write_all(text.as_bytes())
                .map_err(|error| Failure::io("write", path, &error, Hint::OTHER_OUTPUT)),
        }
    }

    /// Ends it; a file is in its place then.
    pub fn finish(&mut self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Stdout => context.answer.flush(),
            Self::File {
                file,
                beside,
                path,
                done,
            } => {
                let put = file
                    .sync_all()
                    .and_then(|()| std::fs::rename(&*beside, &*path));
                put.map_err(|error| Failure::io("write", path, &error, Hint::OTHER_OUTPUT))?;
                *done = true;
                Ok(())
            }
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Self::File {
            beside,
            done: false,
            ..
        } = self
        {
            // Half an export is none; what cannot be removed is hidden and harmless.
            let _ = std::fs::remove_file(beside);
        }
    }
}
