//! One git process: bounded output, no hooks, filters, fsmonitor, external diff, textconv, ssh,
//! pager, prompts or network.

use std::{
    ffi::OsStr,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    error::{Failure, Kind, describe},
    hint::Hint,
};

/// The longest message of git that is kept.
const MESSAGE_MAX_BYTES: u64 = 16 * 1024;

/// What a git process said.
#[derive(Debug)]
pub struct Output {
    /// It ended with 0.
    pub ok: bool,
    /// Its stdout, at most the bound that was given.
    pub stdout: Vec<u8>,
    /// Its stderr.
    pub message: String,
    /// There was more than the bound; the process was ended.
    pub cut: bool,
}

/// git in one folder.
#[derive(Clone, Debug)]
pub struct Git {
    folder: PathBuf,
    /// Settings as (key, value), passed through the environment, where a hostile name cannot be
    /// mistaken for its value.
    settings: Vec<(String, String)>,
    /// The tree whose attributes count: the base, never what the change itself says.
    attributes: Option<String>,
}

impl Git {
    /// git in a folder, before the repository's filters are known.
    pub fn new(folder: &Path) -> Self {
        let fixed = [
            ("core.fsmonitor", "false"),
            ("core.hooksPath", "/dev/null"),
            ("core.quotePath", "false"),
            ("core.pager", "cat"),
            ("core.sshCommand", "false"),
            ("diff.external", ""),
            ("diff.orderFile", "/dev/null"),
            ("diff.ignoreSubmodules", "dirty"),
            ("submodule.recurse", "false"),
        ];
        Self {
            folder: folder.to_owned(),
            settings: fixed
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            attributes: None,
        }
    }

    /// The same in another folder.
    #[must_use]
    pub fn at(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// Lets git answer where the user's hooks are. For questions only: nothing that runs a hook.
    #[must_use]
    pub fn with_the_users_hooks(mut self) -> Self {
        self.settings.retain(|(key, _)| key != "core.hooksPath");
        self
    }

    /// Takes attributes from a tree instead of the working tree.
    #[must_use]
    pub fn with_attributes_of(mut self, tree: Option<String>) -> Self {
        self.attributes = tree;
        self
    }

    /// Switches off every filter driver that any configuration file defines.
    pub fn without_filters(mut self) -> Result<Self, Failure> {
        let found = self.run(
            [
                "config",
                "--null",
                "--name-only",
                "--get-regexp",
                r"^filter\..*\.",
            ],
            1024 * 1024,
        )?;
        if found.cut {
            return Err(Failure::new(
                Kind::TooLarge,
                "git's configuration defines too many filters",
                "their list is longer than 1 MiB",
                Hint::PIPE_A_DIFF,
            ));
        }
        let mut drivers: Vec<String> = found
            .stdout
            .split(|&byte| byte == 0)
            .filter_map(|key| std::str::from_utf8(key).ok())
            .filter_map(|key| Some(key.strip_prefix("filter.")?.rsplit_once('.')?.0.to_owned()))
            .collect();
        drivers.sort();
        drivers.dedup();
        for driver in drivers {
            for (key, value) in [
                ("clean", ""),
                ("smudge", ""),
                ("process", ""),
                ("required", "false"),
            ] {
                self.settings
                    .push((format!("filter.{driver}.{key}"), value.to_owned()));
            }
        }
        Ok(self)
    }

    /// The process, not started.
    pub fn command<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new("git");
        command.arg("--no-pager").arg("-C").arg(&self.folder);
        command.args(args);
        // Settings that the caller's environment already carries (a hook's, a test's) stay, ours
        // come behind them and win.
        let base: usize = std::env::var("GIT_CONFIG_COUNT")
            .ok()
            .and_then(|count| count.parse().ok())
            .unwrap_or(0);
        for (i, (key, value)) in self.settings.iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{}", base + i), key)
                .env(format!("GIT_CONFIG_VALUE_{}", base + i), value);
        }
        command
            .env("GIT_CONFIG_COUNT", (base + self.settings.len()).to_string())
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("GIT_SSH_COMMAND", "false")
            .env("GIT_ASKPASS", "false")
            .env("LC_ALL", "C")
            .env_remove("GIT_EXTERNAL_DIFF")
            .env_remove("GIT_DIFF_OPTS")
            .env_remove("GIT_TRACE");
        match &self.attributes {
            Some(tree) => command.env("GIT_ATTR_SOURCE", tree),
            None => command.env_remove("GIT_ATTR_SOURCE"),
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs git; its own failure is in the output, not an error.
    pub fn run<I, S>(&self, args: I, max_bytes: usize) -> Result<Output, Failure>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let failed = |error: &std::io::Error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                Failure::new(
                    Kind::Git,
                    "git is not there",
                    "no program `git` on PATH",
                    Hint::INSTALL_GIT,
                )
            } else {
                Failure::new(
                    Kind::Git,
                    "git could not be run",
                    describe(error),
                    Hint::INSTALL_GIT,
                )
            }
        };
        let mut child = self.command(args).spawn().map_err(|error| failed(&error))?;
        let stderr = child.stderr.take();
        let stdout = child.stdout.take();
        let mut bytes = Vec::new();
        let mut cut = false;
        let message = std::thread::scope(|scope| -> std::io::Result<Vec<u8>> {
            // Both pipes are read at once, so that neither can fill up and stop git.
            let reader = scope.spawn(|| {
                let mut message = Vec::new();
                if let Some(mut stderr) = stderr {
                    let _ = stderr
                        .by_ref()
                        .take(MESSAGE_MAX_BYTES)
                        .read_to_end(&mut message);
                    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
                }
                message
            });
            if let Some(stdout) = stdout {
                stdout.take(max_bytes as u64 + 1).read_to_end(&mut bytes)?;
                cut = bytes.len() > max_bytes;
                if cut {
                    bytes.truncate(max_bytes);
                    child.kill()?;
                }
            }
            Ok(reader.join().unwrap_or_default())
        })
        .map_err(|error| failed(&error))?;
        let status = child.wait().map_err(|error| failed(&error))?;
        Ok(Output {
            ok: status.success(),
            stdout: bytes,
            message: String::from_utf8_lossy(&message).into_owned(),
            cut,
        })
    }

    /// Runs git for one line of text; none where git fails.
    pub fn line<I, S>(&self, args: I) -> Result<Option<String>, Failure>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let output = self.run(args, 64 * 1024)?;
        let text = String::from_utf8(output.stdout).ok();
        Ok(text
            .filter(|_| output.ok && !output.cut)
            .map(|text| text.trim_end_matches('\n').to_owned()))
    }
}

/// A failure that git told in its own words.
pub fn refused(what: &str, output: &Output) -> Failure {
    let first = output
        .message
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("git gave no reason");
    let why = first
        .trim_start_matches("fatal: ")
        .trim_start_matches("error: ");
    let way_out = if output.message.contains("dubious ownership") {
        Hint::SAFE_DIRECTORY
    } else {
        Hint::PIPE_A_DIFF
    };
    Failure::new(Kind::Git, what, why, way_out)
}
