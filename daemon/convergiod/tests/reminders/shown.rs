//! What is shown, to whom, and what is not.

use std::collections::BTreeSet;

use crate::{
    desk::{Bus, Server, Stops},
    house::{DAY, HOUR, House, MINUTE, NINE, SECOND, Task, said, task},
};

#[test]
fn a_reminder_is_shown_once_with_its_number_its_time_and_its_buttons() {
    let Some(bus) = Bus::start("a reminder on a screen") else {
        return;
    };
    let server = Server::start(&bus);
    let house = House::new();
    house.put(&[task("call Mario", NINE + 5 * SECOND)], NINE);
    let daemon = house.boot(Some(bus.address()));
    house.set_clock(NINE + 5 * SECOND);
    daemon.look_at_the_clock();
    let note = server.notes(1).remove(0);
    assert_eq!(note.title, "call Mario");
    assert_eq!(note.body, format!("#1 · {}", said(NINE + 5 * SECOND)));
    assert_eq!((note.urgency, note.expires, note.replaces), (1, 0, 0));
    let labels: Vec<&str> = note
        .actions
        .iter()
        .skip(1)
        .step_by(2)
        .map(String::as_str)
        .collect();
    assert_eq!(labels, ["", "Done", "Snooze 10 min", "Open"]);
    let row = house.all(1, "shown").remove(0);
    assert_eq!(
        (note.occurrence, note.stack),
        (row.id.clone(), format!("convergio-{}", row.id))
    );
    // Looked at again, it is nothing new. The next daemon says in its place who hears its buttons.
    daemon.look_at_the_clock();
    drop(daemon);
    assert_eq!(server.so_far().len(), 1);
    let daemon = house.boot(Some(bus.address()));
    let again = server.notes(2).remove(1);
    assert_eq!((again.replaces, again.id), (note.id, note.id));
    assert_eq!((again.title, again.body), (note.title, note.body));
    daemon.look_at_the_clock();
    drop(daemon);
    assert_eq!(server.so_far().len(), 2);
}

#[test]
fn text_of_people_is_text() {
    let Some(bus) = Bus::start("hostile titles on a screen") else {
        return;
    };
    let titles = [
        "<b>bold</b> & \"quoted\" 'too' <img src=x onerror=alert(1)>",
        "-rf --help",
        "turned \u{202e}gpj.exe",
        "%s %n $(reboot) `id` \\",
        "done:00000000-0000-0000-0000-000000000000",
    ];
    let house = House::new();
    let tasks: Vec<Task> = titles
        .iter()
        .map(|title| task(title, NINE + SECOND))
        .collect();
    house.put(&tasks, NINE);
    house.set_clock(NINE + SECOND);
    let server = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    let notes = server.notes(titles.len());
    for (number, title) in (1..).zip(titles) {
        let body = format!("#{number} · ");
        let note = notes
            .iter()
            .find(|note| note.body.starts_with(&body))
            .unwrap();
        assert_eq!(note.title, title.replace('\u{202e}', "\u{fffd}"));
    }
    drop(daemon);
}

#[test]
fn nobody_to_show_it_is_no_loss() {
    let Some(bus) = Bus::start("a server that comes later") else {
        return;
    };
    let house = House::new();
    house.put(
        &[task("call Mario", NINE), task("water", NINE + HOUR)],
        NINE - HOUR,
    );
    house.set_clock(NINE + 2 * MINUTE);
    // No bus at all: it is told to whoever comes to a terminal.
    let daemon = house.boot(None);
    house.all(1, "missed");
    drop(daemon);
    // A bus, and nobody on it.
    let daemon = house.boot(Some(bus.address()));
    daemon.look_at_the_clock();
    house.all(1, "missed");
    // A server comes: it is shown without anybody's doing.
    let server = Server::start(&bus);
    let note = server.notes(1).remove(0);
    assert_eq!(note.body, format!("#1 · {} · 2 min late", said(NINE)));
    assert_eq!(house.all(1, "shown")[0].id, note.occurrence);
    // The other one is to come.
    house.set_clock(NINE + HOUR);
    daemon.look_at_the_clock();
    assert_eq!(
        server.notes(2)[1].body,
        format!("#2 · {}", said(NINE + HOUR))
    );
    house.all(2, "shown");
    drop(daemon);
}

#[test]
fn a_server_that_refuses_or_hangs_holds_nobody_up() {
    let Some(bus) = Bus::start("servers that fail") else {
        return;
    };
    for stops in [Stops::Refusing, Stops::AtInformation] {
        let house = House::new();
        house.put(&[task("call Mario", NINE)], NINE - HOUR);
        let server = Server::with(&bus, stops, &["body"]);
        let daemon = house.boot(Some(bus.address()));
        house.all(1, "missed");
        drop(daemon);
        drop(server);
    }
}

#[test]
fn what_a_server_lost_is_shown_by_the_next_under_the_same_identity() {
    let Some(bus) = Bus::start("a server that is started anew") else {
        return;
    };
    let house = House::new();
    house.put(&[task("call Mario", NINE)], NINE - HOUR);
    let first = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    let before = first.notes(1).remove(0);
    house.all(1, "shown");
    drop(first);
    let second = Server::start(&bus);
    let after = second.notes(1).remove(0);
    assert_eq!(
        (&after.occurrence, &after.stack, &after.title, &after.body),
        (
            &before.occurrence,
            &before.stack,
            &before.title,
            &before.body
        )
    );
    assert_eq!(
        after.replaces, 0,
        "a number of another server's means nothing"
    );
    // A bus that went away with everything on it.
    drop(second);
    let bus = bus.restart();
    let third = Server::start(&bus);
    drop(daemon);
    let daemon = house.boot(Some(bus.address()));
    assert_eq!(third.notes(1)[0].occurrence, before.occurrence);
    drop(daemon);
}

