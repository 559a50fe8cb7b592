//! A screen that nobody sees.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::harness::{binaries, home::Home, process::run};

/// An X server with one screen in memory.
pub(super) struct Screen {
    server: Child,
    number: String,
}

impl Screen {
    /// On the first number that is free.
    pub(super) fn start(home: &Home) -> Self {
        let mut command = home.command("Xvfb");
        command
            .args([
                "-displayfd",
                "1",
                "-nolisten",
                "tcp",
                "-screen",
                "0",
                "900x600x24",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = command.spawn().expect("Xvfb starts");
        let mut number = String::new();
        let output = server.stdout.take().expect("a pipe");
        BufReader::new(output)
            .read_line(&mut number)
            .expect("a display");
        let number = number.trim().to_owned();
        assert!(!number.is_empty(), "Xvfb found no display");
        Self { server, number }
    }

    /// `DISPLAY`.
    pub(super) fn display(&self) -> String {
        format!(":{}", self.number)
    }

    /// Takes a picture into the target folder, to be looked at.
    pub(super) fn picture(&self, mut import: Command, name: &str) -> PathBuf {
        let path = binaries().join(format!("{name}.png"));
        import.args(["-window", "root"]).arg(&path);
        let ran = run(&mut import, b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        path
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
