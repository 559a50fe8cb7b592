use serde_json::json;

use super::{INVALID, create, rome, titled, titles};
use crate::harness::{
    daemon::Daemon,
    home::Home,
    wire::{Wire, new_id},
};

#[test]
fn what_can_be_read_in_several_ways_changes_nothing_and_each_way_is_told() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let mut place = rome("en");
    place["day_first"] = json!(null);
    let params = json!({
        "task_id": new_id(), "text": "pay the rent on 3/4/2099 at 09:00", "locale": place,
    });
    let asked = wire.result("task.create", params);
    assert_eq!(asked["outcome"], "ambiguous", "{asked}");
    assert!(titles(&mut wire, &[]).is_empty());
    let readings = asked["readings"].as_array().unwrap();
    assert!(readings.len() >= 2);
    for reading in readings {
        assert_eq!(reading["title"], "pay the rent");
        let fields = json!({"title": "pay the rent", "when": reading["when"]});
        let params = json!({"task_id": new_id(), "fields": fields, "locale": place});
        let made = wire.result("task.create", params);
        assert_eq!(made["task"]["due"], reading["due"], "{reading}");
    }
    let params = json!({"task": "1", "fields": {"when": "5/6/2099 at 09:00"}, "locale": place});
    let asked = wire.result("task.update", params);
    assert_eq!(asked["outcome"], "ambiguous", "{asked}");
}

#[test]
fn a_sentence_that_says_no_time_or_nothing_else_is_refused() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let refused = [
        json!({"task_id": new_id(), "text": "call Mario", "needs_time": true}),
        json!({"task_id": new_id(), "text": "tomorrow at 09:00"}),
        json!({"task_id": new_id(), "fields": {"title": "x", "when": "blurg"}}),
        json!({"task_id": new_id(), "fields": {"title": "x", "when": "3 December 1999 at 09:00"}}),
        json!({"task_id": new_id(), "text": "a", "fields": {"title": "b"}}),
        json!({"task_id": new_id()}),
        json!({"task_id": new_id(), "text": "call\nMario tomorrow at 09:00"}),
        json!({"task_id": new_id(), "text": "call \u{1b}[2J tomorrow at 09:00"}),
        json!({"task_id": "00000000-0000-4000-8000-000000000000", "text": "x"}),
        json!({"task_id": new_id(), "text": "x", "locale": {"zone": "Mars/Olympus"}}),
        json!({"task_id": new_id(), "fields": {"title": "x", "repeat": {"rrule": "FREQ=DAILY"}}}),
    ];
    for params in refused {
        let code = wire.error_code("task.create", params.clone());
        assert_eq!(code, INVALID, "{params}");
    }
    assert!(titles(&mut wire, &["state:all"]).is_empty());
    // What is left of a sentence whose time is said apart is all of it.
    let fields = json!({"when": "3 December 2099 at 09:00"});
    let params = json!({"task_id": new_id(), "text": "plan for friday", "fields": fields,
        "locale": rome("en")});
    let made = wire.result("task.create", params);
    assert_eq!(made["task"]["title"], "plan for friday");
    let seen = wire.result("task.preview", json!({"text": "tea", "locale": rome("en")}));
    assert_eq!(seen["readings"][0]["title"], "tea");
    assert!(seen["readings"][0]["due"].is_null());
}

#[test]
fn titles_of_people_are_kept_as_they_are_or_refused_whole() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let long = "è".repeat(512);
    let kept = [
        "it's \"quoted\" & <b>bold</b>",
        "-rf / --no-preserve-root",
        "'; DROP TABLE task; --",
        "{\"json\": [1]} \\n",
        "\u{202e}txt.exe",
        "👩‍🔬 %s $(id) `id`",
        "#1 +tag project:x",
        long.as_str(),
    ];
    for title in kept {
        assert_eq!(titled(&mut wire, title)["task"]["title"], title);
    }
    assert_eq!(titles(&mut wire, &[]), kept);
    let huge = "x".repeat(10 << 10);
    for title in [
        "",
        " ",
        "a\nb",
        "a\u{1b}]0;x\u{7}",
        "a\u{0}b",
        "a\u{2029}b",
        huge.as_str(),
    ] {
        let params = json!({"task_id": new_id(), "fields": {"title": title}});
        assert_eq!(wire.error_code("task.create", params), INVALID, "{title:?}");
        let params = json!({"task": "1", "fields": {"title": title}});
        assert_eq!(wire.error_code("task.update", params), INVALID, "{title:?}");
    }
    let undone = wire.result("undo.list", json!({}));
    assert_eq!(undone["entries"].as_array().unwrap().len(), kept.len());
    // In quotation marks nothing is a time.
    let made = create(&mut wire, "read \"tomorrow at 9\"");
    assert_eq!(made["task"]["due"], json!(null), "{made}");
}
