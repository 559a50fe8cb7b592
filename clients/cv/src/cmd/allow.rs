//! `cv allow`

use std::path::Path;

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    finding::Finding,
    review::{ReviewAllow, ReviewAllowParams},
    undo::{UndoFile, UndoPutParams, UndoSilence},
};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::{fix, latest, silences};
use crate::{
    context::Context,
    daemon::{self, Start},
    edit::{Place, sha256},
    error::{Failure, Kind},
    exit::Exit,
    git::selection::SILENCES_PATH,
    hint::Hint,
    output::escape,
    render::words::place,
    table::Format,
    wire,
};

/// Silences finding N of the last review from now on, and writes down why.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The finding's number.
    #[arg(
        value_name = "N",
        required_unless_present_any = ["list", "remove"],
        allow_negative_numbers = true,
        value_parser = crate::cli::finding_number
    )]
    pub number: Option<u32>,
    /// Why it is no fault here.
    #[arg(value_name = "WHY", required_unless_present_any = ["list", "remove"])]
    pub reason: Option<String>,
    /// Show what is silenced here, newest first.
    #[arg(long, conflicts_with_all = ["number", "reason", "remove"])]
    pub list: bool,
    /// End the silence whose fingerprint starts so.
    #[arg(long, value_name = "FINGERPRINT", conflicts_with_all = ["number", "reason"])]
    pub remove: Option<String>,
    /// How to print the list.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Silences, lists silences or ends one.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    if args.list {
        return silences::list(args.format, context);
    }
    if let Some(prefix) = &args.remove {
        return silences::remove(prefix, context);
    }
    // Without the other two the command line asks for both.
    allow(
        args.number.unwrap_or_default(),
        &args.reason.unwrap_or_default(),
        context,
    )
}

/// Writes the silence to `.convergio/review.toml` and tells the daemon.
fn allow(number: u32, reason: &str, context: &mut Context) -> Result<Exit, Failure> {
    let reason = reason.trim().to_owned();
    if reason.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "A silence needs its reason",
            "the text after the number is empty",
            Hint::ALLOW,
        ));
    }
    let (root, root_text) = latest::root(context)?;
    let findings = latest::findings(context, &root_text)?;
    let finding = latest::numbered(&findings, number)?;

    let target = Place::under(&root, Path::new(SILENCES_PATH), true)?;
    let found = target.read()?;
    let before = match &found {
        Some(found) => {
            std::str::from_utf8(&found.bytes).map_err(|error| unreadable(&error.to_string()))?
        }
        None => "",
    };
    let after = with_silence(before, finding, &reason)?;
    let params = UndoPutParams {
        undo_id: Uuid::now_v7(),
        label: format!("cv allow {}: {}", finding.n, place(finding)),
        root: root_text.clone(),
        files: vec![UndoFile {
            path: target.text()?,
            before: found
                .as_ref()
                .map(|found| wire::blob(found.bytes.clone(), "The file of silences"))
                .transpose()?,
            after_sha256: sha256(after.as_bytes()),
        }],
        silence: Some(UndoSilence {
            root: root_text.clone(),
            fingerprint: finding.fingerprint.clone(),
        }),
        ended_silence: None,
    };
    fix::put_undo(params, context)?;
    target.write(after.as_bytes(), found.as_ref())?;
    let params = ReviewAllowParams {
        root: root_text,
        fingerprint: finding.fingerprint.clone(),
        rule: finding.rule.clone(),
        reason,
    };
    daemon::call(
        context,
        Start::IfNeeded,
        "recording the silence",
        |client: Client| async move { client.call::<ReviewAllow>(&params).await },
    )?;
    fix::done(
        &format!(
            "Silenced {} {} in {SILENCES_PATH}",
            place(finding),
            escape::line(&finding.rule)
        ),
        context,
    )?;
    Ok(Exit::Ok)
}

/// How a file of silences that we make begins.
const HEADING: &str = "# Findings that are no faults here. They count from the base revision.\n";

