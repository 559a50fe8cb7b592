use jiff::{Zoned, civil::date};

use super::*;
use crate::{
    Basis, Repeat,
    book::{Next, Times},
    when::Here,
};

fn here() -> Here {
    Here::new("2026-11-21T12:00:00[Europe/Rome]".parse::<Zoned>().unwrap())
}

fn at(text: &str) -> i64 {
    text.parse::<Zoned>().unwrap().timestamp().as_millisecond()
}

fn task() -> TaskRow {
    TaskRow {
        id: Uuid::nil(),
        number: 12,
        request_hash: None,
        uid: None,
        title: "Comprare il caffè per Mario".into(),
        notes: "dal negozio all'ANGOLO".into(),
        state: State::Open,
        priority: Some(Priority::High),
        project: Some("Casa.cucina".into()),
        parent: None,
        tags: vec!["Spesa".into()],
        times: Some(Times {
            start: date(2026, 11, 21).at(9, 0, 0, 0),
            due: date(2026, 11, 21).at(9, 0, 0, 0),
            due_ms: at("2026-11-21T09:00:00[Europe/Rome]"),
            zone: "Europe/Rome".into(),
            all_day: false,
        }),
        repeat: Some(Repeat {
            rrule: "FREQ=DAILY".into(),
            basis: Basis::Schedule,
        }),
        remind_before_min: vec![0],
        next: Some(Next {
            due_ms: 1,
            before_min: 0,
            fire_ms: 1,
        }),
        fired_until_ms: 0,
        snoozed_until_ms: None,
        created_ms: at("2026-11-19T12:00:00[Europe/Rome]"),
        modified_ms: at("2026-11-20T12:00:00[Europe/Rome]"),
        completed_ms: None,
        deleted_ms: None,
        rev: 1,
    }
}

fn fits(words: &str) -> bool {
    let words: Vec<String> = words.split('|').map(str::to_owned).collect();
    Filter::read(&words, &here()).unwrap().fits(&task(), false)
}

#[test]
fn words_fit_and_do_not() {
    for words in [
        "",
        "+spesa",
        "-ufficio",
        "project:casa",
        "pro:CASA.CUCINA",
        "priority:high",
        "pri:H",
        "state:open",
        "status:pending",
        "state:done,open",
        "state:all",
        "due:today",
        "today",
        "due.before:tomorrow",
        "due.after:yesterday",
        "due.by:2026-11-21",
        "due:2026-11-21T09:00",
        "due.before:now",
        "created.before:yesterday",
        "created:2026-11-19",
        "modified:ieri",
        "overdue",
        "has:due",
        "has:repeat",
        "has:reminder",
        "no:parent",
        "parent:",
        "12",
        "#12",
        "3,10-12",
        "/caffe/",
        "/IL CAFFE/",
        "MARIO",
        "angolo",
        "caffe|+spesa|pri:high|today",
        "tag:spesa",
    ] {
        assert!(fits(words), "{words}");
    }
    for words in [
        "-spesa",
        "+ufficio",
        "project:cas",
        "project:",
        "priority:low",
        "priority:",
        "state:done",
        "due:tomorrow",
        "due.after:today",
        "due.before:today",
        "due:none",
        "created:today",
        "done.before:tomorrow",
        "no:due",
        "has:parent",
        "parent:3",
        "13",
        "1-11",
        "/tè/",
        "mario|luigi",
        "tag:",
    ] {
        assert!(!fits(words), "{words}");
    }
}

#[test]
fn what_is_not_understood_is_told() {
    let told = |word: &str| {
        Filter::read(&[word.to_owned()], &here())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(told("colour:red"), "there is no attribute `colour`");
    assert_eq!(
        told("due.around:friday"),
        "there is no attribute `due.around`"
    );
    assert!(told("priority:urgent").contains("high, medium, low"));
    assert!(told("state:gone").contains("open, waiting, done"));
    assert!(told("due.before:blurg").starts_with("`due.before` does not take \"blurg\""));
    assert!(told("parent:mario").contains("a task's number"));
    for word in ["or", "OR", "and", "xor"] {
        assert!(told(word).contains("joins nothing"), "{word}");
    }
    for word in ["/or/", "order"] {
        assert!(Filter::read(&[word.to_owned()], &here()).is_ok(), "{word}");
    }
    assert!(super::ATTRIBUTES.contains("tag"));
    let long = vec!["a".to_owned(); WORDS_MAX + 1];
    assert_eq!(Filter::read(&long, &here()), Err(FilterError::TooLong));
    // Times and addresses are no attributes.
    assert!(Filter::read(&["10:30".to_owned()], &here()).is_ok());
}

#[test]
fn a_task_that_ended_fits_where_states_or_numbers_are_named() {
    let done = TaskRow {
        state: State::Done,
        ..task()
    };
    let fits = |words: &[&str], any_state| {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let filter = Filter::read(&words, &here()).unwrap();
        (filter.fits(&done, any_state), filter.wants_ended())
    };
    assert_eq!(fits(&[], false), (false, false));
    assert_eq!(fits(&[], true), (true, false));
    assert_eq!(fits(&["state:done"], false), (true, true));
    assert_eq!(fits(&["state:open"], false), (false, false));
    assert_eq!(fits(&["12"], false), (true, true));
    // What is over is not overdue.
    assert_eq!(fits(&["overdue", "state:all"], false), (false, true));
}
