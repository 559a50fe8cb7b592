//! A watcher of the test's own, and what it can see of an item.

use std::collections::HashMap;

use futures_util::StreamExt;
use tokio::{sync::mpsc, time::timeout};
use zbus::{
    Connection, MatchRule, MessageStream,
    zvariant::{OwnedValue, Structure, Value},
};

use crate::{desktop::bus::Bus, harness::process::LIMIT};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";
const ITEM_PATH: &str = "/StatusNotifierItem";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU_PATH: &str = "/MenuBar";
const MENU: &str = "com.canonical.dbusmenu";

struct Register {
    items: mpsc::Sender<String>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Register {
    fn register_status_notifier_item(&self, service: String) {
        self.items.try_send(service).expect("few register");
    }
}

/// Looks after icons while it lives.
pub struct Watcher {
    items: mpsc::Receiver<String>,
}

impl Watcher {
    /// Comes onto the bus.
    pub fn come(bus: &Bus) -> Self {
        let (sender, items) = mpsc::channel(16);
        bus.on(async |bus| {
            let register = Register { items: sender };
            bus.object_server().at(WATCHER_PATH, register).await?;
            bus.request_name(WATCHER).await
        });
        Self { items }
    }

    /// The next item that registers.
    pub fn item(&mut self, bus: &Bus) -> Item {
        let service = bus.on(async |_| Ok(self.items.recv().await));
        Item {
            service: service.expect("the watcher lives"),
        }
    }

    /// Leaves the bus.
    pub fn go(self, bus: &Bus) {
        bus.on(async |bus| {
            bus.release_name(WATCHER).await?;
            let server = bus.object_server();
            server.remove::<Register, _>(WATCHER_PATH).await
        });
    }
}

/// An entry of the menu.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Its number on the bus.
    pub id: i32,
    /// As it goes over the bus.
    pub label: String,
    /// It can be chosen.
    pub enabled: bool,
    /// It is a line.
    pub separator: bool,
    /// On or off.
    pub checked: Option<bool>,
    /// One level down.
    pub below: Vec<Entry>,
}

impl Entry {
    /// The entry of this label here or below.
    pub fn find(&self, label: &str) -> Option<&Entry> {
        if self.label == label {
            return Some(self);
        }
        self.below.iter().find_map(|entry| entry.find(label))
    }

    /// The number of the entry that is reached over these labels.
    pub fn id(&self, labels: &[&str]) -> i32 {
        let mut entry = self;
        for label in labels {
            let found = entry.below.iter().find(|below| below.label.contains(label));
            entry = found.unwrap_or_else(|| panic!("no {label}: {}", self.text()));
        }
        entry.id
    }

    /// All of it, for looking into.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for entry in &self.below {
            let mark = match entry.checked {
                Some(true) => "[x] ",
                Some(false) => "[ ] ",
                None if entry.separator => "---",
                None => "",
            };
            let grey = if entry.enabled { "" } else { " (grey)" };
            text.push_str(&format!("{mark}{}{grey}\n", entry.label));
            for line in entry.text().lines() {
                text.push_str(&format!("  {line}\n"));
            }
        }
        text
    }
}

type Properties = HashMap<String, OwnedValue>;
type Layout = (u32, (i32, Properties, Vec<OwnedValue>));

fn entry(id: i32, properties: &Properties, children: &[OwnedValue]) -> Entry {
    let text = |name: &str| -> Option<String> {
        let text: Result<&str, _> = properties.get(name)?.downcast_ref();
        text.ok().map(str::to_owned)
    };
    let flag = |name: &str| -> Option<bool> { properties.get(name)?.downcast_ref().ok() };
    let state = || -> Option<i32> { properties.get("toggle-state")?.downcast_ref().ok() };
    let toggles = text("toggle-type").is_some();
    Entry {
        id,
        label: text("label").unwrap_or_default(),
        enabled: flag("enabled").unwrap_or(true),
        separator: text("type").as_deref() == Some("separator"),
        checked: toggles.then(|| state() == Some(1)),
        below: children.iter().map(child).collect(),
    }
}

fn child(value: &OwnedValue) -> Entry {
    let value = value.try_clone().expect("a value");
    let structure = Structure::try_from(Value::from(value)).expect("an entry");
    let (id, properties, children): (i32, Properties, Vec<OwnedValue>) =
        structure.try_into().expect("an entry");
    entry(id, &properties, &children)
}

/// What registered.
#[derive(Clone, Debug)]
pub struct Item {
    service: String,
}

impl Item {
    /// A property.
    pub fn property(&self, bus: &Bus, name: &str) -> OwnedValue {
        let place = (
            self.service.as_str(),
            ITEM_PATH,
            "org.freedesktop.DBus.Properties",
        );
        let value = bus.call(place, "Get", &(ITEM, name));
        value.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A property that is a text.
    pub fn text(&self, bus: &Bus, name: &str) -> String {
        let value = self.property(bus, name);
        String::try_from(value).expect("a text")
    }

    /// The menu now.
    pub fn menu(&self, bus: &Bus) -> Entry {
        bus.on(async |bus| self.layout(bus).await)
    }

    async fn layout(&self, bus: &Connection) -> zbus::Result<Entry> {
        let arguments = (0_i32, -1_i32, Vec::<String>::new());
        let service = Some(self.service.as_str());
        let answer = bus
            .call_method(service, MENU_PATH, Some(MENU), "GetLayout", &arguments)
            .await?;
        let (_, (id, properties, children)): Layout = answer.body().deserialize()?;
        Ok(entry(id, &properties, &children))
    }

    /// The first menu that fits, now or after one of the changes that are told.
    pub fn menu_where(&self, bus: &Bus, fits: impl Fn(&Entry) -> bool) -> Entry {
        bus.on(async |bus| {
            let rule = MatchRule::builder()
                .msg_type(zbus::message::Type::Signal)
                .interface(MENU)?
                .build();
            let mut changes = MessageStream::for_match_rule(rule, bus, Some(64)).await?;
            loop {
                let menu = self.layout(bus).await?;
                if fits(&menu) {
                    return Ok(menu);
                }
                let change = timeout(LIMIT / 2, changes.next()).await;
                let told = || panic!("nothing changes any more: {}", menu.text());
                change.unwrap_or_else(|_| told()).expect("a bus")?;
            }
        })
    }

    /// The first menu that contains this.
    pub fn menu_with(&self, bus: &Bus, text: &str) -> Entry {
        self.menu_where(bus, |menu| menu.text().contains(text))
    }

    /// Chooses an entry as a panel does.
    pub fn click(&self, bus: &Bus, id: i32) -> zbus::Result<()> {
        let place = (self.service.as_str(), MENU_PATH, MENU);
        let arguments = (id, "clicked", Value::from(0_i32), 0_u32);
        bus.call(place, "Event", &arguments)
    }
}
