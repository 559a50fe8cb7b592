//! What it does without a panel: `--check`, `--install`, `--remove`.

use std::fs;

use super::{MenuBar, command, item::Watcher};
use crate::{
    desktop::bus::{Bus, has_bus},
    harness::{binaries, daemon::Daemon, home::Home, process::run, skip},
};

#[test]
fn a_check_says_what_is_missing_and_starts_nothing() {
    if !has_bus("a menu bar's check") {
        return;
    }
    let home = Home::new();
    let mut nowhere = home.command(binaries().join("cv-menubar"));
    nowhere
        .arg("--check")
        .env("XDG_RUNTIME_DIR", home.folder("none"));
    let ran = run(&mut nowhere, b"");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.starts_with("missing  bus"), "{ran:?}");

    let bus = Bus::start(&home, "session");
    let check = || run(&mut command(&home, &bus, &["--check"]), b"");
    let ran = check();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let words: Vec<&str> = ran.out.lines().map(|line| &line[..8]).collect();
    assert_eq!(
        words,
        ["ok      ", "missing ", "ok      ", "missing "],
        "{ran:?}"
    );
    assert_eq!(home.owner(), None);

    let mut watcher = Watcher::come(&bus);
    let _menu_bar = MenuBar::start(&home, &bus);
    watcher.item(&bus);
    let _daemon = Daemon::start(&home);
    let ran = check();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("runs in this session"), "{ran:?}");
    assert!(ran.out.contains("convergiod 0."), "{ran:?}");
}

#[test]
fn it_is_started_at_login_by_an_entry_that_can_be_removed() {
    let home = Home::new();
    let act = |argument: &str| {
        let mut command = home.command(binaries().join("cv-menubar"));
        run(command.arg(argument), b"")
    };
    let entry = home
        .path()
        .join(".config/autostart/convergio-menubar.desktop");
    let picture = home
        .path()
        .join(".local/share/icons/hicolor/scalable/apps/convergio.svg");
    for _ in 0..2 {
        let ran = act("--install");
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let text = fs::read_to_string(&entry).unwrap();
    let program = binaries().join("cv-menubar");
    assert!(
        text.contains(&format!("Exec=\"{}\"", program.display())),
        "{text}"
    );
    assert!(picture.is_file());
    match skip::has_program("desktop-file-validate") {
        true => {
            let mut validate = home.command("desktop-file-validate");
            let ran = run(validate.arg(&entry), b"");
            assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
        }
        false => skip::loudly("the autostart entry's form", "desktop-file-validate"),
    }
    for _ in 0..2 {
        let ran = act("--remove");
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert!(!entry.exists() && !picture.exists());
}
