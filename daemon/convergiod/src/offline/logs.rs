//! `convergiod logs --offline`

use convergio_config::Paths;
use convergio_contract::{ErrorCode, RpcError};

use super::Outcome;
use crate::{Surroundings, log};

pub(super) fn run(surroundings: &Surroundings, limit: usize) -> Result<Outcome, RpcError> {
    let paths = Paths::derive(&surroundings.settings).map_err(|error| {
        RpcError::new(ErrorCode::InvalidParams, error.to_string()).hint(error.hint())
    })?;
    let page = log::read(&paths.log_file, None, limit).map_err(|error| {
        RpcError::new(
            ErrorCode::StorageError,
            format!("cannot read {}", paths.log_file.display()),
        )
        .why(error.to_string())
        .hint("cv doctor")
    })?;
    let mut text = String::new();
    for line in &page.lines {
        // What others' names or messages brought along must not steer a terminal.
        text.extend(line.chars().map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        }));
        text.push('\n');
    }
    Ok(Outcome::new(
        text,
        &serde_json::json!({"lines": page.lines}),
    ))
}
