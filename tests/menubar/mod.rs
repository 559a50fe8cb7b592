//! The menu bar as a panel sees it: its properties and its menu on a private bus, with a watcher
//! of the test's own; and in a real panel.

mod alone;
mod comes_and_goes;
mod cost;
mod item;
mod panel;
mod shows;

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStderr, Command, Stdio},
};

use rustix::process::Signal;

use crate::{
    desktop::bus::Bus,
    harness::{
        binaries,
        home::Home,
        process::{LIMIT, ended_within, readable_within, signal},
    },
};

/// `cv-menubar` with this bus as the session's.
fn command(home: &Home, bus: &Bus, arguments: &[&str]) -> Command {
    let mut command = home.command(binaries().join("cv-menubar"));
    command
        .args(arguments)
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    command
}

/// A menu bar that runs; killed when it is dropped.
struct MenuBar {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl MenuBar {
    fn start(home: &Home, bus: &Bus) -> Self {
        Self::start_by(command(home, bus, &[]))
    }

    fn start_by(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the menu bar starts");
        let said = child.stderr.take().expect("a pipe");
        Self {
            child,
            said: BufReader::new(said),
        }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line on stderr.
    fn line(&mut self) -> String {
        if self.said.buffer().is_empty() {
            assert!(readable_within(self.said.get_ref(), LIMIT), "it is silent");
        }
        let mut line = String::new();
        self.said.read_line(&mut line).expect("text");
        line
    }

    /// Its exit code, when it has ended by itself.
    fn code(&mut self) -> Option<i32> {
        assert!(ended_within(self.pid(), LIMIT), "it goes on");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for MenuBar {
    fn drop(&mut self) {
        signal(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}
