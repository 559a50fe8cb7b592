//! Whether reminders can be shown.

use convergio_contract::health::Check;

use super::{fine, note};
use crate::notifications::NotifyError;

const ID: &str = "notifications";

/// What was found.
pub(crate) struct Found {
    /// The settings let reminders be shown.
    pub(crate) enabled: bool,
    /// Name and version of the server, and whether it has buttons; or why there is none.
    pub(crate) server: Result<(String, bool), NotifyError>,
    /// A client is connected that shows reminders itself.
    pub(crate) menu_bar: bool,
}

/// Judges it.
pub(crate) fn judge(found: &Found) -> Check {
    const WAIT: &str = "reminders wait in the inbox, and cv tells of them";
    if !found.enabled {
        let what = "reminders are not shown: notifications.enabled is false";
        return note(ID, what, WAIT, "cv config set notifications.enabled true");
    }
    match &found.server {
        Ok((server, true)) => fine(ID, format!("reminders are shown by {server}, with buttons")),
        Ok((server, false)) => fine(
            ID,
            format!("reminders are shown by {server}, which has no buttons"),
        ),
        Err(_) if found.menu_bar => fine(ID, "reminders are shown by the menu bar"),
        // A machine without a desktop has none, and that is no fault of anybody's.
        Err(error @ NotifyError::Bus(_)) => fine(ID, format!("{error}: {WAIT}")),
        Err(error) => note(ID, error.to_string(), WAIT, "cv notify test"),
    }
}

#[cfg(test)]
mod tests {
    use convergio_contract::health::CheckState;

    use super::*;
    use crate::desktop::bus::BusError;

    #[test]
    fn every_way_in_which_nothing_is_shown_is_told() {
        let judged = |enabled, server, menu_bar| {
            let check = judge(&Found {
                enabled,
                server,
                menu_bar,
            });
            let bad = check.state != CheckState::Ok;
            assert_eq!((check.why.is_empty(), check.fix.is_empty()), (!bad, !bad));
            (check.state, check.what)
        };
        let dunst = |buttons| Ok(("dunst 1.9.0".to_owned(), buttons));
        let no_bus = || Err(NotifyError::Bus(BusError::Unknown("session")));
        let (state, what) = judged(true, dunst(true), false);
        assert!(
            state == CheckState::Ok && what.contains("dunst 1.9.0, with"),
            "{what}"
        );
        let (state, what) = judged(true, dunst(false), false);
        assert!(
            state == CheckState::Ok && what.contains("no buttons"),
            "{what}"
        );
        let (state, what) = judged(true, no_bus(), false);
        assert!(state == CheckState::Ok && what.contains("inbox"), "{what}");
        let (state, what) = judged(true, no_bus(), true);
        assert!(
            state == CheckState::Ok && what.contains("menu bar"),
            "{what}"
        );
        let (state, what) = judged(true, Err(NotifyError::NoServer), false);
        assert!(state == CheckState::Warning && what.contains("no notification server"));
        let (state, what) = judged(false, dunst(true), false);
        assert!(
            state == CheckState::Warning && what.contains("enabled"),
            "{what}"
        );
    }
}
