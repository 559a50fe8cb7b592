//! Rare facts of the daemon that clients may hear: the latest value of each, no history.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{menu::Menu, method::method, task::Occurrence};

method!(
    /// Sends `events.notification` for the topics that are named, beginning with each one's
    /// present value. A second call of the same connection replaces the first.
    EventsSubscribe, "events.subscribe", EventsSubscribeParams => EventsSubscribeResponse, 10_000
);
method!(
    /// Ends the connection's subscription.
    EventsUnsubscribe, "events.unsubscribe", EventsUnsubscribeParams => EventsUnsubscribeResponse, 10_000
);

/// The method name of the notifications.
pub const TOPIC_NOTIFICATION: &str = "events.notification";

/// What can be heard.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A reminder fired, or was answered.
    #[serde(rename = "task.due")]
    TaskDue,
    /// The menu changed; once a second at most.
    #[serde(rename = "menu.changed")]
    MenuChanged,
}

/// Which topics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsSubscribeParams {
    /// At least one.
    pub topics: Vec<Topic>,
    /// For texts: `en` or `it`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// This client shows reminders itself (macOS): those that nobody else shows come with
    /// `show: true`.
    #[serde(default)]
    pub shows_reminders: bool,
}

/// The subscription is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsSubscribeResponse {
    /// What is heard now.
    pub topics: Vec<Topic>,
}

/// Nothing to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsUnsubscribeParams {}

/// The subscription is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsUnsubscribeResponse {}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "topic")]
pub enum TopicEvent {
    /// The latest reminder.
    #[serde(rename = "task.due")]
    TaskDue {
        /// The reminder as it is now.
        occurrence: Box<Occurrence>,
        /// The client is asked to show it.
        show: bool,
    },
    /// The menu as it is now.
    #[serde(rename = "menu.changed")]
    MenuChanged {
        /// All of it.
        menu: Box<Menu>,
    },
}
