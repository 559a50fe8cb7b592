//! Topics: the present value first, then changes; to whom it is told, and for how long.

use std::time::{Duration, Instant};

use convergio_client::{ClientOptions, Endpoint, Environment, TopicNews, Topics};
use convergio_contract::{
    daemon::{ClientCapabilities, ClientEnv, ClientInfo},
    menu::MenuGet,
    topic::{EventsSubscribeParams, Topic, TopicEvent},
};
use serde_json::json;

use super::{CONFLICT, event_where, listen, menu_where, remind, remind_in, shown};
use crate::harness::{
    binaries,
    daemon::Daemon,
    home::Home,
    process::{LIMIT, ended_within},
    wire::{VERSION, Wire, handshake, new_id},
};

const INVALID_PARAMS: i64 = -32602;

#[test]
fn the_present_value_comes_first_then_each_change_until_it_is_enough() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let mut other = Wire::open(&home);
    listen(&mut wire, "en");
    let first = event_where(&mut wire, |_| true);
    assert!(shown(&first["menu"]).contains("No reminders"), "{first}");
    remind(&mut other, "one");
    menu_where(&mut wire, |menu| menu.contains("one"));
    // Another subscription takes the place of the first.
    listen(&mut wire, "it");
    let menu = menu_where(&mut wire, |menu| menu.contains("Prossimi"));
    assert!(shown(&menu).contains("one"));
    wire.result("events.unsubscribe", json!({}));
    remind(&mut other, "two");
    // Whatever is still told was on its way before; nothing of the second.
    let menu = wire.result("menu.get", json!({}));
    assert!(shown(&menu).contains("two"));
    listen(&mut wire, "en");
    let next = event_where(&mut wire, |event| {
        let text = shown(&event["menu"]);
        assert!(!text.contains("Prossimi"), "{text}");
        true
    });
    assert!(shown(&next["menu"]).contains("two"));
}

#[test]
fn topics_are_named_and_may_be_declined() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    for wrong in [json!({"topics": []}), json!({"topics": ["all"]}), json!({})] {
        assert_eq!(wire.error_code("events.subscribe", wrong), INVALID_PARAMS);
    }
    for (declined, heard) in [
        ("menu.changed", json!(["task.due"])),
        ("events.notification", json!([])),
        ("other", json!(["task.due", "menu.changed"])),
    ] {
        let mut wire = Wire::connect(&home.socket());
        let mut hello = handshake(VERSION);
        hello["capabilities"]["opt_out"] = json!([declined]);
        wire.result("initialize", hello);
        let all = json!({"topics": ["menu.changed", "task.due", "task.due"]});
        let answer = wire.result("events.subscribe", all);
        assert_eq!(answer["topics"], heard, "{declined}");
    }
}

#[test]
fn who_only_listens_keeps_no_daemon_alive() {
    let home = Home::new();
    let mut command = home.command(binaries().join("convergiod"));
    command
        .args(["serve", "--spawned"])
        .env("CONVERGIO_DAEMON_IDLE_EXIT_MS", "300");
    let daemon = Daemon::start_by(&home, command);
    let mut wire = Wire::open(&home);
    listen(&mut wire, "en");
    event_where(&mut wire, |_| true);
    assert!(ended_within(daemon.pid, LIMIT), "it stays for a listener");
    assert_eq!(wire.try_line(), None, "its connection ends with it");
}

#[test]
fn a_listener_that_never_reads_costs_little_and_holds_nobody_up() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut deaf = Wire::open(&home);
    let all = json!({"topics": ["menu.changed", "task.due"]});
    for _ in 0..50 {
        deaf.request("events.subscribe", all.clone());
    }
    let mut wire = Wire::open(&home);
    listen(&mut wire, "en");
    for number in 0..200 {
        remind(&mut wire, &format!("task {number}"));
    }
    let menu = wire.result("menu.get", json!({"language": "en"}));
    assert!(shown(&menu).contains("task 0"));
}

#[test]
fn a_menu_that_changes_all_the_time_is_told_once_a_second() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let mut other = Wire::open(&home);
    let begun = Instant::now();
    listen(&mut wire, "en");
    event_where(&mut wire, |_| true);
    let (mut told, mut made) = (1, 0);
    while begun.elapsed() < Duration::from_secs(4) {
        made += 1;
        // The earlier one comes first in the menu: each changes what is seen.
        remind_in(&mut other, &format!("task {made}."), 10_000 - made);
    }
    let last = format!("task {made}.");
    event_where(&mut wire, |event| {
        told += 1;
        shown(&event["menu"]).contains(&last)
    });
    let seconds = begun.elapsed().as_secs();
    assert!(
        made > 8 && told <= seconds + 2,
        "{told} of {made} in {seconds} s"
    );
}

