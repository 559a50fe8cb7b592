//! What a request for a review is, and when two are the same.

use convergio_contract::{
    RpcError, Uuid, finding as wire,
    limits::DIFF_MAX_BYTES,
    review::{Blob, ReviewStartParams},
};
use sha2::{Digest, Sha256};

use super::blob;
use crate::failure;

/// The hash that makes a repeated request the same request.
pub(crate) fn request_hash(params: &ReviewStartParams, diff: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(params.root.as_bytes());
    part(params.selection.as_bytes());
    part(params.base_sha.as_deref().unwrap_or_default().as_bytes());
    part(
        params
            .base_silences
            .as_deref()
            .unwrap_or_default()
            .as_bytes(),
    );
    part(&[
        params.strict.map_or(2, u8::from),
        params.options.ephemeral.into(),
    ]);
    part(
        params
            .min_severity
            .map_or("", wire::Severity::as_str)
            .as_bytes(),
    );
    part(params.rules.join("\n").as_bytes());
    part(params.focus.as_deref().unwrap_or_default().as_bytes());
    let options = &params.options;
    part(options.model.as_deref().unwrap_or_default().as_bytes());
    let limits = (
        params.no_model,
        options.policy,
        options.max_output,
        options.max_cost_nano_usd,
    );
    part(format!("{limits:?}").as_bytes());
    part(diff);
    hash.finalize().into()
}

/// Text form of a hash, for comparing.
pub(crate) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes the diff as every review does.
pub(crate) fn decode(diff: Blob) -> Result<Vec<u8>, RpcError> {
    blob::decode(
        diff,
        DIFF_MAX_BYTES,
        "the diff",
        "git diff -- PATH | cv review",
    )
}

/// Lists of runs are in the order of their ids' time.
pub(crate) fn run_id_v7(id: Uuid) -> Result<(), RpcError> {
    if id.get_version_num() == 7 {
        return Ok(());
    }
    Err(failure::invalid("`run_id` takes a UUID of version 7"))
}
