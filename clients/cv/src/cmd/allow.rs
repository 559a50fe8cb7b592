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

use super::{fix, latest};
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
    wire,
};

/// Silences finding N of the last review from now on, and writes down why.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The finding's number.
    #[arg(value_name = "N", allow_negative_numbers = true, value_parser = crate::cli::finding_number)]
    pub number: u32,
    /// Why it is no fault here.
    #[arg(value_name = "WHY")]
    pub reason: String,
}

/// Writes the silence to `.convergio/review.toml` and tells the daemon.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let reason = args.reason.trim().to_owned();
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
    let finding = latest::numbered(&findings, args.number)?;

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

fn unreadable(why: &str) -> Failure {
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
        format!("# Findings that are no faults here. They count from the base revision.\n\n{text}")
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
        assert!(with_silence("allow = 1", &finding, "x").is_err());
        assert!(with_silence("= broken", &finding, "x").is_err());
    }
}
