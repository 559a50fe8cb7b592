//! `cv fix`

use std::path::Path;

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    finding::Finding,
    undo::{UndoFile, UndoPut, UndoPutParams},
};

use super::latest;
use crate::{
    context::Context,
    daemon::{self, Start},
    edit::{Place, sha256, suggestion},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    output::{escape, layout::Piece, paint::Role},
    render::words::place,
    wire,
};

/// Applies the remedy of finding N of the last review; shows the change first.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The findings' numbers.
    #[arg(value_name = "N", required = true, allow_negative_numbers = true, value_parser = crate::cli::finding_number)]
    pub numbers: Vec<u32>,
    /// Only show the change.
    #[arg(long)]
    pub dry_run: bool,
}

/// Shows and applies.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let (root, root_text) = latest::root(context)?;
    let findings = latest::findings(context, &root_text)?;
    for &n in &args.numbers {
        let finding = latest::numbered(&findings, n)?;
        fix(finding, &root, &root_text, args.dry_run, context)?;
    }
    Ok(Exit::Ok)
}

fn fix(
    finding: &Finding,
    root: &Path,
    root_text: &str,
    dry_run: bool,
    context: &mut Context,
) -> Result<(), Failure> {
    let Some(remedy) = &finding.suggestion else {
        return Err(Failure::new(
            Kind::NotFound,
            format!("Finding {} has no remedy to apply", finding.n),
            format!("{}: {}", place(finding), finding.title),
            Hint::BY_HAND,
        ));
    };
    if is_protected(&finding.path) {
        return Err(Failure::new(
            Kind::Conflict,
            format!("{} is not changed", finding.path),
            "no diff may write there: it decides what runs or what is allowed",
            Hint::NOT_OURS,
        ));
    }
    let gone = |failure: Failure| {
        let parent = root.join(&finding.path);
        match parent.parent() {
            Some(folder) if failure.kind == Kind::Io && !folder.exists() => {
                moved(finding, "the file is gone, and its folder with it")
            }
            _ => failure,
        }
    };
    let target = Place::under(root, Path::new(&finding.path), false).map_err(gone)?;
    let found = target
        .read()?
        .ok_or_else(|| moved(finding, "the file is gone"))?;
    let (after, _) = suggestion::apply(&found.bytes, remedy).map_err(|misfit| {
        moved(
            finding,
            match misfit {
                suggestion::Misfit::Gone => "the lines changed since the review",
                suggestion::Misfit::Ambiguous => {
                    "the lines moved since the review, and several places look the same"
                }
            },
        )
    })?;
    let diff = suggestion::unified(&finding.path, &found.bytes, &after);
    show_diff(&diff, context)?;
    if dry_run {
        context.notes.note("Nothing was changed (--dry-run).");
        return Ok(());
    }
    let params = UndoPutParams {
        undo_id: Uuid::now_v7(),
        label: format!("cv fix {}: {}", finding.n, finding.path),
        root: root_text.to_owned(),
        files: vec![UndoFile {
            path: target.text()?,
            before: Some(wire::blob(found.bytes.clone(), "The file")?),
            after_sha256: sha256(&after),
        }],
        silence: None,
        ended_silence: None,
    };
    put_undo(params, context)?;
    target.write(&after, Some(&found))?;
    done(
        &format!("Applied to {}", escape::line(&finding.path)),
        context,
    )
}

/// Places that a diff must not reach, whatever the case of their letters on a file system that
/// does not tell cases apart.
fn is_protected(path: &str) -> bool {
    path.split(['/', '\\']).any(|part| {
        [".git", ".mcp.json", ".convergio"]
            .iter()
            .any(|name| part.eq_ignore_ascii_case(name))
    })
}

fn moved(finding: &Finding, why: &str) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!("Finding {} no longer fits {}", finding.n, finding.path),
        why,
        Hint::REVIEW_AGAIN,
    )
}

/// A unified diff, coloured on a terminal, harmless.
fn show_diff(diff: &str, context: &mut Context) -> Result<(), Failure> {
    let color = context.answer.layout.color;
    for line in diff.lines() {
        let role = match line.as_bytes().first() {
            Some(b'+') => Role::Added,
            Some(b'-') => Role::Removed,
            Some(b'@') => Role::Dim,
            _ => Role::Plain,
        };
        // Tabs stay: they are content, and harmless.
        let shown: Vec<_> = line.split('\t').map(escape::line).collect();
        let text = role.paint(&shown.join("\t"), color);
        context.answer.line(&text)?;
    }
    context.answer.flush()
}

/// Stores the way back, before anything is written.
pub fn put_undo(params: UndoPutParams, context: &mut Context) -> Result<(), Failure> {
    daemon::call(
        context,
        Start::IfNeeded,
        "storing the way back",
        |client: Client| async move { client.call::<UndoPut>(&params).await },
    )
    .map(|_| ())
}

/// What was done, and the way back.
pub fn done(what: &str, context: &mut Context) -> Result<(), Failure> {
    let text = context.answer.layout.pieces(
        &[
            Piece::new("", what, Role::Good),
            Piece::new(" · ", "back: cv undo", Role::Plain),
        ],
        2,
    );
    context.answer.write(&text)?;
    context.answer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_over_others_is_protected() {
        for path in [
            ".git/config",
            "a/.GIT/hooks/x",
            ".convergio/review.toml",
            "b/.mcp.json",
        ] {
            assert!(is_protected(path), "{path}");
        }
        assert!(!is_protected("src/.gitignore"));
    }
}
