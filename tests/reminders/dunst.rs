//! dunst, whose menu is a script that chooses what the test wants.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use super::{Program, Session, reminder_where};
use crate::{desktop::bus::Bus, harness::wire::Wire};

const DUNST: (&str, &str, &str) = (
    "org.freedesktop.Notifications",
    "/org/freedesktop/Notifications",
    "org.dunstproject.cmd0",
);

fn start(session: &Session) -> Program {
    let folder = session.home.folder("dunst");
    let menu = folder.join("menu");
    // Chooses the line that ends with what stands in `choice`, among those that it is offered.
    let script = "#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit\ncat > offered\n\
                  choice=$(cat choice)\n\
                  while IFS= read -r line || [ -n \"$line\" ]; do\n\
                  case $line in *\",$choice]\") printf '%s\\n' \"$line\";; esac\n\
                  done < offered\n";
    fs::write(&menu, script).expect("a script");
    fs::set_permissions(&menu, fs::Permissions::from_mode(0o700)).expect("it can be run");
    let settings = folder.join("dunstrc");
    let text = format!(
        "[global]\n dmenu = {}\n idle_threshold = 0\n markup = full\n width = 500\n font = Sans 14\n",
        menu.display()
    );
    fs::write(&settings, text).expect("settings");
    let mut command = session.command("dunst");
    command.arg("-conf").arg(&settings);
    let dunst = Program::start(command);
    session.bus.has_name(DUNST.0);
    dunst
}

/// Chooses an action of the one notification that dunst shows by its key, until the reminder is
/// answered so.
fn choose(session: &Session, wire: &mut Wire, reminder: &Value, verb: &str, state: &str) {
    const TRIES: usize = 10;
    const LOOKS: usize = 1_000;
    shows(session, 1);
    let folder = session.home.folder("dunst");
    fs::write(folder.join("choice"), key(reminder, verb)).expect("a choice");
    for _ in 0..TRIES {
        let called: Result<(), _> = session.bus.call(DUNST, "ContextMenuCall", &());
        called.expect("dunst answers");
        for _ in 0..LOOKS {
            let number = reminder["number"].to_string();
            let task = wire.result("task.get", json!({"task": number}));
            let told = task["occurrences"].as_array().expect("reminders");
            let ours = |one: &&Value| one["occurrence_id"] == reminder["occurrence_id"];
            if told.iter().find(ours).expect("the reminder")["state"] == state {
                return;
            }
        }
    }
    panic!("{verb} was chosen and not heard: {}", offered(session));
}

/// What the menu was offered last.
fn offered(session: &Session) -> String {
    let offered = session.home.folder("dunst").join("offered");
    fs::read_to_string(offered).unwrap_or_default()
}

fn displayed(session: &Session) -> u32 {
    let properties = (DUNST.0, DUNST.1, "org.freedesktop.DBus.Properties");
    let length: zbus::zvariant::OwnedValue = session
        .bus
        .call(properties, "Get", &(DUNST.2, "displayedLength"))
        .expect("dunst answers");
    length.try_into().expect("a number")
}

fn is_taken(bus: &Bus) -> bool {
    let broker = "org.freedesktop.DBus";
    let taken = bus.call(
        (broker, "/org/freedesktop/DBus", broker),
        "NameHasOwner",
        &DUNST.0,
    );
    taken.expect("the bus answers")
}

/// Waits until so many are on the screen: what dunst took it has yet to draw.
fn shows(session: &Session, count: u32) {
    session
        .bus
        .until(|_| displayed(session), |now| *now == count);
}

fn key(reminder: &Value, verb: &str) -> String {
    let id = reminder["occurrence_id"].as_str().expect("an id");
    match verb {
        "default" => verb.to_owned(),
        "snooze" => format!("snooze:{id}:600"),
        verb => format!("{verb}:{id}"),
    }
}

