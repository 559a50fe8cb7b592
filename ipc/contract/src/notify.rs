//! Desktop notifications: which path works.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Empty, method};

method!(
    /// Shows a notification now and says by which path, or why not.
    NotifyTest, "notify.test", Empty => NotifyTestResponse, 15_000
);

/// What came of the test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotifyTestResponse {
    /// A server took it.
    pub shown: bool,
    /// `dbus`, `menubar` or `none`.
    pub path: String,
    /// The server's name and version: `dunst 1.9.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What it can do, in its own words: `actions`, `body`, `persistence`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Buttons work.
    pub actions: bool,
    /// Its own do-not-disturb holds, as far as it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_not_disturb: Option<bool>,
    /// Our own quiet hours hold now.
    pub quiet_hours: bool,
    /// Each thing that was tried, in order, with what came of it.
    pub tried: Vec<String>,
    /// A command or a step that gets the person on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
