//! What a button does, as it stands in its key.

use convergio_contract::Uuid;

/// Where nothing is chosen but the notification itself.
const DEFAULT: &str = "default";
/// Seconds of the one snooze that is offered.
const SNOOZE_S: u32 = 600;
/// Seconds of a snooze at most: a month.
const SNOOZE_MAX_S: u32 = 31 * 24 * 60 * 60;

/// What somebody wants of a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is done.
    Done(Uuid),
    /// Again in so many minutes.
    Snooze(Uuid, u32),
    /// Tell more of it.
    Open(Uuid),
    /// The notification was clicked; whose it is stands in the database.
    Default,
}

impl Asked {
    /// What a key says. `None` for keys that are not ours.
    pub(crate) fn of_key(key: &str) -> Option<Self> {
        if key == DEFAULT {
            return Some(Self::Default);
        }
        let mut parts = key.split(':');
        let (verb, id) = (parts.next()?, parts.next()?);
        let id = Uuid::try_parse(id).ok()?;
        let asked = match verb {
            "done" => Self::Done(id),
            "open" => Self::Open(id),
            "snooze" => {
                let seconds: u32 = parts.next()?.parse().ok()?;
                if !(60..=SNOOZE_MAX_S).contains(&seconds) {
                    return None;
                }
                Self::Snooze(id, seconds / 60)
            }
            _ => return None,
        };
        parts.next().is_none().then_some(asked)
    }
}

/// Keys and labels in the order in which D-Bus takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buttons(pub(crate) Vec<(String, String)>);

impl Buttons {
    /// Those of a reminder, with their labels.
    pub(crate) fn of_reminder(id: Uuid, done: &str, snooze: &str, open: &str) -> Self {
        let row = |key: String, label: &str| (key, label.to_owned());
        Self(vec![
            // Without a label it is the notification itself, and no button beside "Open".
            row(DEFAULT.to_owned(), ""),
            row(format!("done:{id}"), done),
            row(format!("snooze:{id}:{SNOOZE_S}"), snooze),
            row(format!("open:{id}"), open),
        ])
    }

    pub(super) fn flat(&self) -> Vec<&str> {
        let rows = self.0.iter();
        rows.flat_map(|(key, label)| [key.as_str(), label.as_str()])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_button_is_read_back_and_nothing_else_is() {
        let id = Uuid::now_v7();
        let buttons = Buttons::of_reminder(id, "Done", "Snooze 10 min", "Open");
        let asked: Vec<_> = buttons
            .0
            .iter()
            .map(|(key, _)| Asked::of_key(key))
            .collect();
        let all = [
            Some(Asked::Default),
            Some(Asked::Done(id)),
            Some(Asked::Snooze(id, 10)),
            Some(Asked::Open(id)),
        ];
        assert_eq!(asked, all);
        assert_eq!(buttons.flat().len(), 8);
        for key in [
            String::new(),
            "done".to_owned(),
            "done:".to_owned(),
            "done:12".to_owned(),
            format!("rm:{id}"),
            format!("done:{id}:"),
            format!("done:{id}:1"),
            format!("snooze:{id}"),
            format!("snooze:{id}:-600"),
            format!("snooze:{id}:59"),
            format!("snooze:{id}:4000000000"),
            format!("snooze:{id}:600:1"),
        ] {
            assert_eq!(Asked::of_key(&key), None, "{key}");
        }
    }
}
