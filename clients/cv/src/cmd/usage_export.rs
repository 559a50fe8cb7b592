//! `cv usage export`

use std::path::PathBuf;

use convergio_client::Client;
use convergio_contract::{
    ErrorCode,
    audit::{AttemptRow, TransferRow},
    books::{ExportWhat, UsageExport, UsageExportParams, UsageExportResponse},
    limits::PAGE_MAX,
};
use serde_json::json;

use super::sink::Sink;
use crate::{
    context::{Context, ErrorForm},
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    now_ms,
    render::words::count,
};

/// Writes out the books' rows, all of them or an error.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Attempts (what was asked, used and paid) or transfers (every movement of money).
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub what: What,
    /// From here on: `7d`, `24h` or a day such as `2026-11-01`; without it, all.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::since_ms)]
    pub since: Option<i64>,
    /// Until here: an age, or a day, which is included.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::until_ms)]
    pub until: Option<i64>,
    /// How to write it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ExportFormat,
    /// Into this file, which appears when it is whole; without it, to stdout.
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Replace the file.
    #[arg(long, requires = "file")]
    pub force: bool,
}

/// What is exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// Calls of models.
    #[default]
    Attempts,
    /// Movements of money, chained by hashes.
    Transfers,
}

/// `--format` of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// RFC 4180, with a line of names; cells that a spreadsheet would run are quoted with `'`.
    #[default]
    Csv,
    /// One JSON document.
    Json,
    /// One JSON object a line, then a terminal event.
    Ndjson,
}

/// Exports.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    context.error_form = match (args.format, &args.file) {
        (ExportFormat::Ndjson, None) => ErrorForm::Ndjson,
        // A document that was begun cannot be followed by another one.
        _ => ErrorForm::Notes,
    };
    crate::cli::stretch(args.since, args.until)?;
    let what = match args.what {
        What::Attempts => ExportWhat::Attempts,
        What::Transfers => ExportWhat::Transfers,
    };
    let mut sink = match &args.file {
        Some(path) => {
            let path = context.folder()?.join(path);
            Sink::file(&path, args.force, Hint::EXPORT_OVER)?
        }
        None => Sink::Stdout,
    };
    // What is written meanwhile belongs to the next export.
    let until_ms = args.until.unwrap_or(i64::MAX).min(now_ms());
    let mut writer = Writer::new(args.format, what);
    let (mut cursor, mut expected, mut rows) = (None, None, 0_u64);
    loop {
        let params = UsageExportParams {
            what,
            since_ms: args.since,
            until_ms: Some(until_ms),
            cursor,
            limit: Some(PAGE_MAX),
        };
        let page = daemon::call(
            context,
            Start::IfNeeded,
            "reading the books",
            |client: Client| async move { client.call::<UsageExport>(&params).await },
        )?;
        rows += (page.attempts.len() + page.transfers.len()) as u64;
        expected.get_or_insert(page.rows_total);
        sink.write(&writer.page(&page)?, context)?;
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    if expected.is_some_and(|expected| rows < expected) {
        return Err(Failure::new(
            Kind::Rpc(ErrorCode::StorageError),
            "The export is not whole",
            format!("{rows} rows came of {}", expected.unwrap_or_default()),
            Hint::VERIFY,
        ));
    }
    sink.write(&writer.end(rows), context)?;
    sink.finish(context)?;
    if let Some(path) = &args.file {
        let rows = count(rows, "row", "rows");
        context
            .notes
            .note(&format!("Wrote {rows} to {}", path.display()));
    }
    Ok(Exit::Ok)
}

const ATTEMPT_COLUMNS: [&str; 39] = [
    "attempt_id",
    "run_id",
    "n",
    "started_utc",
    "ended_utc",
    "provider",
    "model",
    "answered_by",
    "local",
    "state",
    "stop",
    "source",
    "inconsistent",
    "policy",
    "client",
    "token",
    "agent",
    "session_id",
    "cwd",
    "provider_req_id",
    "price_version_id",
    "hold_nano_usd",
    "amount_nano_usd",
    "amount_usd",
    "in_uncached",
    "in_cache_read",
    "in_cache_write_5m",
    "in_cache_write_1h",
    "out_text",
    "out_reasoning",
    "in_uncached_nano_usd",
    "in_cache_read_nano_usd",
    "in_cache_write_5m_nano_usd",
    "in_cache_write_1h_nano_usd",
    "out_text_nano_usd",
    "out_reasoning_nano_usd",
    "usage_json",
    "started_ms",
    "ended_ms",
];

const TRANSFER_COLUMNS: [&str; 14] = [
    "seq",
    "transfer_id",
    "kind",
    "pending_id",
    "debit",
    "credit",
    "unit",
    "amount",
    "attempt_id",
    "wall_ms",
    "boot_id",
    "mono_ns",
    "prev_hash",
    "hash",
];

const RESOURCES: [&str; 6] = [
    "in_uncached",
    "in_cache_read",
    "in_cache_write_5m",
    "in_cache_write_1h",
    "out_text",
    "out_reasoning",
];

/// Turns pages into text.
struct Writer {
    format: ExportFormat,
    what: ExportWhat,
    begun: bool,
}

impl Writer {
    const fn new(format: ExportFormat, what: ExportWhat) -> Self {
        Self {
            format,
            what,
            begun: false,
        }
    }

