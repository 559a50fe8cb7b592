//! A daemon that a test started by itself.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use rustix::process::Signal;

use super::{
    binaries,
    home::Home,
    process::{LIMIT, ended_within, signal},
};

/// A running daemon; killed when it is dropped.
pub struct Daemon {
    /// The process that was started: the daemon, or what runs it (strace).
    pub child: Child,
    /// The daemon's process id, as it wrote it into its lock file.
    pub pid: u32,
}

impl Daemon {
    /// As a client starts it: ready when this returns.
    pub fn start(home: &Home) -> Self {
        let mut command = home.command(binaries().join("convergiod"));
        command.args(["serve", "--spawned"]);
        Self::start_by(home, command)
    }

    /// By a command that ends up as `convergiod serve --spawned`.
    pub fn start_by(home: &Home, command: Command) -> Self {
        match Self::try_start_by(home, command) {
            Ok(daemon) => daemon,
            Err(said) => panic!("the daemon did not start: {said}"),
        }
    }

    /// By a command; what it said where it gave up.
    pub fn try_start_by(home: &Home, mut command: Command) -> Result<Self, String> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the daemon's command starts");
        let mut output = child.stdout.take().expect("a pipe");
        let (done, said) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = output.read_to_string(&mut text);
            let _ = done.send(text);
        });
        let said = said.recv_timeout(LIMIT);
        match said.as_deref().map(str::trim) {
            Ok("ready") => {
                // On a disk of its own, or a full one, its lock file does not tell.
                let pid = home.owner().unwrap_or_else(|| child.id());
                Ok(Self { child, pid })
            }
            other => {
                let said = other.unwrap_or("nothing in time").to_owned();
                let _ = child.kill();
                let _ = child.wait();
                Err(said)
            }
        }
    }

    /// `kill -9`, and waits for its end.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        signal(self.pid, Signal::KILL);
        ended_within(self.pid, LIMIT);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}
