//! In a real panel: xfce4-panel on a screen in memory. What was on the screen is kept under
//! `target/menubar/`, for people to look at.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use rustix::process::Signal;

use super::MenuBar;
use crate::{
    desktop::{listen, menu_where, remind},
    harness::{
        binaries,
        daemon::Daemon,
        home::Home,
        process::{LIMIT, ended_within, signal},
        root, skip,
        wire::Wire,
    },
};

const WIDTH: usize = 800;
const HEIGHT: usize = 500;
/// What is drawn of the panel itself ends above this.
const BELOW_PANEL: usize = 34;

const PROGRAMS: [&str; 6] = [
    "Xvfb",
    "xfce4-panel",
    "openbox",
    "xdotool",
    "import",
    "dbus-daemon",
];

/// A panel with nothing but a place for icons, at the top of the screen.
const SETTINGS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="28"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
      <property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray"/>
  </property>
</channel>
"#;

/// A screen with a window manager and a bus; all of it ends when it is dropped.
struct Screen<'h> {
    home: &'h Home,
    display: String,
    bus: String,
    running: Vec<Child>,
}

/// Starts what tells its address in its first line.
fn told(mut command: Command) -> (Child, String) {
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("a pipe");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("an address");
    (child, line.trim().to_owned())
}

impl<'h> Screen<'h> {
    fn start(home: &'h Home) -> Self {
        let mut x = home.command("Xvfb");
        x.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"])
            .arg(format!("{WIDTH}x{HEIGHT}x24"));
        let (x, number) = told(x);
        let mut screen = Self {
            home,
            display: format!(":{number}"),
            bus: String::new(),
            running: vec![x],
        };
        // The desktop's own services, its settings among them, start when they are asked for.
        let mut bus = screen.command("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .arg(format!(
                "--address=unix:path={}",
                home.everything().join("bus").display()
            ));
        let (bus, address) = told(bus);
        screen.running.push(bus);
        screen.bus = address;
        screen.run("openbox", &[]);
        screen
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.home.command(program.as_ref());
        command
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("XDG_RUNTIME_DIR", self.home.folder("run"))
            .env("NO_AT_BRIDGE", "1")
            .stdin(Stdio::null());
        command
    }

    fn run(&mut self, program: &str, arguments: &[&str]) -> u32 {
        let mut command = self.command(program);
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let pid = child.id();
        self.running.push(child);
        pid
    }

    fn xdotool(&self, arguments: &[&str]) {
        let status = self.command("xdotool").args(arguments).status();
        assert!(status.expect("xdotool runs").success(), "{arguments:?}");
    }

    /// What is on the screen, three bytes a pixel.
    fn pixels(&self) -> Vec<[u8; 3]> {
        let mut import = self.command("import");
        import.args(["-window", "root", "-depth", "8", "rgb:-"]);
        let output = import.output().expect("import runs");
        let pixels = output.stdout.as_chunks::<3>().0.to_vec();
        assert_eq!(pixels.len(), WIDTH * HEIGHT, "{output:?}");
        pixels
    }

    /// Looks again and again until it sees what it looks for.
    fn see<T>(&self, what: &str, look: impl Fn(&[[u8; 3]]) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(seen) = look(&self.pixels()) {
                return seen;
            }
            if begun.elapsed() > LIMIT {
                self.keep("not-seen");
                panic!("{what} cannot be seen: target/menubar/not-seen.png");
            }
        }
    }

    /// Keeps a picture.
    fn keep(&self, name: &str) {
        let folder = root().join("target/menubar");
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(format!("{name}.png"));
        let mut import = self.command("import");
        let status = import.args(["-window", "root"]).arg(path).status();
        assert!(status.expect("import runs").success());
    }

    /// A panel, whose process it is.
    fn panel(&mut self) -> u32 {
        let folder = ".config/xfce4/xfconf/xfce-perchannel-xml";
        let folder = self.home.path().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("xfce4-panel.xml"), SETTINGS).expect("settings");
        self.run("xfce4-panel", &["--disable-wm-check"])
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        for child in self.running.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const GREEN: [u8; 3] = [0x1f, 0x8a, 0x70];
const GREY: [u8; 3] = [0x77, 0x76, 0x7b];