/// What a file of silences without one of them is, and how often that stood in it; everything
/// else in it stays as it is. The file never becomes empty: undoing compares what it holds.
pub fn without_silence(before: &str, fingerprint: &str) -> Result<(String, usize), Failure> {
    let mut document: DocumentMut = before
        .parse()
        .map_err(|error: toml_edit::TomlError| unreadable(error.message()))?;
    let Some(allows) = document
        .get_mut("allow")
        .and_then(Item::as_array_of_tables_mut)
    else {
        return Ok((before.to_owned(), 0));
    };
    let all = allows.len();
    allows.retain(|allow| allow.get("fingerprint").and_then(Item::as_str) != Some(fingerprint));
    let removed = all - allows.len();
    if allows.is_empty() {
        document.remove("allow");
    }
    let mut text = document.to_string();
    if before.starts_with(HEADING) && !text.starts_with(HEADING) {
        // It stood in front of the entry that is gone.
        text = format!("{HEADING}\n{}", text.trim_start_matches('\n'));
    }
    Ok((text, removed))
}

/// The fingerprints in a file of silences, with their rules and reasons.
pub fn silences_in(text: &str) -> Result<Vec<[String; 3]>, Failure> {
    let document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| unreadable(error.message()))?;
    let allows = document.get("allow").and_then(Item::as_array_of_tables);
    let field = |allow: &Table, name: &str| {
        let text = allow.get(name).and_then(Item::as_str);
        text.unwrap_or_default().to_owned()
    };
    Ok(allows
        .into_iter()
        .flatten()
        .map(|allow| ["fingerprint", "rule", "reason"].map(|name| field(allow, name)))
        .filter(|[fingerprint, ..]| !fingerprint.is_empty())
        .collect())
}

/// That the file of silences is not what it should be.
pub fn unreadable(why: &str) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!("{SILENCES_PATH} cannot be read"),
        why.lines().next().unwrap_or(why),
        Hint::NOT_OURS,
    )
}

/// The file with one silence more; everything else in it stays as it is.
fn with_silence(before: &str, finding: &Finding, reason: &str) -> Result<String, Failure> {
    let mut document: DocumentMut = before
        .parse()
        .map_err(|error: toml_edit::TomlError| unreadable(error.message()))?;
    let allows = document
        .entry("allow")
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or_else(|| unreadable("`allow` is not a list of tables"))?;
    let known = allows.iter().any(|allow| {
        allow.get("fingerprint").and_then(Item::as_str) == Some(finding.fingerprint.as_str())
    });
    if !known {
        let mut table = Table::new();
        table.insert("fingerprint", value(finding.fingerprint.as_str()));
        table.insert("rule", value(finding.rule.as_str()));
        table.insert("path", value(glob_of(&finding.path)));
        table.insert("reason", value(reason));
        allows.push(table);
    }
    let text = document.to_string();
    Ok(if before.trim().is_empty() {
        format!("{HEADING}\n{text}")
    } else {
        text
    })
}

/// A path as a pattern that means only itself; a `/` in front of a bare name would change it.
fn glob_of(path: &str) -> String {
    path.chars()
        .map(|c| {
            if matches!(c, '*' | '?' | '[' | ']' | '{' | '}') {
                '?'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn a_silence_is_added_once_and_the_rest_stays() {
        let finding = samples::swallowed();
        let first = with_silence("", &finding, "it \"is\" fine").expect("parses");
        assert!(first.starts_with("# Findings"), "{first}");
        assert!(first.contains("[[allow]]\nfingerprint = \"bbb"), "{first}");
        assert!(first.contains("path = \"pay/client.py\""));
        assert_eq!(
            with_silence(&first, &finding, "again").expect("parses"),
            first
        );

        let other = "# mine\n[rules]\ndebug = \"off\" # loud\n";
        let both = with_silence(other, &finding, "fine").expect("parses");
        assert!(both.starts_with(other), "{both}");
        let (back, removed) = without_silence(&both, &finding.fingerprint).expect("parses");
        assert_eq!((back.as_str(), removed), (other, 1));
        let (back, removed) = without_silence(&first, &finding.fingerprint).expect("parses");
        assert_eq!((back, removed), (format!("{HEADING}\n"), 1));
        let (same, removed) = without_silence(&both, "ccc").expect("parses");
        assert_eq!((same, removed), (both, 0));
        assert!(with_silence("allow = 1", &finding, "x").is_err());
        assert!(with_silence("= broken", &finding, "x").is_err());
    }
}
