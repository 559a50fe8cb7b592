//! `convergiod backup --offline`: beside a running daemon too, whose database is only read.

use std::path::PathBuf;

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
        Some(file) => std::path::absolute(&file)
            .map_err(|error| wrong(format!("{}: {error}", file.display()), "cv backup"))?,
        None => {
            let folder = paths.data_dir.join(BACKUPS_DIR);
            std::fs::create_dir_all(&folder).map_err(|error| {
                RpcError::new(
                    ErrorCode::StorageError,
                    format!("cannot create {}", folder.display()),
                )
                .why(error.to_string())
                .hint("df -h")
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