/// Where a picture of this colour stands in the panel: its middle.
fn picture(colour: [u8; 3]) -> impl Fn(&[[u8; 3]]) -> Option<(usize, usize)> {
    move |pixels| {
        let panel = &pixels[..BELOW_PANEL * WIDTH];
        let ours: Vec<usize> = (0..panel.len())
            .filter(|&place| panel[place] == colour)
            .collect();
        let middle = |part: fn(usize) -> usize| {
            ours.iter().map(|&place| part(place)).sum::<usize>() / ours.len()
        };
        (ours.len() >= 80).then(|| (middle(|place| place % WIDTH), middle(|place| place / WIDTH)))
    }
}

/// How many pixels of an open menu there are: what is not the black of the empty screen.
fn menu_size(pixels: &[[u8; 3]]) -> usize {
    let below = &pixels[BELOW_PANEL * WIDTH..];
    below.iter().filter(|pixel| pixel[0] > 0x20).count()
}

/// A menu of some lines is this large at least.
fn menu(pixels: &[[u8; 3]]) -> Option<usize> {
    Some(menu_size(pixels)).filter(|&size| size > 8_000)
}

fn no_menu(pixels: &[[u8; 3]]) -> Option<()> {
    (menu_size(pixels) == 0).then_some(())
}

#[test]
fn a_real_panel_shows_it_and_its_menu_works() {
    for program in PROGRAMS {
        if !skip::has_program(program) {
            return skip::loudly("the menu bar in a real panel", program);
        }
    }
    let home = Home::new();
    let mut screen = Screen::start(&home);
    let daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    remind(&mut wire, "<b>call</b> & a_b \"Mario\"");
    remind(&mut wire, "pay the rent");
    let mut menu_bar = MenuBar::start_by(screen.command(binaries().join("cv-menubar")));
    let panel = screen.panel();

    let (x, y) = screen.see("its picture", picture(GREEN));
    screen.keep("panel");
    let open = |x: usize, y: usize| {
        screen.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
        screen.see("its menu", menu)
    };
    let only_menu = open(x, y);
    screen.keep("menu");
    // Past the label: the first reminder, into whose answers the right arrow leads.
    screen.xdotool(&["key", "Down", "Right"]);
    screen.see("answers to a reminder", |pixels| {
        (menu_size(pixels) > only_menu + 2_000).then_some(())
    });
    screen.keep("submenu");
    let mut other = Wire::open(&home);
    listen(&mut other, "en");
    screen.xdotool(&["key", "Return"]);
    let left = menu_where(&mut other, |text| !text.contains("Mario"));
    assert!(left.to_string().contains("pay the rent"), "{left}");
    screen.see("no menu", no_menu);

    // The panel goes and another one comes; so does the daemon.
    signal(panel, Signal::KILL);
    assert!(ended_within(panel, LIMIT));
    screen.see("no panel", |pixels| {
        picture(GREEN)(pixels).is_none().then_some(())
    });
    let panel = screen.panel();
    screen.see("its picture in the new panel", picture(GREEN));
    daemon.kill();
    let (x, y) = screen.see("the picture without a daemon", picture(GREY));
    screen.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
    screen.see("the menu without a daemon", |pixels| {
        (menu_size(pixels) > 4_000).then_some(())
    });
    screen.keep("offline");
    // The last entry.
    screen.xdotool(&["key", "Up", "Return"]);
    assert_eq!(menu_bar.code(), Some(0));
    screen.see("nothing of it", |pixels| {
        picture(GREY)(pixels).is_none().then_some(())
    });
    signal(panel, Signal::TERM);
}
