//! A diff on stdin.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use convergio_contract::limits::DIFF_MAX_BYTES;

use crate::{
    error::Failure,
    git::{
        Git, Selected, advice,
        discover::{repository, top_level},
        selection::{SILENCES_MAX_BYTES, SILENCES_PATH, count_files},
    },
    hint::Hint,
    output::Notes,
    render::words::count,
    spinner, stdin, waiting,
};

/// How long stdin may be silent before a person is told what is waited for.
const SILENT_STDIN_MS: u64 = 3_000;

/// Reads the diff from stdin. The base is not known then, so silences count only where the diff
/// leaves their file alone: what HEAD says of it is what the base said.
pub async fn change(notes: &mut Notes, folder: PathBuf) -> Result<Selected, Failure> {
    let reading = waiting::on_thread(|| stdin::read_all(DIFF_MAX_BYTES));
    let message = "Waiting for a diff on stdin (--no-stdin reviews the repository)";
    let diff = if notes.animated {
        spinner::during(notes, message, reading).await?
    } else {
        let mut reading = std::pin::pin!(reading);
        let silent = Duration::from_millis(SILENT_STDIN_MS);
        match tokio::time::timeout(silent, &mut reading).await {
            Ok(diff) => diff?,
            Err(_) => {
                notes.note(message);
                reading.await?
            }
        }
    };
    let top = top_level(&folder);
    let mut change = Selected {
        header: format!(
            "{} in the diff on stdin",
            count(count_files(&diff), "file", "files")
        ),
        diff,
        root: top.clone().unwrap_or(folder),
        selection: "stdin".to_owned(),
        base_sha: None,
        base_silences: None,
        empty: (
            "Nothing to review: stdin was empty.".to_owned(),
            Hint::EMPTY_STDIN,
        ),
    };
    if change.diff.is_empty()
        && let Some(top) = top.clone()
    {
        let advice =
            move || repository(&top).map(|repository| advice::nothing_on_stdin(&repository));
        // Without git there is nothing that it could say of the repository.
        change.empty.1 = waiting::on_thread(advice)
            .await
            .unwrap_or(Hint::EMPTY_STDIN);
    }
    if let Some(top) = top
        && top.join(SILENCES_PATH).exists()
        && !touches_silences(&change.diff)
    {
        change.base_silences = waiting::on_thread(move || committed_silences(&top)).await?;
    }
    Ok(change)
}

/// Whether a header line of the diff names the file of silences, however its path is written.
fn touches_silences(diff: &[u8]) -> bool {
    let name = b"review.toml";
    diff.split(|&byte| byte == b'\n')
        .filter(|line| !matches!(line.first(), Some(b' ')))
        .any(|line| line.windows(name.len()).any(|window| window == name))
}

fn committed_silences(top: &Path) -> Result<Option<String>, Failure> {
    let object = format!("HEAD:{SILENCES_PATH}");
    let output = Git::new(top).run(["cat-file", "blob", &object], SILENCES_MAX_BYTES);
    // Without git, or before the first commit, nothing is silenced: more is shown, not less.
    Ok(output
        .ok()
        .filter(|output| output.ok && !output.cut)
        .and_then(|output| String::from_utf8(output.stdout).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_that_touches_the_silences_is_noticed() {
        assert!(touches_silences(b"--- a/x\n+++ b/.convergio/review.toml\n"));
        assert!(!touches_silences(b"--- a/x\n+++ b/x\n review.toml\n"));
    }
}
