//! A command of the user's that prints a key.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::lookup::Missing;
use super::redactor::Registry;
use super::usable_bytes;

/// How long it may take.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
const STDOUT_MAX_BYTES: usize = 64 * 1024;
const STDERR_KEPT_BYTES: usize = 4 * 1024;
const STDERR_SHOWN_CHARS: usize = 200;

/// Kills a command with everything that it started, unless it has ended.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            // It may have ended a moment ago; then there is nothing to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs a line by `/bin/sh -c` and takes what it prints for a key. Its time is
/// the caller's to bound: dropping this kills it and what it started.
pub(super) async fn run(line: &str) -> Result<SecretString, Missing> {
    let failed = |why: String| Missing::Failed(why);
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(line)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| failed(format!("/bin/sh could not be started: {error}")))?;
    let mut group = Group(
        child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw),
    );
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(failed("its output could not be read".to_owned()));
    };
    let mut said = Vec::new();
    let ended = async {
        let printed = read_bounded(&mut stdout).await?;
        let status = child
            .wait()
            .await
            .map_err(|error| failed(format!("its end was not seen: {error}")))?;
        Ok((printed, status))
    };
    // Something that it left running may hold its stderr open: only what was
    // said until its end counts.
    let (printed, status) = tokio::select! {
        biased;
        never = drain(&mut stderr, &mut said) => match never {},
        ended = ended => ended?,
    };
    group.0 = None;
    if !status.success() {
        return Err(failed(explain(status, &printed, &said)));
    }
    usable_bytes(&printed)
}

async fn read_bounded(
    stdout: &mut (impl AsyncRead + Unpin),
) -> Result<Zeroizing<Vec<u8>>, Missing> {
    // Room for all from the start: a buffer that grows leaves copies behind.
    let mut printed = Zeroizing::new(Vec::with_capacity(STDOUT_MAX_BYTES + 1));
    let read = stdout
        .take(STDOUT_MAX_BYTES as u64 + 1)
        .read_to_end(&mut printed)
        .await;
    match read {
        Ok(_) if printed.len() > STDOUT_MAX_BYTES => {
            Err(Missing::Failed("it printed more than 64 KiB".to_owned()))
        }
        Ok(_) => Ok(printed),
        Err(error) => Err(Missing::Failed(format!(
            "its output could not be read: {error}"
        ))),
    }
}

/// Keeps the end of what is said, for ever.
async fn drain(
    stderr: &mut (impl AsyncRead + Unpin),
    said: &mut Vec<u8>,
) -> std::convert::Infallible {
    let mut buffer = [0; 1024];
    loop {
        match stderr.read(&mut buffer).await {
            Ok(0) | Err(_) => return std::future::pending().await,
            Ok(read) => {
                said.extend_from_slice(&buffer[..read]);
                let excess = said.len().saturating_sub(STDERR_KEPT_BYTES);
                said.drain(..excess);
            }
        }
    }
}

/// How it ended, with the last line of what it said; what it printed may be
/// the key, and is taken out of that.
fn explain(status: ExitStatus, printed: &[u8], said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let said = said.trim().lines().next_back().unwrap_or_default();
    let registry = Registry::default();
    let printed = String::from_utf8_lossy(printed);
    let words: Vec<_> = printed
        .split_whitespace()
        .map(|word| registry.know(&SecretString::from(word)))
        .collect();
    let shown: String = registry
        .redactor()
        .redact(said)
        .chars()
        .filter(|letter| !letter.is_control())
        .take(STDERR_SHOWN_CHARS)
        .collect();
    drop(words);
    let how = match status.code() {
        Some(code) => format!("it ended with {code}"),
        None => "it was killed".to_owned(),
    };
    if shown.is_empty() {
        how
    } else {
        format!("{how}: {shown}")
    }
}
