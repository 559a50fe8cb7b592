//! Reminders on real notification servers, on a screen of the test's own.

mod dunst;
mod screen;
mod xfce;

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::{
    desktop::bus::{Bus, has_bus},
    harness::{
        binaries,
        daemon::Daemon,
        home::Home,
        skip,
        wire::{Wire, new_id},
    },
};
use screen::Screen;

/// A program of the test's own; killed when it is dropped.
struct Program(Child);

impl Program {
    fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A home with a session: a bus and a screen.
struct Session {
    bus: Bus,
    screen: Screen,
    home: Home,
}

impl Session {
    /// `None`, said loudly, where this machine lacks something.
    fn start(what: &str, programs: &[&str]) -> Option<Self> {
        if !has_bus(what) {
            return None;
        }
        for program in ["Xvfb", "import"].iter().chain(programs) {
            if !std::path::Path::new(program).is_file() && !skip::has_program(program) {
                skip::loudly(what, program);
                return None;
            }
        }
        let home = Home::new();
        Some(Self {
            bus: Bus::start(&home, "bus"),
            screen: Screen::start(&home),
            home,
        })
    }

    /// A command in this session.
    fn command(&self, program: &str) -> Command {
        let mut command = self.home.command(program);
        command
            .env("DISPLAY", self.screen.display())
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus.address());
        command
    }

    fn daemon(&self) -> Daemon {
        let mut command = self.command(&binaries().join("convergiod").display().to_string());
        command.args(["serve", "--spawned"]);
        Daemon::start_by(&self.home, command)
    }

    /// Writes a task down that is due at once, and waits until it is shown; the reminder.
    fn remind(&self, wire: &mut Wire, title: &str) -> Value {
        let heard = wire.result("events.subscribe", json!({"topics": ["task.due"]}));
        assert_eq!(heard["topics"], json!(["task.due"]));
        let params = json!({
            "task_id": new_id(),
            "fields": {"title": title, "when": "in 1 second", "notes": "The <b>key</b> is his."},
            "locale": {"languages": ["en"]},
        });
        let created = wire.result("task.create", params);
        assert_eq!(created["outcome"], "created", "{created}");
        reminder_where(wire, |reminder| {
            reminder["title"] == title && reminder["state"] == "shown"
        })
    }
}

/// The next reminder that is told and fits.
fn reminder_where(wire: &mut Wire, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let mut line = wire.line();
        if line["method"] == "events.notification" && fits(&line["params"]["occurrence"]) {
            return line["params"]["occurrence"].take();
        }
    }
}

/// Waits until this reminder is answered so.
fn answered(wire: &mut Wire, reminder: &Value, state: &str) {
    reminder_where(wire, |now| {
        now["occurrence_id"] == reminder["occurrence_id"] && now["state"] == state
    });
}
