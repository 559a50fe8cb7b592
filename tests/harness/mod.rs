//! What every black-box test needs: the real binaries on a temporary home.

pub mod books;
pub mod daemon;
pub mod diffs;
pub mod home;
pub mod http;
pub mod process;
pub mod repository;
pub mod scripted;
pub mod skip;
pub mod terminal;
pub mod wire;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the root")
}

/// The folder that holds `cv` and `convergiod` of the profile under test. `cargo test` does not
/// build another package's binaries, so this does, once; mostly it finds nothing to do.
/// `CONVERGIO_BINARIES` names a folder with others, for instance installed ones.
pub fn binaries() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("CONVERGIO_BINARIES") {
            return folder.into();
        }
        let test = std::env::current_exe().expect("the test knows where it is");
        let folder = test
            .ancestors()
            .nth(2)
            .expect("target/PROFILE/deps/test")
            .to_owned();
        let mut build = Command::new(env!("CARGO"));
        build
            .current_dir(root())
            .args(["build", "--quiet", "--workspace", "--bins"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "the binaries do not build");
        folder
    })
}
