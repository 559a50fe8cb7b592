//! Lists for dmenu, Alfred and Raycast, and what is done with a choice.

use serde_json::Value;

use super::{HOSTILE, opened, terminal};
use crate::harness::{home::Home, process::run};

fn add(home: &Home, title: &str) {
    let added = home.cv(
        &home.path(),
        &["task", "add", "--format", "json", "--", title],
    );
    assert_eq!(added.code, Some(0), "{added:?}");
}

#[test]
fn a_line_that_dmenu_gives_back_is_done() {
    let home = Home::new();
    add(&home, "call Mario");
    add(&home, HOSTILE);
    let listed = home.cv(&home.path(), &["pick"]);
    let lines: Vec<&str> = listed.out.lines().collect();
    assert_eq!(lines.len(), 2, "{listed:?}");
    assert_eq!(lines[0], "task:1 call Mario");
    assert!(
        lines[1].starts_with("task:2 -x <b>Mario's</b>"),
        "{lines:?}"
    );

    let (program, opens) = terminal(&home);
    let pick = |line: &str| {
        let mut command = home.cv_command(&home.path(), &["pick", "--run", "-"]);
        command.env("TERMINAL", &program);
        run(&mut command, line.as_bytes())
    };
    let shown = pick(&format!("{}\n", lines[1]));
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(
        opened(&opens)
            .last()
            .unwrap()
            .starts_with("--run=task:2 -x <b>")
    );
    // In the terminal it is read, and the line's rest is no command.
    let mut command = home.cv_command(&home.path(), &["pick", "--run", lines[1]]);
    command.env("TERMINAL", &program);
    let shown = run(&mut command, b"");
    assert_eq!(shown.code, Some(0), "{shown:?}");

    assert_eq!(pick("done:1\n").code, Some(0));
    assert_eq!(pick("remind: pay the rent tomorrow at 9\n").code, Some(0));
    let listed = home.cv(&home.path(), &["pick", "RENT"]);
    assert!(
        listed.out.starts_with("task:3 pay the rent · "),
        "{listed:?}"
    );
    let listed = home.cv(&home.path(), &["pick", "mario"]);
    assert!(!listed.out.contains("task:1 "), "{listed:?}");
    // Escape gives back nothing, and nothing is done.
    assert_eq!(pick("").code, Some(0));
    let refused = pick("call Mario\n");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("why:") && refused.err.contains("cv pick"));
}

#[test]
fn without_a_terminal_that_can_be_opened_it_says_so() {
    let home = Home::new();
    let mut command = home.cv_command(&home.path(), &["pick", "--run", "ask:hi"]);
    command.env("PATH", "/nowhere");
    let refused = run(&mut command, b"");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("TERMINAL"), "{refused:?}");
}

#[test]
fn alfred_and_raycast_get_json_and_typing_starts_nothing() {
    let home = Home::new();
    let list = |format: &str, words: &str| -> Value {
        let listed = home.cv(&home.path(), &["pick", "--format", format, "--", words]);
        assert_eq!(listed.code, Some(0), "{listed:?}");
        serde_json::from_str(&listed.out).unwrap_or_else(|error| panic!("{error}: {listed:?}"))
    };
    let items = list("alfred-json", "call \"Mario\" at 9");
    assert_eq!(items["items"][0]["arg"], "remind:call \"Mario\" at 9");
    assert_eq!(items["items"].as_array().unwrap().len(), 2);
    assert!(home.owner().is_none(), "typing started a daemon");
    add(&home, HOSTILE);
    let items = list("alfred-json", "caffe");
    assert_eq!(items["items"][0]["arg"], "task:1");
    let title = items["items"][0]["title"].as_str().unwrap();
    assert!(
        title.contains("<b>Mario's</b>") && !title.contains('\u{202e}'),
        "{title}"
    );
    let items = list("raycast-json", "caffe");
    assert_eq!(items[0]["id"], "task:1");
    assert_eq!(items[2]["id"], "ask:caffe");
}