#[test]
fn dunst_shows_a_reminder_and_every_button_answers_it() {
    let Some(session) = Session::start("reminders on dunst", &["dunst"]) else {
        return;
    };
    let _dunst = start(&session);
    let _daemon = session.daemon();
    let mut wire = Wire::open(&session.home);
    for (verb, state) in [
        ("done", "done"),
        ("snooze", "snoozed"),
        ("open", "seen"),
        ("default", "seen"),
    ] {
        let title = format!("{verb} <b>\"Mario\"</b> & -rf [0,{verb}]");
        let reminder = session.remind(&mut wire, &title);
        if verb == "done" {
            shows(&session, 1);
            let path = session
                .screen
                .picture(session.command("import"), "reminder-dunst");
            eprintln!("a picture: {}", path.display());
        }
        choose(&session, &mut wire, &reminder, verb, state);
        assert!(offered(&session).contains(&title), "{}", offered(&session));
        let task = wire.result("task.get", json!({"task": reminder["number"].to_string()}));
        let task = &task["task"];
        match verb {
            "done" => assert_eq!(task["state"], "done", "{task}"),
            "snooze" => {
                let minutes = task["snoozed_until_ms"].as_i64().expect("snoozed") / 60_000;
                let shown = reminder["fired_ms"].as_i64().expect("fired") / 60_000;
                assert!((10..=11).contains(&(minutes - shown)), "{task}");
                assert_eq!(task["due"]["at_ms"], reminder["due_ms"], "due stays");
            }
            _ => assert_eq!(task["state"], "open", "{task}"),
        }
        // Details that were opened would go by themselves, later.
        if state == "seen" {
            shows(&session, 1);
        }
        let closed: Result<(), _> = session.bus.call(DUNST, "NotificationCloseAll", &());
        closed.expect("dunst answers");
        shows(&session, 0);
    }
}

#[test]
fn a_button_of_dunst_works_after_daemon_and_server_were_started_anew() {
    let Some(session) = Session::start("restarts around dunst", &["dunst"]) else {
        return;
    };
    let dunst = start(&session);
    let daemon = session.daemon();
    let mut wire = Wire::open(&session.home);
    let reminder = session.remind(&mut wire, "call Mario");
    shows(&session, 1);
    // A daemon that was killed.
    daemon.kill();
    let _daemon = session.daemon();
    let mut wire = Wire::open(&session.home);
    let topics = json!({"topics": ["task.due"]});
    wire.result("events.subscribe", topics);
    // It shows it again in its place: dunst tells what is pressed to whoever did so last.
    reminder_where(&mut wire, |now| {
        now["occurrence_id"] == reminder["occurrence_id"] && now["state"] == "shown"
    });
    assert_eq!(displayed(&session), 1, "the same server shows it once");
    choose(&session, &mut wire, &reminder, "done", "done");
    let reminder = session.remind(&mut wire, "call Ada");
    shows(&session, 1);
    // A server that was killed: the next one shows it, as what it was.
    drop(dunst);
    // One that finds the name taken gives up.
    session.bus.until(is_taken, |taken| !taken);
    let _dunst = start(&session);
    reminder_where(&mut wire, |now| {
        now["occurrence_id"] == reminder["occurrence_id"] && now["state"] == "shown"
    });
    choose(&session, &mut wire, &reminder, "done", "done");
    assert!(offered(&session).contains("call Ada"));
}

#[test]
fn what_is_done_elsewhere_leaves_the_screen() {
    let Some(session) = Session::start("a task that is done elsewhere", &["dunst"]) else {
        return;
    };
    let _dunst = start(&session);
    let _daemon = session.daemon();
    let mut wire = Wire::open(&session.home);
    let reminder = session.remind(&mut wire, "call Mario");
    shows(&session, 1);
    wire.result(
        "task.complete",
        json!({"task": reminder["number"].to_string()}),
    );
    shows(&session, 0);
}

#[test]
fn the_test_says_which_path_works_and_why_not() {
    let Some(session) = Session::start("cv notify test", &["dunst"]) else {
        return;
    };
    let _daemon = session.daemon();
    let mut wire = Wire::open(&session.home);
    let said = wire.result("notify.test", json!({}));
    assert_eq!(
        (&said["shown"], &said["path"]),
        (&json!(false), &json!("none"))
    );
    let tried = said["tried"].to_string();
    assert!(tried.contains("no notification server runs"), "{said}");
    assert!(said["hint"].is_string(), "{said}");
    let dunst = start(&session);
    let said = wire.result("notify.test", json!({}));
    assert_eq!(
        (&said["shown"], &said["path"]),
        (&json!(true), &json!("dbus"))
    );
    assert!(
        said["server"].as_str().unwrap().starts_with("dunst "),
        "{said}"
    );
    assert_eq!(
        (&said["actions"], &said["do_not_disturb"]),
        (&json!(true), &json!(false))
    );
    assert!(said["hint"].is_null(), "{said}");
    let properties = (DUNST.0, DUNST.1, "org.freedesktop.DBus.Properties");
    let paused = zbus::zvariant::Value::from(true);
    let set: Result<(), _> = session
        .bus
        .call(properties, "Set", &(DUNST.2, "paused", paused));
    set.expect("dunst answers");
    let said = wire.result("notify.test", json!({}));
    assert_eq!(
        (&said["shown"], &said["do_not_disturb"]),
        (&json!(true), &json!(true))
    );
    drop(dunst);
}