#[test]
fn many_at_once_are_a_few_and_a_number() {
    let Some(bus) = Bus::start("many reminders at once") else {
        return;
    };
    let house = House::new();
    house.configure("[notifications]\nmax_per_hour = 5\n");
    let tasks: Vec<Task> = (0..40)
        .map(|at| task(&format!("task {at}"), NINE + at))
        .collect();
    house.put(&tasks, NINE - HOUR);
    house.set_clock(NINE + MINUTE);
    let server = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    let notes = server.notes(6);
    assert_eq!(notes[5].title, "35 more reminders");
    assert_eq!(
        (notes[5].body.as_str(), notes[5].actions.len()),
        ("cv inbox", 0)
    );
    let single: BTreeSet<&str> = notes[..5]
        .iter()
        .map(|note| note.occurrence.as_str())
        .collect();
    assert_eq!(single.len(), 5);
    house.all(40, "shown");
    // The next daemon shows the five in their places, and of the others none.
    drop(daemon);
    house.put(&[task("one more", NINE + 2 * MINUTE)], NINE + MINUTE);
    let daemon = house.boot(Some(bus.address()));
    house.set_clock(NINE + 2 * MINUTE);
    daemon.look_at_the_clock();
    let row = house.all(41, "shown").remove(40);
    drop(daemon);
    let notes = server.so_far();
    assert_eq!(notes.len(), 6 + 5 + 1, "{notes:#?}");
    assert!(notes[6..11].iter().all(|note| note.replaces > 0));
    assert_eq!((&notes[11].occurrence, notes[11].replaces), (&row.id, 0));
}

#[test]
fn in_quiet_hours_nothing_is_shown_but_what_somebody_let_pass() {
    let Some(bus) = Bus::start("quiet hours") else {
        return;
    };
    let house = House::new();
    // Wherever this runs, it is some time of day: a part of the day around it.
    let here = jiff::Timestamp::from_millisecond(NINE).unwrap();
    let here = jiff::tz::TimeZone::system().to_datetime(here);
    let hour = i32::from(here.hour());
    let around = |from: i32, until: i32| {
        let time = |hour: i32| format!("{:02}:{:02}", hour.rem_euclid(24), here.minute());
        format!(
            "quiet_hours = \"{}-{}\"",
            time(hour + from),
            time(hour + until)
        )
    };
    let quiet = around(-1, 1);
    house.configure(&format!("[notifications]\n{quiet}\ncritical = \"high\"\n"));
    let mut tasks = [task("later", NINE), task("now", NINE)];
    tasks[1].urgent = true;
    house.put(&tasks, NINE - HOUR);
    let server = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    let first = server.notes(1).remove(0);
    assert_eq!((first.title.as_str(), first.urgency), ("now", 2));
    house.wait(|rows| {
        let states: BTreeSet<&str> = rows.iter().map(|row| row.state.as_str()).collect();
        states == BTreeSet::from(["shown", "missed"])
    });
    // They are over: what was held comes, late.
    house.set_clock(NINE + HOUR);
    daemon.look_at_the_clock();
    let second = server.notes(2).remove(1);
    assert_eq!((second.title.as_str(), second.urgency), ("later", 1));
    drop(daemon);
    // High alone passes nothing, unless somebody says so.
    let house = House::new();
    house.configure(&format!("[notifications]\n{quiet}\n"));
    house.put(&tasks, NINE - HOUR);
    let daemon = house.boot(Some(bus.address()));
    house.all(2, "missed");
    drop(daemon);
    // Switched off.
    let house = House::new();
    house.configure("[notifications]\nenabled = false\ncritical = \"high\"\n");
    house.put(&tasks, NINE - HOUR);
    let daemon = house.boot(Some(bus.address()));
    house.all(2, "missed");
    drop(daemon);
    assert_eq!(server.so_far().len(), 2);
}

#[test]
fn after_a_long_sleep_a_repeating_task_comes_once_with_the_count() {
    let Some(bus) = Bus::start("a catch-up") else {
        return;
    };
    let house = House::new();
    let mut daily = task("water the plants", NINE - 99 * DAY);
    daily.rrule = Some("FREQ=DAILY".to_owned());
    house.put(&[daily], NINE - 99 * DAY - HOUR);
    house.set_clock(NINE + 2 * HOUR);
    let server = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    let note = server.notes(1).remove(0);
    assert_eq!(
        note.body,
        "#1 · Sun 22 Nov, 09:00 · 2 h late · 99 earlier ones"
    );
    let row = house.all(1, "shown").remove(0);
    assert_eq!((row.missed, row.due_ms), (99, NINE));
    // The next one takes the place of the one that nobody answered.
    house.set_clock(NINE + DAY);
    daemon.look_at_the_clock();
    let next = server.notes(2).remove(1);
    assert_eq!(
        (next.body.as_str(), next.replaces),
        ("#1 · Mon 23 Nov, 09:00", note.id)
    );
    drop(daemon);
    assert_eq!(server.so_far().len(), 2);
}
