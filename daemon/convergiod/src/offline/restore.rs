//! `convergiod restore --offline`: ends the daemon first, and keeps others out meanwhile.

use std::path::Path;

use convergio_config::Paths;
use convergio_contract::{ErrorCode, RpcError};
use convergio_transport::{
    Endpoint, folder,
    lock::{InstanceLock, StartLock},
};

use super::Outcome;
use crate::{Surroundings, failure, service::predecessor};

pub(super) fn run(surroundings: &Surroundings, file: &Path) -> Result<Outcome, RpcError> {
    let wrong = |what: String, hint: &str| RpcError::new(ErrorCode::InvalidParams, what).hint(hint);
    let paths = Paths::derive(&surroundings.settings)
        .map_err(|error| wrong(error.to_string(), error.hint()))?;
    let endpoint = Endpoint::resolve(&surroundings.transport)
        .map_err(|error| wrong(error.to_string(), "cv doctor"))?;
    if !file.is_file() {
        return Err(RpcError::new(
            ErrorCode::NotFound,
            format!("there is no file {}", file.display()),
        )
        .hint(format!("ls '{}'", paths.data_dir.display())));
    }
    let busy = |why: String| {
        RpcError::new(ErrorCode::Overloaded, "the database is in use")
            .why(why)
            .hint("cv stop")
    };
    folder::prepare(&paths.data_dir, surroundings.transport.uid).map_err(|error| {
        RpcError::new(ErrorCode::Forbidden, error.to_string()).hint("cv doctor")
    })?;
    let start_lock =
        StartLock::acquire(&endpoint.start_lock).map_err(|error| busy(error.to_string()))?;
    let ended =
        predecessor::end(&endpoint, &start_lock).map_err(|error| busy(error.to_string()))?;
    let _lock =
        InstanceLock::acquire(&endpoint.lock_file).map_err(|error| busy(error.to_string()))?;
    let report =
        convergio_store::restore(&paths.data_dir, file).map_err(|error| failure::store(&error))?;
    let mut text = String::new();
    if let Some(owner) = &ended {
        text.push_str(&format!(
            "Ended the daemon that ran (process {})\n",
            owner.pid
        ));
    }
    text.push_str(&format!("Restored {}", file.display()));
    if let Some(aside) = &report.kept_aside {
        text.push_str(&format!(" · back: cv restore '{}'", aside.display()));
    }
    text.push('\n');
    let json = serde_json::json!({
        "restored": file.display().to_string(),
        "kept_aside": report.kept_aside.map(|aside| aside.display().to_string()),
        "schema": report.version,
    });
    Ok(Outcome::new(text, &json))
}
