//! `cv`, the command line client: the edge of the process (`edge`), the verbs (`cmd`), what they
//! print (`render`, `output`), how they reach git (`git`), files (`edit`) and the daemon
//! (`daemon`).
//!
//! A library with a thin binary, so that everything but the process's edge is tested in place.

pub mod ask;
pub mod cli;
pub mod cmd;
pub mod context;
pub mod daemon;
pub mod edge;
pub mod edit;
pub mod error;
pub mod exit;
pub mod git;
pub mod hint;
pub mod keys;
pub mod markdown;
pub mod money;
pub mod output;
pub mod pick;
pub mod render;
pub mod spending;
pub mod spinner;
pub mod stdin;
pub mod table;
pub mod tasks;
pub mod terminal;
pub mod waiting;
pub mod whole_file;
pub mod wire;

/// A moment as a person reads it, in the local time zone: `2026-11-20 17:05`.
pub fn local_time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| "at an unknown time".to_owned(),
        |at| {
            at.to_zoned(jiff::tz::TimeZone::system())
                .strftime("%Y-%m-%d %H:%M")
                .to_string()
        },
    )
}

/// Now, UTC milliseconds.
pub fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
