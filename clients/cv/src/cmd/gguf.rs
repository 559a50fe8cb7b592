//! Model files that lie on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Entries of folders that are looked at, all together.
const ENTRIES_MAX: usize = 5_000;
/// Folders within folders.
const DEPTH_MAX: usize = 7;
/// Files that are named.
const FILES_MAX: usize = 50;
/// The first bytes of such a file.
const MAGIC: &[u8; 4] = b"GGUF";

/// A model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// What was found, and whether everything was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// By path.
    pub files: Vec<ModelFile>,
    /// There was more than is looked at.
    pub cut: bool,
}

/// The folders where programs keep such files.
pub fn places(home: &Path, data: Option<&Path>) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = [
        ".cache/huggingface/hub",
        ".cache/llama.cpp",
        ".cache/lm-studio/models",
        ".lmstudio/models",
        ".local/share/convergio/models",
        "Library/Caches/llama.cpp",
        "models",
    ]
    .iter()
    .map(|place| home.join(place))
    .collect();
    places.extend(data.map(|data| data.join("models")));
    places.sort();
    places.dedup();
    places
}

/// Looks into folders. Blocks; bounded in depth and number; links to folders are not followed.
pub fn find(places: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let mut left = ENTRIES_MAX;
    for place in places {
        look(place, 0, &mut left, &mut found);
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn look(folder: &Path, depth: usize, left: &mut usize, found: &mut Found) {
    // A folder that is missing or closed holds nothing that we could use.
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    if depth > DEPTH_MAX {
        found.cut = true;
        return;
    }
    for entry in entries.flatten() {
        if *left == 0 || found.files.len() == FILES_MAX {
            found.cut = true;
            return;
        }
        *left -= 1;
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            look(&path, depth + 1, left, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
            && let Some(bytes) = size(&path)
        {
            found.files.push(ModelFile { path, bytes });
        }
    }
}

/// The size of a file that begins as one must; what is not a file is never opened.
fn size(path: &Path) -> Option<u64> {
    use std::io::Read;
    let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mut magic = [0; 4];
    fs::File::open(path).ok()?.read_exact(&mut magic).ok()?;
    (&magic == MAGIC).then_some(about.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_model_files_are_found_links_of_a_cache_included() {
        let home = tempfile::tempdir().expect("a folder");
        let models = home.path().join("models/deep/er");
        fs::create_dir_all(&models).expect("folders");
        fs::write(models.join("a.gguf"), b"GGUF and more").expect("writes");
        fs::write(models.join("fake.gguf"), b"text").expect("writes");
        fs::write(models.join("b.txt"), b"GGUF").expect("writes");
        let hub = home.path().join(".cache/huggingface/hub");
        fs::create_dir_all(&hub).expect("folders");
        std::os::unix::fs::symlink(models.join("a.gguf"), hub.join("c.gguf")).expect("links");
        std::os::unix::fs::symlink(home.path(), hub.join("loop")).expect("links");
        let found = find(&places(home.path(), None));
        let names: Vec<_> = found
            .files
            .iter()
            .filter_map(|file| file.path.file_name()?.to_str())
            .collect();
        assert_eq!(names, ["c.gguf", "a.gguf"]);
        assert_eq!(found.files[0].bytes, 13);
        assert!(!found.cut);
    }
}
