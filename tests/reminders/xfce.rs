//! xfce4-notifyd, whose buttons somebody clicks.

use super::{Program, Session, answered};
use crate::harness::{process::run, wire::Wire};

const FOLDER: &str = "/usr/lib/x86_64-linux-gnu/xfce4";
const NOTIFYD: &str = "/usr/lib/x86_64-linux-gnu/xfce4/notifyd/xfce4-notifyd";
/// From the bottom of a notification to the middle of its buttons, in pixels.
const BUTTONS_UP: i32 = 31;

/// What xdotool says of the only notification: its place and size.
fn place(session: &Session) -> Option<[i32; 4]> {
    let mut search = session.command("xdotool");
    search.args(["search", "--onlyvisible", "--name", "^xfce4-notifyd$"]);
    search.args(["getwindowgeometry", "--shell"]);
    let said = run(&mut search, b"").out;
    let number = |name: &str| -> Option<i32> {
        let line = said.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix('=')?.parse().ok()
    };
    let place = [
        number("X")?,
        number("Y")?,
        number("WIDTH")?,
        number("HEIGHT")?,
    ];
    // One that is being made is a dot.
    (place[2] > 100).then_some(place)
}

/// Clicks the button of this number among three.
fn click(session: &Session, button: i32) {
    let found = session.bus.until(|_| place(session), Option::is_some);
    let [x, y, width, height] = found.expect("a window");
    let mut mouse = session.command("xdotool");
    let to = [x + width * (2 * button + 1) / 6, y + height - BUTTONS_UP];
    mouse.args(["mousemove", "--sync"]);
    mouse.args(to.map(|pixel| pixel.to_string()));
    mouse.args(["click", "1"]);
    let ran = run(&mut mouse, b"");
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_click_on_a_notification_of_xfce_answers_the_reminder() {
    let what = "a click on xfce4-notifyd";
    let Some(session) = Session::start(what, &[NOTIFYD, "xdotool", "openbox"]) else {
        return;
    };
    let _manager = Program::start(session.command("openbox"));
    let _settings = Program::start(session.command(&format!("{FOLDER}/xfconf/xfconfd")));
    session.bus.has_name("org.xfce.Xfconf");
    let _notifyd = Program::start(session.command(NOTIFYD));
    session.bus.has_name("org.freedesktop.Notifications");
    let _daemon = session.daemon();
    let mut wire = Wire::open(&session.home);
    for (button, state) in [(0, "done"), (1, "snoozed"), (2, "seen")] {
        let title = format!("{state} <b>\"Mario\"</b> & co");
        let reminder = session.remind(&mut wire, &title);
        session.bus.until(|_| place(&session), Option::is_some);
        if button == 0 {
            let path = session
                .screen
                .picture(session.command("import"), "reminder-xfce");
            eprintln!("a picture: {}", path.display());
        }
        click(&session, button);
        answered(&mut wire, &reminder, state);
        // It leaves the screen before the next one comes.
        if state != "seen" {
            session.bus.until(|_| place(&session), Option::is_none);
        }
    }
}
