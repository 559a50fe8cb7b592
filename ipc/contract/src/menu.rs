//! The menu of a menu bar, as the daemon makes it: a client draws it and says what was chosen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Empty, method};

method!(
    /// The menu as it is now.
    MenuGet, "menu.get", MenuGetParams => Menu, 10_000
);
method!(
    /// An entry was chosen. One that is gone is a conflict, and nothing happens.
    MenuAct, "menu.act", MenuActParams => MenuActResponse, 15_000
);
method!(
    /// Holds back work that nobody waits for, or lets it go on. Reminders are never held back.
    BackgroundPause, "background.pause", BackgroundPauseParams => BackgroundState, 10_000
);
method!(
    /// Whether work that nobody waits for is held back, and why.
    BackgroundGet, "background.get", Empty => BackgroundState, 10_000
);

/// The user's language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MenuGetParams {
    /// `en` or `it`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// How the daemon is, in one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MenuIcon {
    /// Nothing to say.
    #[default]
    Idle,
    /// Something runs.
    Busy,
    /// A reminder or an approval waits.
    Attention,
    /// A budget is used up, or something is broken.
    Trouble,
    /// No daemon answers; only a client says so.
    Offline,
}

/// A whole menu.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Menu {
    /// The picture.
    pub icon: MenuIcon,
    /// A few words beside or above the icon: `2 reminders · $0.31 today`.
    pub tooltip: String,
    /// From top to bottom, 64 at most.
    pub entries: Vec<MenuEntry>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MenuEntry {
    /// Stays the same while the entry means the same: `task:12`, `run:…:cancel`.
    pub id: String,
    /// What kind it is.
    #[serde(flatten)]
    pub kind: MenuKind,
}

/// Kinds of entries. Texts are plain: no markup, no mnemonics, one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MenuKind {
    /// A line between groups.
    Separator,
    /// A line of text that cannot be chosen.
    Label {
        /// The text.
        text: String,
    },
    /// An entry that can be chosen: its id goes to `menu.act`.
    Action {
        /// The text.
        text: String,
        /// It can be chosen now.
        enabled: bool,
    },
    /// An entry that is on or off.
    Check {
        /// The text.
        text: String,
        /// On.
        checked: bool,
        /// It can be chosen now.
        enabled: bool,
    },
    /// Entries one level down; no deeper.
    Submenu {
        /// The text.
        text: String,
        /// 16 at most.
        entries: Vec<MenuEntry>,
    },
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MenuActParams {
    /// The entry.
    pub id: String,
    /// For the answer: `en` or `it`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// What a client does now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MenuActResponse {
    /// What happened, in words.
    pub said: String,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackgroundPauseParams {
    /// Hold back, or let go on.
    pub paused: bool,
}

/// Whether work that nobody waits for is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackgroundState {
    /// It is held back now.
    pub paused: bool,
    /// Why: `asked`, `battery`, `offline`, `sleep`; all that hold.
    pub reasons: Vec<String>,
}
