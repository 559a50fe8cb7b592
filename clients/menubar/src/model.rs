//! What is drawn: pure. A state becomes a [`View`], and two views have a [`Difference`].

use convergio_contract::menu::{Menu, MenuEntry, MenuIcon, MenuKind};

use crate::words::Words;

/// Entries of a menu, and of one of its groups, at most; the contract's own bounds.
const ENTRIES_MAX: usize = 64;
const GROUP_MAX: usize = 16;
/// Characters of one line at most.
const CHARS_MAX: usize = 120;

/// What a person chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// An entry of the daemon's, by its id.
    Entry(String),
    /// Start the daemon.
    Start,
    /// End this client.
    Quit,
}

/// One line of a menu. Texts are plain, on one line; a platform escapes what it gives a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A line between groups.
    Separator,
    /// Text alone.
    Label(String),
    /// Can be chosen.
    Action {
        /// The text.
        text: String,
        /// It can be chosen now.
        enabled: bool,
        /// On or off, where it is a switch.
        checked: Option<bool>,
        /// What choosing it means.
        choice: Choice,
    },
    /// Lines one level down.
    Group {
        /// The text.
        text: String,
        /// No groups among them.
        items: Vec<Item>,
    },
}

/// All that is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The picture.
    pub(crate) icon: MenuIcon,
    /// A few words beside it.
    pub(crate) tooltip: String,
    /// From top to bottom.
    pub(crate) items: Vec<Item>,
}

/// How the daemon can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not known yet.
    #[default]
    Looking,
    /// It answers; its menu may still be on its way.
    Connected(Option<Box<Menu>>),
    /// None answers.
    Lost,
}

/// All that a view is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The daemon.
    pub(crate) link: Link,
    /// It is being started.
    pub(crate) starting: bool,
    /// What came of the last choice, where that must be said.
    pub(crate) notice: Option<String>,
}

/// How two views differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Another picture.
    pub(crate) icon: bool,
    /// Other words beside it.
    pub(crate) tooltip: bool,
    /// Lines that are the same ones and look otherwise: text, on or off, can be chosen or not.
    pub(crate) looks: usize,
    /// Some line stands for something else than the one in its place did, or lines came or went.
    /// A click that was meant for the old ones must reach none of the new ones.
    pub(crate) meaning: bool,
}

impl Difference {
    /// Nothing has to be drawn.
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// `text` on one line without anything that could break it, cut with `…`.
fn line(text: &str) -> String {
    let cut = text.chars().count() > CHARS_MAX;
    let shown = if cut { CHARS_MAX - 1 } else { CHARS_MAX };
    let mut line: String = text
        .chars()
        .take(shown)
        .map(|one| match one.is_control() {
            true => ' ',
            false => one,
        })
        .collect();
    if cut {
        line.push('…');
    }
    line
}

fn item(entry: &MenuEntry) -> Item {
    let action = |text: &str, enabled, checked| Item::Action {
        text: line(text),
        enabled,
        checked,
        choice: Choice::Entry(entry.id.clone()),
    };
    match &entry.kind {
        MenuKind::Separator => Item::Separator,
        MenuKind::Label { text } => Item::Label(line(text)),
        MenuKind::Action { text, enabled } => action(text, *enabled, None),
        MenuKind::Check {
            text,
            checked,
            enabled,
        } => action(text, *enabled, Some(*checked)),
        MenuKind::Submenu { text, entries } => Item::Group {
            text: line(text),
            // The contract knows no group in a group.
            items: entries
                .iter()
                .filter(|entry| !matches!(entry.kind, MenuKind::Submenu { .. }))
                .take(GROUP_MAX)
                .map(item)
                .collect(),
        },
    }
}

/// What is drawn of a state.
pub(crate) fn view(state: &State, words: &Words) -> View {
    let mut items = Vec::new();
    if let Some(notice) = &state.notice {
        items.extend([Item::Label(line(notice)), Item::Separator]);
    }
    let (icon, tooltip) = match &state.link {
        Link::Connected(Some(menu)) => {
            items.extend(menu.entries.iter().take(ENTRIES_MAX).map(item));
            (menu.icon, line(&menu.tooltip))
        }
        Link::Looking | Link::Connected(None) => {
            items.push(Item::Label(words.looking.to_owned()));
            (MenuIcon::Offline, words.looking.to_owned())
        }
        Link::Lost => {
            let said = match state.starting {
                true => words.starting,
                false => words.does_not_answer,
            };
            items.push(Item::Label(said.to_owned()));
            items.push(Item::Action {
                text: words.start.to_owned(),
                enabled: !state.starting,
                checked: None,
                choice: Choice::Start,
            });
            (MenuIcon::Offline, said.to_owned())
        }
    };
    if !matches!(items.last(), None | Some(Item::Separator)) {
        items.push(Item::Separator);
    }
    items.push(Item::Action {
        text: words.quit.to_owned(),
        enabled: true,
        checked: None,
        choice: Choice::Quit,
    });
    View {
        icon,
        tooltip,
        items,
    }
}

/// What has to change for `new` to be seen where `old` is.
pub(crate) fn difference(old: &View, new: &View) -> Difference {
    let (looks, meaning) = compare(&old.items, &new.items);
    Difference {
        icon: old.icon != new.icon,
        tooltip: old.tooltip != new.tooltip,
        looks,
        meaning,
    }
}

/// How many lines look otherwise, and whether any is another one.
fn compare(old: &[Item], new: &[Item]) -> (usize, bool) {
    let mut looks = 0;
    let mut meaning = old.len() != new.len();
    for (old, new) in old.iter().zip(new) {
        match (old, new) {
            (Item::Separator, Item::Separator) => {}
            (Item::Label(old), Item::Label(new)) => looks += usize::from(old != new),
            (
                Item::Group { text, items },
                Item::Group {
                    text: now,
                    items: below,
                },
            ) => {
                let (within, other) = compare(items, below);
                looks += within + usize::from(text != now);
                meaning |= other;
            }
            (
                Item::Action {
                    choice, checked, ..
                },
                Item::Action {
                    choice: now,
                    checked: on,
                    ..
                },
            ) if choice == now && checked.is_some() == on.is_some() => {
                looks += usize::from(old != new);
            }
            _ => meaning = true,
        }
    }
    (looks, meaning)
}

#[cfg(test)]
mod tests;
