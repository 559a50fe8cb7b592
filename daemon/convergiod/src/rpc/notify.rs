//! Whether notifications work, and by which path.

use convergio_contract::{
    RpcError,
    method::Empty,
    notify::{NotifyTest, NotifyTestResponse},
};
use jiff::tz::TimeZone;

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    notifications::{Bubble, Link, NotifyError, Server},
    reminders::{quiet_until_ms, test_texts},
};

/// One after the other, so that a test that hangs is not asked for twice.
const STACK: &str = "convergio-test";

impl Handle<NotifyTest> for Daemon {
    async fn handle(&self, call: Call, _params: Empty) -> Result<NotifyTestResponse, RpcError> {
        let settings = self.settings_of(&call)?.notifications();
        let now_ms = self.reminders.clock.now_ms();
        let mut told = NotifyTestResponse {
            shown: false,
            path: "none".to_owned(),
            server: None,
            capabilities: Vec::new(),
            actions: false,
            do_not_disturb: None,
            quiet_hours: quiet_until_ms(&settings, now_ms, &TimeZone::system()).is_some(),
            tried: Vec::new(),
            hint: None,
        };
        let shown = self.try_bus(&mut told).await;
        if let Err(error) = shown {
            told.tried.push(error.to_string());
            self.try_menu_bar(&mut told);
            told.hint.get_or_insert_with(|| way_on(&error).to_owned());
        }
        if told.shown {
            told.hint = None;
        }
        if !settings.enabled {
            told.tried
                .push("reminders are not shown: notifications.enabled is false".to_owned());
            told.hint = Some("cv config set notifications.enabled true".to_owned());
        }
        // What could not be shown before may be shown now.
        if told.shown {
            self.reminders.show_again();
        }
        Ok(told)
    }
}

/// What gets a person on.
fn way_on(error: &NotifyError) -> &'static str {
    match error {
        // A daemon of a login without a desktop.
        NotifyError::Bus(_) => "cv stop && cv notify test",
        NotifyError::NoServer => "cv inbox",
        NotifyError::Failed(_) => "cv logs",
    }
}

impl Daemon {
    async fn try_bus(&self, told: &mut NotifyTestResponse) -> Result<(), NotifyError> {
        let mut link = Link::open(&self.desktop.session).await?;
        told.tried.push("the session bus answers".to_owned());
        let server = link.server().await?;
        describe(&server, told);
        told.do_not_disturb = link.do_not_disturb().await;
        let (title, body) = test_texts(self.language(None));
        let bubble = Bubble {
            stack: STACK.to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
            passing: true,
            ..Bubble::default()
        };
        link.show(&bubble).await?;
        told.tried.push(format!("{} took it", server.said()));
        if told.do_not_disturb == Some(true) {
            let held = "it holds notifications back: do-not-disturb is on there".to_owned();
            told.tried.push(held);
        }
        told.shown = true;
        told.path = "dbus".to_owned();
        Ok(())
    }

    fn try_menu_bar(&self, told: &mut NotifyTestResponse) {
        match self.topics.has_shower() {
            true => {
                let line = "a menu bar is connected, and shows reminders when they fire";
                told.tried.push(line.to_owned());
                told.path = "menubar".to_owned();
                told.hint = Some("cv remind 'it works' --at 'in 1 minute'".to_owned());
            }
            false => {
                let line = "no menu bar that shows reminders is connected";
                told.tried.push(line.to_owned());
            }
        }
    }
}

fn describe(server: &Server, told: &mut NotifyTestResponse) {
    told.server = Some(server.said());
    told.capabilities.clone_from(&server.capabilities);
    told.actions = server.can("actions");
    let buttons = match told.actions {
        true => "with buttons",
        false => "without buttons",
    };
    let line = format!("{} shows notifications, {buttons}", server.said());
    told.tried.push(line);
}
