//! One notification, before it is anybody's wire.

use std::collections::HashMap;

use convergio_contract::Uuid;
use zbus::zvariant::Value;

use super::{Buttons, Server};

/// Under this name, and beside this picture, a desktop groups what is ours.
pub(super) const APP_NAME: &str = "Convergio";
const DESKTOP_ENTRY: &str = "convergio";
/// As the specification numbers them.
const NORMAL: u8 = 1;
const CRITICAL: u8 = 2;

/// What is to be shown. Texts are plain; markup in them is text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bubble {
    /// Shown in place of the one that the same server calls so; 0 for a new one.
    pub(crate) replaces: u32,
    /// A server that knows stacks shows one notification of each.
    pub(crate) stack: String,
    /// Whose it is.
    pub(crate) occurrence: Option<Uuid>,
    /// One line.
    pub(crate) title: String,
    /// More of it.
    pub(crate) body: String,
    /// What can be chosen.
    pub(crate) buttons: Buttons,
    /// It may pass the desktop's own do-not-disturb.
    pub(crate) critical: bool,
    /// It goes by itself after a while.
    pub(crate) passing: bool,
}

impl Bubble {
    /// Title and body, as this server takes them.
    pub(super) fn texts(&self, server: &Server) -> (String, String) {
        let body = match server.can("body-markup") {
            true => escaped(&self.body),
            false => self.body.clone(),
        };
        match server.can("body") || self.body.is_empty() {
            true => (self.title.clone(), body),
            false => (format!("{} ({})", self.title, self.body), String::new()),
        }
    }

    /// What can be chosen, where this server shows such.
    pub(super) fn actions(&self, server: &Server) -> Vec<&str> {
        match server.can("actions") {
            true => self.buttons.flat(),
            false => Vec::new(),
        }
    }

    pub(super) fn hints(&self) -> HashMap<&'static str, Value<'_>> {
        let urgency = if self.critical { CRITICAL } else { NORMAL };
        let mut hints = HashMap::from([
            ("urgency", Value::U8(urgency)),
            ("desktop-entry", Value::from(DESKTOP_ENTRY)),
            ("x-dunst-stack-tag", Value::from(self.stack.as_str())),
        ]);
        if let Some(id) = self.occurrence {
            hints.insert("x-convergio-occurrence", Value::from(id.to_string()));
        }
        hints
    }

    /// Milliseconds, as the specification has them: −1 as the server likes, 0 until somebody acts.
    pub(super) fn expires(&self) -> i32 {
        if self.passing { -1 } else { 0 }
    }
}

/// Text for a server that reads markup: nothing in it is any.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bubble() -> Bubble {
        Bubble {
            title: "call <b>\"Mario\" & 'Ada'</b>".to_owned(),
            body: "#12 · <i>now</i> & later".to_owned(),
            buttons: Buttons::of_reminder(Uuid::nil(), "Done", "Later", "Open"),
            ..Bubble::default()
        }
    }

    #[test]
    fn markup_is_text_for_every_server() {
        let bubble = bubble();
        let plain = Server::of(&["body", "actions"]);
        assert_eq!(
            bubble.texts(&plain),
            (bubble.title.clone(), bubble.body.clone())
        );
        let markup = Server::of(&["body", "body-markup"]);
        let (title, body) = bubble.texts(&markup);
        // Titles have no markup in the specification.
        assert_eq!(title, bubble.title);
        assert_eq!(body, "#12 · &lt;i&gt;now&lt;/i&gt; &amp; later");
        assert_eq!(escaped("'\""), "&#39;&quot;");
    }

    #[test]
    fn what_a_server_cannot_show_is_not_sent_and_nothing_is_lost() {
        let bubble = bubble();
        let poor = Server::of(&[]);
        let (title, body) = bubble.texts(&poor);
        assert!(title.contains("#12") && body.is_empty(), "{title}");
        assert!(bubble.actions(&poor).is_empty());
        assert_eq!(bubble.actions(&Server::of(&["actions"])).len(), 8);
    }
}
