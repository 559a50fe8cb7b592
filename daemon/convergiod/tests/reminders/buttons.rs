//! What somebody answers, whoever was started anew in between.

use crate::{
    desk::{Bus, Server},
    house::{HOUR, House, MINUTE, NINE, said, task},
};

/// Who is started anew between showing and pressing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anew {
    Nobody,
    Daemon,
    Server,
    Both,
}

#[test]
fn every_button_works_whoever_was_started_anew() {
    let Some(bus) = Bus::start("buttons") else {
        return;
    };
    for anew in [Anew::Nobody, Anew::Daemon, Anew::Server, Anew::Both] {
        for (verb, state) in [
            ("done", "done"),
            ("snooze", "snoozed"),
            ("open", "seen"),
            ("default", "seen"),
        ] {
            let house = House::new();
            let mut mario = task("call Mario", NINE);
            mario.notes = "He has <b>the</b> key".to_owned();
            house.put(&[mario], NINE - HOUR);
            let mut server = Server::start(&bus);
            let mut daemon = house.boot(Some(bus.address()));
            let mut note = server.notes(1).remove(0);
            house.all(1, "shown");
            if matches!(anew, Anew::Daemon | Anew::Both) {
                drop(daemon);
                daemon = house.boot(Some(bus.address()));
                // A server tells what is pressed to whoever showed it last.
                assert_eq!(server.notes(2)[1].id, note.id);
            }
            if matches!(anew, Anew::Server | Anew::Both) {
                drop(server);
                server = Server::start(&bus);
                note = server.notes(1).remove(0);
                house.wait(|rows| rows[0].state == "shown");
            }
            let shown = server.so_far().len();
            server.press(note.id, &note.key(verb));
            let when = format!("{verb} after {anew:?}");
            let row = house.wait(|rows| rows[0].state == state).remove(0);
            assert_eq!(row.id, note.occurrence, "{when}");
            match verb {
                "snooze" => {
                    // Again in ten minutes, as another reminder for the same time.
                    house.set_clock(NINE + 10 * MINUTE);
                    daemon.look_at_the_clock();
                    let again = server.notes(shown + 1).remove(shown);
                    assert_ne!(again.occurrence, note.occurrence, "{when}");
                    assert_eq!(again.body, format!("#1 · {}", said(NINE)), "{when}");
                }
                "open" | "default" => {
                    let details = server.notes(shown + 1).remove(shown);
                    assert_eq!(details.title, "call Mario", "{when}");
                    let body = "He has &lt;b&gt;the&lt;/b&gt; key\ncv task show 1";
                    assert_eq!(details.body, body, "{when}");
                    assert!(details.actions.is_empty(), "{when}");
                }
                _ => {
                    // Nothing more of it, however late it gets.
                    house.set_clock(NINE + HOUR);
                    daemon.look_at_the_clock();
                    drop(daemon);
                    assert_eq!(server.so_far().len(), shown, "{when}");
                }
            }
        }
    }
}

#[test]
fn closed_by_hand_is_answered_and_gone_by_itself_waits() {
    let Some(bus) = Bus::start("closing") else {
        return;
    };
    let house = House::new();
    house.put(&[task("a", NINE), task("b", NINE)], NINE - HOUR);
    let server = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    let notes = server.notes(2);
    house.all(2, "shown");
    server.expire(notes[0].id);
    server.dismiss(notes[1].id);
    let rows = house.wait(|rows| rows.iter().any(|row| row.state == "dismissed"));
    let state = |id: &str| rows.iter().find(|row| row.id == id).unwrap().state.clone();
    assert_eq!(state(&notes[0].occurrence), "shown");
    assert_eq!(state(&notes[1].occurrence), "dismissed");
    drop(daemon);
}

#[test]
fn keys_of_others_and_strange_ids_do_nothing() {
    let Some(bus) = Bus::start("strange keys") else {
        return;
    };
    let house = House::new();
    house.put(&[task("a", NINE), task("b", NINE)], NINE - HOUR);
    let server = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    let notes = server.notes(2);
    house.all(2, "shown");
    for key in [
        "done",
        "rm -rf",
        "done:00000000-0000-7000-8000-000000000000",
        "snooze:x:600",
    ] {
        server.press(4_000, key);
    }
    // What comes behind them has overtaken none of them.
    server.press(notes[0].id, &notes[0].key("done"));
    let rows = house.wait(|rows| rows.iter().any(|row| row.state == "done"));
    let done: Vec<&str> = rows
        .iter()
        .filter(|row| row.state == "done")
        .map(|row| row.id.as_str())
        .collect();
    assert_eq!(done, [notes[0].occurrence.as_str()]);
    assert_eq!(rows.iter().filter(|row| row.state == "shown").count(), 1);
    drop(daemon);
}
