//! `convergiod backup --offline`: beside a running daemon too, whose database is only read.

use std::path::{Path, PathBuf};

use convergio_config::Paths;
use convergio_contract::{ErrorCode, RpcError};
use convergio_store::{BACKUPS_DIR, DATABASE_FILE, Store, StoreOptions};
use convergio_transport::{
    Endpoint,
    lock::{InstanceLock, LockError},
};

use super::Outcome;
use crate::{Surroundings, daemon::now_ms, failure, version};

pub(super) fn run(surroundings: &Surroundings, file: Option<PathBuf>) -> Result<Outcome, RpcError> {
    let wrong = |what: String, hint: &str| RpcError::new(ErrorCode::InvalidParams, what).hint(hint);
    let paths = Paths::derive(&surroundings.settings)
        .map_err(|error| wrong(error.to_string(), error.hint()))?;
    let endpoint = Endpoint::resolve(&surroundings.transport)
        .map_err(|error| wrong(error.to_string(), "cv doctor"))?;
    if !paths.data_dir.join(DATABASE_FILE).exists() {
        return Err(
            RpcError::new(ErrorCode::NotFound, "there is nothing to back up")
                .why(format!(
                    "{} holds no database yet",
                    paths.data_dir.display()
                ))
                .hint("cv status"),
        );
    }
    // Held meanwhile: no daemon of another version migrates what is being copied.
    let _lock = match InstanceLock::acquire(&endpoint.lock_file) {
        Ok(lock) => Some(lock),
        Err(LockError::Held { owner, .. })
            if owner
                .as_ref()
                .is_none_or(|owner| owner.version == version::OURS) =>
        {
            None
        }
        Err(LockError::Held { .. }) => {
            return Err(
                RpcError::new(ErrorCode::Overloaded, "a daemon of another version runs")
                    .why("the database is its own while it does")
                    .hint("cv stop && cv backup"),
            );
        }
        Err(error) => return Err(RpcError::new(ErrorCode::StorageError, error.to_string())),
    };
    let file = match file {
        Some(file) => {
            let file = std::path::absolute(&file)
                .map_err(|error| wrong(format!("{}: {error}", file.display()), "cv backup"))?;
            fits(&file)?;
            file
        }
        None => {
            let folder = paths.data_dir.join(BACKUPS_DIR);
            std::fs::create_dir_all(&folder).map_err(|error| {
                RpcError::new(
                    ErrorCode::StorageError,
                    format!("cannot create {}", folder.display()),
                )
                .why(error.to_string())
                .hint("cv backup ~/convergio.db")
            })?;
            folder.join(format!("backup-{}.db", now_ms()))
        }
    };
    let report = crate::runtime()
        .map_err(|error| RpcError::new(ErrorCode::Internal, error.to_string()))?
        .block_on(async {
            let store = Store::open(&StoreOptions::new(&paths.data_dir))?;
            let report = store.backup_to(&file).await;
            store.close().await?;
            report
        })
        .map_err(|error| failure::store(&error))?;
    let shown = report.path.display();
    let json = serde_json::json!({
        "file": shown.to_string(),
        "size_bytes": report.size_bytes,
        "schema": report.version,
    });
    let text = format!(
        "Wrote {shown} ({} kB, checked) · back: cv restore '{shown}'\n",
        report.size_bytes.div_ceil(1024)
    );
    Ok(Outcome::new(text, &json))
}

/// Refuses a place in which no backup can be made, with the way to one.
fn fits(file: &Path) -> Result<(), RpcError> {
    let shown = file.display();
    if file.is_dir() {
        let hint = format!("cv backup '{}'", file.join("convergio.db").display());
        return Err(
            RpcError::new(ErrorCode::InvalidParams, format!("{shown} is a folder"))
                .why("a backup is one file")
                .hint(hint),
        );
    }
    if file.symlink_metadata().is_ok() {
        return Err(
            RpcError::new(ErrorCode::Conflict, format!("{shown} exists already"))
                .why("a backup never replaces a file")
                .hint(format!("cv backup '{shown}.new'")),
        );
    }
    match file.parent() {
        Some(folder) if !folder.is_dir() => {
            let folder = folder.display();
            Err(
                RpcError::new(ErrorCode::NotFound, format!("there is no folder {folder}"))
                    .why("a backup goes into a folder that exists")
                    .hint(format!("mkdir -p '{folder}'")),
            )
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn hint(refused: Result<(), RpcError>) -> (Option<ErrorCode>, String) {
        let error = refused.unwrap_err();
        let hint = error.data.as_ref().and_then(|data| data.hint.clone());
        (error.kind(), hint.unwrap())
    }

    #[test]
    fn a_place_that_cannot_take_a_backup_is_refused_with_a_way_out() {
        let temp = tempfile::tempdir().unwrap();
        let there = temp.path().join("there.db");
        fs::write(&there, "").unwrap();
        assert!(fits(&temp.path().join("new.db")).is_ok());
        let (kind, told) = hint(fits(&there));
        assert_eq!(kind, Some(ErrorCode::Conflict));
        assert_eq!(told, format!("cv backup '{}.new'", there.display()));
        let (kind, told) = hint(fits(&temp.path().join("gone/new.db")));
        assert_eq!(kind, Some(ErrorCode::NotFound));
        assert!(told.starts_with("mkdir -p '"), "{told}");
        let (kind, told) = hint(fits(temp.path()));
        assert_eq!(kind, Some(ErrorCode::InvalidParams));
        assert!(told.ends_with("convergio.db'"), "{told}");
    }
}