    fn page(&mut self, page: &UsageExportResponse) -> Result<String, Failure> {
        let first = !std::mem::replace(&mut self.begun, true);
        match self.format {
            ExportFormat::Csv => {
                let header: &[&str] = match self.what {
                    ExportWhat::Attempts => &ATTEMPT_COLUMNS,
                    ExportWhat::Transfers => &TRANSFER_COLUMNS,
                };
                let mut rows: Vec<Vec<String>> = Vec::new();
                if first {
                    rows.push(header.iter().map(|name| (*name).to_owned()).collect());
                }
                rows.extend(page.attempts.iter().map(attempt_cells));
                rows.extend(page.transfers.iter().map(transfer_cells));
                Ok(rows.iter().map(|row| csv_line(row)).collect())
            }
            ExportFormat::Json | ExportFormat::Ndjson => {
                let mut out = String::new();
                let list = self.format == ExportFormat::Json;
                if first && list {
                    out.push_str("{\"v\":1,\"rows\":[");
                }
                let mut lone = first;
                for value in values(page)? {
                    match (list, std::mem::replace(&mut lone, false)) {
                        (true, true) => out.push('\n'),
                        (true, false) => out.push_str(",\n"),
                        (false, _) => {}
                    }
                    out.push_str(&value);
                    if !list {
                        out.push('\n');
                    }
                }
                Ok(out)
            }
        }
    }

    fn end(&self, rows: u64) -> String {
        match self.format {
            ExportFormat::Csv => String::new(),
            ExportFormat::Json => format!("\n],\"rows_total\":{rows},\"complete\":true}}\n"),
            ExportFormat::Ndjson => {
                let end = json!({"v": 1, "type": "completed", "rows_total": rows});
                format!("{end}\n")
            }
        }
    }
}

/// Each row as one line of JSON.
fn values(page: &UsageExportResponse) -> Result<Vec<String>, Failure> {
    let failed = |error: serde_json::Error| Failure::output(&error.into());
    let mut lines = Vec::new();
    let mut push = |row: Result<serde_json::Value, serde_json::Error>, kind: &str| {
        let mut row = row.map_err(failed)?;
        row["v"] = 1.into();
        row["type"] = kind.into();
        lines.push(crate::output::escape::json(&row).map_err(failed)?);
        Ok::<_, Failure>(())
    };
    for row in &page.attempts {
        push(serde_json::to_value(row), "attempt")?;
    }
    for row in &page.transfers {
        push(serde_json::to_value(row), "transfer")?;
    }
    Ok(lines)
}

fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn utc(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

fn attempt_cells(row: &AttemptRow) -> Vec<String> {
    let mut cells = vec![
        row.attempt_id.to_string(),
        row.run_id.to_string(),
        row.n.to_string(),
        utc(row.started_ms),
        row.ended_ms.map(utc).unwrap_or_default(),
        text(&row.provider),
        text(&row.model),
        text(row.answered_by.as_deref().unwrap_or_default()),
        row.local.to_string(),
        row.state.clone(),
        text(row.stop.as_deref().unwrap_or_default()),
        row.source.clone().unwrap_or_default(),
        row.inconsistent.to_string(),
        row.policy.clone(),
        text(row.client.as_deref().unwrap_or_default()),
        text(row.token.as_deref().unwrap_or_default()),
        text(row.agent.as_deref().unwrap_or_default()),
        or_empty(row.session_id),
        text(row.cwd.as_deref().unwrap_or_default()),
        text(row.provider_req_id.as_deref().unwrap_or_default()),
        or_empty(row.price_version_id),
        row.hold_nano_usd.to_string(),
        or_empty(row.amount_nano_usd),
        row.amount_nano_usd
            .map(crate::money::decimal)
            .unwrap_or_default(),
    ];
    cells.extend(RESOURCES.map(|name| or_empty(row.usage.get(name))));
    cells.extend(RESOURCES.map(|name| or_empty(row.lines_nano_usd.get(name))));
    cells.push(serde_json::to_string(&row.usage).unwrap_or_default());
    cells.push(row.started_ms.to_string());
    cells.push(or_empty(row.ended_ms));
    cells
}

fn transfer_cells(row: &TransferRow) -> Vec<String> {
    vec![
        row.seq.to_string(),
        row.transfer_id.to_string(),
        row.kind.clone(),
        or_empty(row.pending_id),
        text(&row.debit),
        text(&row.credit),
        row.unit.clone(),
        row.amount.to_string(),
        or_empty(row.attempt_id),
        row.wall_ms.to_string(),
        row.boot_id.to_string(),
        row.mono_ns.to_string(),
        row.prev_hash.clone(),
        row.hash.clone(),
    ]
}

/// Text of others as a spreadsheet may have it: what it would take for a formula is quoted.
fn text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// One record of RFC 4180.
fn csv_line(cells: &[String]) -> String {
    let quoted = |cell: &String| {
        if cell.contains(['"', ',', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ') {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.clone()
        }
    };
    let cells: Vec<String> = cells.iter().map(quoted).collect();
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_defused() {
        let cells: Vec<String> = ["a", "b,c", "say \"x\"", "two\nlines", ""]
            .iter()
            .map(|cell| text(cell))
            .collect();
        assert_eq!(
            csv_line(&cells),
            "a,\"b,c\",\"say \"\"x\"\"\",\"two\nlines\",\r\n"
        );
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "＝1"] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        assert_eq!(text("plain=1"), "plain=1");
    }

    #[test]
    fn an_export_without_rows_is_whole() {
        let page = UsageExportResponse {
            attempts: Vec::new(),
            transfers: Vec::new(),
            cursor: None,
            rows_total: 0,
        };
        let mut json = Writer::new(ExportFormat::Json, ExportWhat::Attempts);
        let text = json.page(&page).expect("text") + &json.end(0);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["rows"].as_array().map(Vec::len), Some(0));
        assert_eq!(value["complete"], true);
        let mut csv = Writer::new(ExportFormat::Csv, ExportWhat::Transfers);
        let text = csv.page(&page).expect("text") + &csv.end(0);
        assert_eq!(text.lines().count(), 1);
    }
}
