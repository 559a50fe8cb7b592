//! How large the log has grown.

use std::fs;

use convergio_contract::health::Check;

use super::{Patient, fine, note};

const ID: &str = "log";
/// Rotation keeps it far below this.
const LARGE_BYTES: u64 = 256 << 20;

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    let path = &patient.paths.log_file;
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let bytes: u64 = fs::read_dir(&patient.paths.state_dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&name))
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum();
    let shown = format!("{} holds {} kB", path.display(), bytes.div_ceil(1024));
    vec![if bytes > LARGE_BYTES {
        note(
            ID,
            shown,
            "`log.max_bytes` or `log.keep_files` is set very high",
            "cv config explain log.max_bytes",
        )
    } else {
        fine(ID, shown)
    }]
}
