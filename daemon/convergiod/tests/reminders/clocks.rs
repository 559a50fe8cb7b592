//! Clocks that jump: no storm, no duplicate, nothing lost.

use std::collections::BTreeSet;

use crate::{
    desk::{Bus, Server},
    house::{DAY, HOUR, House, MINUTE, NINE, Task, said, task},
};

#[test]
fn a_year_ahead_and_a_day_back_are_no_storm_and_no_duplicate() {
    let Some(bus) = Bus::start("a clock that jumps") else {
        return;
    };
    let house = House::new();
    let mut hourly = task("drink", NINE + HOUR);
    hourly.rrule = Some("FREQ=HOURLY".to_owned());
    let mut tasks: Vec<Task> = (1..=20)
        .map(|at| task(&format!("t{at}"), NINE + at * DAY))
        .collect();
    tasks.push(hourly);
    house.put(&tasks, NINE);
    let server = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    // A year: each of the twenty once, the hourly one once with its count.
    house.set_clock(NINE + 365 * DAY);
    daemon.look_at_the_clock();
    let rows = house.all(21, "shown");
    let counted: Vec<u32> = rows
        .iter()
        .map(|row| row.missed)
        .filter(|missed| *missed > 0)
        .collect();
    assert_eq!(counted, [365 * 24 - 1]);
    // A day back, and on through the same day again.
    for hours in 0..=24 {
        house.set_clock(NINE + 364 * DAY + hours * HOUR);
        daemon.look_at_the_clock();
    }
    house.set_clock(NINE + 365 * DAY + HOUR + MINUTE);
    daemon.look_at_the_clock();
    house.wait(|rows| rows.iter().any(|row| row.due_ms == NINE + 365 * DAY + HOUR));
    drop(daemon);
    let rows = house.rows();
    // No planned time has two reminders, and no reminder was shown twice.
    let times: BTreeSet<(u64, i64)> = rows.iter().map(|row| (row.task, row.due_ms)).collect();
    assert_eq!(times.len(), rows.len());
    let notes = server.so_far();
    let shown: BTreeSet<&str> = notes.iter().map(|note| note.occurrence.as_str()).collect();
    let single = notes
        .iter()
        .filter(|note| !note.occurrence.is_empty())
        .count();
    assert!(shown.len() >= single, "{notes:#?}");
    assert!(notes.len() <= 21 + 26 + 2, "a storm: {}", notes.len());
}

#[test]
fn a_clock_that_was_wrong_at_first_fires_nothing_before_its_time() {
    let Some(bus) = Bus::start("a clock that is set right") else {
        return;
    };
    let house = House::new();
    house.put(&[task("call Mario", NINE)], NINE - HOUR);
    // Before the network told the time it was 1970.
    house.set_clock(0);
    let server = Server::start(&bus);
    let daemon = house.boot(Some(bus.address()));
    daemon.look_at_the_clock();
    house.set_clock(NINE);
    daemon.look_at_the_clock();
    let note = server.notes(1).remove(0);
    assert_eq!(note.body, format!("#1 · {}", said(NINE)));
    drop(daemon);
    assert_eq!(server.so_far().len(), 1);
}
