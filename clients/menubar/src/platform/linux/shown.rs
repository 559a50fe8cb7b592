//! A view as a StatusNotifierItem and its menu.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use convergio_contract::menu::MenuIcon;
use ksni::{
    Category, Icon, MenuItem, OfflineReason, Status, ToolTip,
    menu::{CheckmarkItem, StandardItem, SubMenu},
};
use tokio::sync::mpsc;

use crate::{
    icon::pixels,
    model::{Choice, Item, View},
};

/// Whether a watcher knows of the item.
#[derive(Clone, Debug)]
pub(super) struct Watched(Arc<AtomicBool>);

impl Default for Watched {
    /// Believed until the contrary is heard.
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Watched {
    pub(super) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, watched: bool) {
        self.0.store(watched, Ordering::Relaxed);
    }
}

/// What is on the bus.
pub(super) struct Shown {
    pub(super) view: Arc<View>,
    pub(super) chosen: mpsc::Sender<Choice>,
    pub(super) watched: Watched,
}

impl Shown {
    fn choose(&self, choice: &Choice) {
        // Where too many wait nothing is done, as with a click on a menu that hangs.
        let _ = self.chosen.try_send(choice.clone());
    }

    fn wants_attention(&self) -> bool {
        matches!(self.view.icon, MenuIcon::Attention | MenuIcon::Trouble)
    }

    fn pixmaps(&self) -> Vec<Icon> {
        pixels(self.view.icon)
            .iter()
            .map(|pixels| Icon {
                width: i32::from(pixels.side),
                height: i32::from(pixels.side),
                data: pixels
                    .rgba
                    .chunks_exact(4)
                    .flat_map(|pixel| [pixel[3], pixel[0], pixel[1], pixel[2]])
                    .collect(),
            })
            .collect()
    }
}

/// `text` where an underscore marks the key of an entry.
fn without_mnemonics(text: &str) -> String {
    text.replace('_', "__")
}

/// `text` where markup is understood.
fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn item(item: &Item) -> MenuItem<Shown> {
    match item {
        Item::Separator => MenuItem::Separator,
        Item::Label(text) => StandardItem {
            label: without_mnemonics(text),
            enabled: false,
            ..Default::default()
        }
        .into(),
        Item::Action {
            text,
            enabled,
            checked,
            choice,
        } => {
            let (label, enabled) = (without_mnemonics(text), *enabled);
            let choice = choice.clone();
            let activate = Box::new(move |shown: &mut Shown| shown.choose(&choice));
            match *checked {
                None => StandardItem {
                    label,
                    enabled,
                    activate,
                    ..Default::default()
                }
                .into(),
                Some(checked) => CheckmarkItem {
                    label,
                    enabled,
                    checked,
                    activate,
                    ..Default::default()
                }
                .into(),
            }
        }
        Item::Group { text, items } => SubMenu {
            label: without_mnemonics(text),
            submenu: items.iter().map(self::item).collect(),
            ..Default::default()
        }
        .into(),
    }
}

impl ksni::Tray for Shown {
    const MENU_ON_ACTIVATE: bool = true;

    fn id(&self) -> String {
        "convergio".to_owned()
    }

    fn title(&self) -> String {
        "Convergio".to_owned()
    }

    fn category(&self) -> Category {
        Category::ApplicationStatus
    }

    fn status(&self) -> Status {
        match self.wants_attention() {
            true => Status::NeedsAttention,
            false => Status::Active,
        }
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        self.pixmaps()
    }

    fn attention_icon_pixmap(&self) -> Vec<Icon> {
        match self.wants_attention() {
            true => self.pixmaps(),
            false => Vec::new(),
        }
    }

    fn tool_tip(&self) -> ToolTip {
        ToolTip {
            title: "Convergio".to_owned(),
            description: without_markup(&self.view.tooltip),
            ..Default::default()
        }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.view.items.iter().map(item).collect()
    }

    fn watcher_online(&self) {
        self.watched.set(true);
    }

    fn watcher_offline(&self, _: OfflineReason) -> bool {
        self.watched.set(false);
        // Another one may come.
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_make_neither_mnemonics_nor_markup() {
        assert_eq!(without_mnemonics("a_b & __c"), "a__b & ____c");
        assert_eq!(without_markup("<b>&amp;"), "&lt;b&gt;&amp;amp;");
    }

    #[test]
    fn pictures_go_out_with_opacity_first() {
        let (chosen, _choices) = mpsc::channel(1);
        let shown = Shown {
            view: Arc::new(View::default()),
            chosen,
            watched: Watched::default(),
        };
        let pixmaps = shown.pixmaps();
        for (pixmap, pixels) in pixmaps.iter().zip(pixels(MenuIcon::Idle)) {
            let middle = 4 * (pixels.rgba.len() / 8 + usize::from(pixels.side) / 2);
            let [red, green, blue, opacity] = pixels.rgba[middle..middle + 4] else {
                panic!("four bytes a pixel");
            };
            assert_eq!(pixmap.data[middle..middle + 4], [opacity, red, green, blue]);
        }
    }
}
