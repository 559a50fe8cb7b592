//! macOS: a status item. Its library must be used on the main thread, which runs the system's
//! own loop; everything else runs on a thread beside it.

use std::{cell::RefCell, future::Future, io, process::ExitCode};

use convergio_contract::{menu::MenuIcon, task::Occurrence};
use dispatch2::DispatchQueue;
use objc2::MainThreadMarker;
use objc2_app_kit::{NSApplication, NSApplicationActivationPolicy};
use tokio::sync::mpsc;
use tray_icon::{
    Icon, TrayIcon, TrayIconBuilder,
    menu::{CheckMenuItem, IsMenuItem, Menu, MenuEvent, MenuItem, PredefinedMenuItem, Submenu},
};

use super::{CHOICES_MAX, Look, Tray, TrayEnd};
use crate::{
    icon::pixels,
    model::{Choice, Difference, Item, View},
};

/// Ids of entries in the menu: ours, and the daemon's behind a prefix of their own.
const QUIT: &str = "own:quit";
const START: &str = "own:start";
const ENTRY: &str = "entry:";

/// Shows a title and a text, both of them given as words of their own and never as script.
const REMIND: &str = "on run argv
display notification (item 2 of argv) with title (item 1 of argv)
end run";

thread_local! {
    /// On the main thread.
    static SHOWN: RefCell<Option<TrayIcon>> = const { RefCell::new(None) };
}

/// Runs `work` beside the system's loop.
pub(crate) fn main<W: Future<Output = ExitCode>>(
    view: View,
    work: impl FnOnce(StatusItem, mpsc::Receiver<Choice>) -> W + Send + 'static,
) -> io::Result<ExitCode> {
    let here = MainThreadMarker::new();
    let here = here.ok_or_else(|| io::Error::other("this is not the main thread"))?;
    let application = NSApplication::sharedApplication(here);
    application.setActivationPolicy(NSApplicationActivationPolicy::Accessory);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (chosen, choices) = mpsc::channel(CHOICES_MAX);
    MenuEvent::set_event_handler(Some(move |event: MenuEvent| {
        if let Some(choice) = choice(event.id.as_ref()) {
            let _ = chosen.try_send(choice);
        }
    }));
    std::thread::Builder::new().spawn(move || {
        // The system's loop is left by leaving the process.
        let code = runtime.block_on(work(StatusItem, choices));
        std::process::exit(i32::from(code != ExitCode::SUCCESS));
    })?;
    DispatchQueue::main().exec_async(move || show(&view));
    application.run();
    Ok(ExitCode::SUCCESS)
}

/// The status item, from beside the main thread.
pub(crate) struct StatusItem;

impl Tray for StatusItem {
    const SHOWS_REMINDERS: bool = true;

    async fn draw(&mut self, view: View, _: Difference) {
        DispatchQueue::main().exec_async(move || show(&view));
    }

    async fn tend(&mut self) -> Result<(), TrayEnd> {
        // Nothing of it comes and goes.
        std::future::pending().await
    }

    fn remind(&mut self, occurrence: &Occurrence) {
        let title = occurrence.title.clone();
        let text = format!("#{} · {}", occurrence.number, occurrence.said);
        tokio::spawn(async move {
            let mut script = tokio::process::Command::new("/usr/bin/osascript");
            let words = ["-e", REMIND, "--", &title, &text];
            // One that is not shown still waits in the menu.
            let _ = script.args(words).status().await;
        });
    }

    async fn close(&mut self) {}
}

fn choice(id: &str) -> Option<Choice> {
    match id {
        QUIT => Some(Choice::Quit),
        START => Some(Choice::Start),
        _ => Some(Choice::Entry(id.strip_prefix(ENTRY)?.to_owned())),
    }
}

fn id(choice: &Choice) -> String {
    match choice {
        Choice::Quit => QUIT.to_owned(),
        Choice::Start => START.to_owned(),
        Choice::Entry(id) => format!("{ENTRY}{id}"),
    }
}

/// `text` where an ampersand marks the key of an entry.
fn without_mnemonics(text: &str) -> String {
    text.replace('&', "&&")
}

fn entry(item: &Item) -> tray_icon::menu::Result<Box<dyn IsMenuItem>> {
    Ok(match item {
        Item::Separator => Box::new(PredefinedMenuItem::separator()),
        Item::Label(text) => Box::new(MenuItem::new(without_mnemonics(text), false, None)),
        Item::Action {
            text,
            enabled,
            checked,
            choice,
        } => {
            let (id, text) = (id(choice), without_mnemonics(text));
            match *checked {
                None => Box::new(MenuItem::with_id(id, text, *enabled, None)),
                Some(on) => Box::new(CheckMenuItem::with_id(id, text, *enabled, on, None)),
            }
        }
        Item::Group { text, items } => {
            let group = Submenu::new(without_mnemonics(text), true);
            for item in items {
                group.append(entry(item)?.as_ref())?;
            }
            Box::new(group)
        }
    })
}

fn menu(view: &View) -> tray_icon::menu::Result<Menu> {
    let menu = Menu::new();
    for item in &view.items {
        menu.append(entry(item)?.as_ref())?;
    }
    Ok(menu)
}

fn picture(icon: MenuIcon) -> Option<Icon> {
    let largest = pixels(icon).last()?;
    let side = u32::from(largest.side);
    Icon::from_rgba(largest.rgba.clone(), side, side).ok()
}

/// On the main thread: draws, and makes the item where there is none yet. What the system refuses
/// is tried again with the next view.
fn show(view: &View) {
    let (Ok(menu), picture) = (menu(view), picture(view.icon)) else {
        return;
    };
    SHOWN.with_borrow_mut(|shown| match shown {
        Some(item) => {
            item.set_menu(Some(Box::new(menu)));
            let _ = item.set_tooltip(Some(&view.tooltip));
            let _ = item.set_icon(picture);
        }
        None => {
            let mut new = TrayIconBuilder::new()
                .with_menu(Box::new(menu))
                .with_tooltip(&view.tooltip);
            if let Some(picture) = picture {
                new = new.with_icon(picture);
            }
            *shown = new.build().ok();
        }
    });
}

/// There is always a menu bar.
pub(crate) async fn look() -> Vec<Look> {
    vec![Look {
        what: "menu bar",
        good: true,
        seen: "the system's own".to_owned(),
    }]
}
