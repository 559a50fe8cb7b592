//! rofi's script mode: the steps as rofi plays them, and rofi itself.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use super::{HOSTILE, terminal};
use crate::harness::{binaries, home::Home, process::run, skip};

fn step(home: &Home, variables: &[(&str, &str)], word: Option<&str>) -> String {
    let mut arguments = vec!["pick", "--format", "rofi", "--"];
    arguments.extend(word);
    let mut command = home.cv_command(&home.path(), &arguments);
    command.envs(variables.iter().copied());
    let told = run(&mut command, b"");
    assert_eq!(told.code, Some(0), "{told:?}");
    told.out
}

#[test]
fn a_task_leads_to_what_can_be_done_with_it_and_words_to_what_can_be_made_of_them() {
    let home = Home::new();
    let added = home.cv(&home.path(), &["task", "add", "--", HOSTILE]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let rows = step(&home, &[("ROFI_RETV", "0")], None);
    assert_eq!(
        rows.matches("\0info\u{1f}task:1\u{1f}").count(),
        1,
        "{rows:?}"
    );
    assert!(rows.contains("\0markup-rows\u{1f}false\n"), "{rows:?}");
    let chosen = [("ROFI_RETV", "1"), ("ROFI_INFO", "task:1")];
    let rows = step(&home, &chosen, Some("-x"));
    assert!(rows.contains("Done\0info\u{1f}done:1\u{1f}"), "{rows:?}");
    let rows = step(&home, &[("ROFI_RETV", "2")], Some("call Mario at 9"));
    assert!(
        rows.contains("\0info\u{1f}ask:call Mario at 9\u{1f}"),
        "{rows:?}"
    );
    let chosen = [("ROFI_RETV", "1"), ("ROFI_INFO", "done:1")];
    assert_eq!(step(&home, &chosen, Some("Done")), "", "the list closes");
    let rows = step(&home, &[("ROFI_RETV", "0")], None);
    assert!(!rows.contains("task:1"), "{rows:?}");
}

/// Ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A display of the test's own, by its number.
fn display(home: &Home) -> (Running, String) {
    let file = home.folder("display").join("number");
    let out = fs::File::create(&file).expect("a file");
    let xvfb = Command::new("Xvfb")
        .args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "800x600x24",
            "-nolisten",
            "tcp",
        ])
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .expect("Xvfb starts");
    let xvfb = Running(xvfb);
    let begun = std::time::Instant::now();
    loop {
        let number = fs::read_to_string(&file).unwrap_or_default();
        if number.ends_with('\n') {
            return (xvfb, format!(":{}", number.trim()));
        }
        assert!(
            begun.elapsed() < crate::harness::process::LIMIT,
            "Xvfb does not say its display"
        );
        std::thread::yield_now();
    }
}

#[test]
fn rofi_itself_shows_the_list_and_does_what_is_chosen() {
    for program in ["Xvfb", "rofi", "xdotool"] {
        if !skip::has_program(program) {
            skip::loudly("rofi's list", program);
            return;
        }
    }
    let home = Home::new();
    for title in ["call Mario", "water the plants"] {
        let added = home.cv(&home.path(), &["task", "add", "--", title]);
        assert_eq!(added.code, Some(0), "{added:?}");
    }
    let (_xvfb, display) = display(&home);
    let (terminal, _) = terminal(&home);
    let script = format!(
        "cv:{} pick --format rofi --",
        binaries().join("cv").display()
    );
    let rofi = home
        .command("rofi")
        .args(["-show", "cv", "-modi", &script, "-no-config"])
        .env("DISPLAY", &display)
        .env("TERMINAL", terminal)
        .env("XDG_RUNTIME_DIR", home.folder("run"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("rofi starts");
    let mut rofi = Running(rofi);
    let xdotool = |words: &[&str]| {
        let mut command = home.command("xdotool");
        command.args(words).env("DISPLAY", &display);
        let told = run(&mut command, b"");
        assert_eq!(told.code, Some(0), "{words:?}: {told:?}");
    };
    xdotool(&["search", "--sync", "--onlyvisible", "--class", "rofi"]);
    // The plants' row by typing, then its first action: Done.
    xdotool(&["type", "plants"]);
    xdotool(&["key", "Return"]);
    xdotool(&["type", "Done"]);
    xdotool(&["key", "Return"]);
    assert!(
        crate::harness::process::ended_within(rofi.0.id(), crate::harness::process::LIMIT),
        "rofi stays"
    );
    let _ = rofi.0.wait();
    let done = home.cv(
        &home.path(),
        &["task", "list", "state:done", "--format", "json"],
    );
    assert!(done.out.contains("water the plants"), "{done:?}");
    assert!(!done.out.contains("call Mario"), "{done:?}");
}