#[test]
fn a_reminder_is_told_to_all_and_one_is_asked_to_show_it() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut shower, mut wire) = (Wire::open(&home), Wire::open(&home));
    let shows = json!({"topics": ["task.due"], "shows_reminders": true, "language": "it"});
    shower.result("events.subscribe", shows);
    let mut second = Wire::open(&home);
    let shows = json!({"topics": ["task.due"], "shows_reminders": true, "language": "en"});
    second.result("events.subscribe", shows);
    listen(&mut wire, "en");
    let params = json!({"topics": ["task.due", "menu.changed"], "language": "en"});
    wire.result("events.subscribe", params);
    let mut maker = Wire::open(&home);
    let due = "in 2 seconds";
    let params = json!({
        "task_id": new_id(),
        "fields": {"title": "call Mario", "when": due},
        "locale": {"languages": ["en"]},
    });
    let created = maker.result("task.create", params);
    assert_eq!(created["outcome"], "created", "{created}");
    let asked = event_where(&mut shower, |event| event["show"] == true);
    assert_eq!(asked["occurrence"]["title"], "call Mario");
    let id = asked["occurrence"]["occurrence_id"].as_str().unwrap();
    for other in [&mut second, &mut wire] {
        let told = event_where(other, |event| event["occurrence"]["occurrence_id"] == id);
        assert_eq!(told["show"], false, "{told}");
        // Each in its own language: no day of the week is called the same in both.
        assert_ne!(told["occurrence"]["said"], asked["occurrence"]["said"]);
    }
    // It waits in the menu, and is answered there, once.
    let waits = |menu: &str| menu.contains(&format!("reminder:{id} | "));
    let mut wire = Wire::open(&home);
    listen(&mut wire, "en");
    let menu = menu_where(&mut wire, waits);
    assert_eq!(menu["icon"], "attention", "{menu}");
    assert!(
        menu["tooltip"]
            .as_str()
            .unwrap()
            .contains("1 reminder waits")
    );
    let done = json!({"id": format!("reminder:{id}:done")});
    maker.result("menu.act", done.clone());
    menu_where(&mut wire, |menu| !waits(menu));
    assert_eq!(maker.error_code("menu.act", done), CONFLICT);
    // What became of it is told too, in each one's language.
    for listener in [&mut shower, &mut second] {
        let told = event_where(listener, |event| event["occurrence"]["state"] == "done");
        assert_eq!(told["occurrence"]["occurrence_id"], id);
        assert_eq!(told["show"], false);
    }
    let listed = maker.result("task.list", json!({"filter": ["state:done"]}));
    assert_eq!(listed["total"], 1, "{listed}");
}

fn options(home: &Home) -> ClientOptions {
    let environment = Environment {
        convergio_home: Some(home.convergio()),
        uid: rustix::process::getuid().as_raw(),
        ..Environment::default()
    };
    ClientOptions {
        endpoint: Endpoint::resolve(&environment).expect("an endpoint"),
        daemon: None,
        client: ClientInfo {
            name: "test".into(),
            version: VERSION.into(),
        },
        capabilities: ClientCapabilities::default(),
        env: ClientEnv::default(),
    }
}

async fn next(topics: &mut Topics) -> TopicNews {
    let next = tokio::time::timeout(LIMIT, topics.next());
    next.await.expect("news")
}

async fn is_lost(topics: &mut Topics) {
    loop {
        match next(topics).await {
            TopicNews::Lost { why } => return assert!(!why.is_empty()),
            TopicNews::Event(_) => {}
            TopicNews::Connected(_) => panic!("nobody is there"),
        }
    }
}

/// It is connected, and the first menu comes.
async fn hears(topics: &mut Topics) {
    let TopicNews::Connected(client) = next(topics).await else {
        panic!("not connected");
    };
    let TopicNews::Event(TopicEvent::MenuChanged { menu }) = next(topics).await else {
        panic!("no menu");
    };
    let asked = client.call::<MenuGet>(&Default::default()).await;
    assert_eq!(asked.expect("a menu"), *menu);
}

#[test]
fn the_client_outlives_daemons_starts_none_and_hears_at_once_of_the_next() {
    let home = Home::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let wanted = EventsSubscribeParams {
        topics: vec![Topic::MenuChanged],
        ..EventsSubscribeParams::default()
    };
    let mut topics = Topics::new(options(&home), wanted);
    runtime.block_on(async {
        // Nobody was ever here.
        is_lost(&mut topics).await;
        let quiet = tokio::time::timeout(Duration::from_millis(200), topics.next()).await;
        assert!(quiet.is_err(), "it is told once that nobody is there");
        assert_eq!(home.owner(), None, "it started one");
        for _ in 0..3 {
            let daemon = Daemon::start(&home);
            hears(&mut topics).await;
            daemon.kill();
            is_lost(&mut topics).await;
            let quiet = tokio::time::timeout(Duration::from_millis(200), topics.next()).await;
            assert!(quiet.is_err());
        }
    });
}
