//! Pages of an export put together, so that one text comes out however many there were.

use serde_json::Value;

use crate::{
    error::{Failure, Kind},
    hint::Hint,
    output::escape,
};

/// One calendar of several: the properties of the first, the components of all, a time zone once.
pub(super) fn calendars(pages: &[String]) -> String {
    if let [one] = pages {
        return one.clone();
    }
    let mut head = String::new();
    let mut zones: Vec<String> = Vec::new();
    let mut rest = String::new();
    for (i, page) in pages.iter().enumerate() {
        let (mut depth, mut part) = (0_usize, String::new());
        for line in page.split_inclusive('\n') {
            let word = line.trim_end().to_ascii_uppercase();
            if word.starts_with("BEGIN:") {
                depth += 1;
            }
            match depth {
                // What belongs to the calendar itself.
                0 | 1 if word.starts_with("END:") || word.starts_with("BEGIN:") => {}
                0 | 1 if i == 0 => head.push_str(line),
                0 | 1 => {}
                _ => part.push_str(line),
            }
            if word.starts_with("END:") {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    let part = std::mem::take(&mut part);
                    if !part.to_ascii_uppercase().starts_with("BEGIN:VTIMEZONE") {
                        rest.push_str(&part);
                    } else if !zones.contains(&part) {
                        zones.push(part);
                    }
                }
            }
        }
    }
    format!(
        "BEGIN:VCALENDAR\r\n{head}{}{rest}END:VCALENDAR\r\n",
        zones.concat()
    )
}

/// One array of several.
pub(super) fn arrays(pages: &[String]) -> Result<String, Failure> {
    let mut all = Vec::new();
    for page in pages {
        let mut rows: Vec<Value> = serde_json::from_str(page).map_err(|error| {
            Failure::new(
                Kind::Unreachable,
                "`cv` and the daemon do not understand each other",
                error.to_string(),
                Hint::REINSTALL,
            )
        })?;
        all.append(&mut rows);
    }
    let text = escape::pretty_json(&all).map_err(|error| Failure::output(&error.into()))?;
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_calendar_become_one() {
        let page = |uid: &str| {
            format!(
                "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Rome\r\n\
                 BEGIN:STANDARD\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VTODO\r\nUID:{uid}\r\n\
                 SUMMARY:END:VTODO is\r\n  no end\r\nBEGIN:VALARM\r\nEND:VALARM\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
            )
        };
        let one = calendars(&[page("a")]);
        assert_eq!(one, page("a"));
        let joined = calendars(&[page("a"), page("b")]);
        assert_eq!(joined.matches("BEGIN:VCALENDAR").count(), 1);
        assert_eq!(joined.matches("END:VCALENDAR").count(), 1);
        assert_eq!(joined.matches("VERSION:2.0").count(), 1);
        assert_eq!(joined.matches("BEGIN:VTIMEZONE").count(), 1);
        assert_eq!(joined.matches("BEGIN:VALARM").count(), 2);
        assert!(joined.contains("UID:a\r\n") && joined.contains("UID:b\r\n"));
        assert!(joined.ends_with("END:VTODO\r\nEND:VCALENDAR\r\n"));
    }

    #[test]
    fn pages_of_json_become_one_array() {
        let joined = arrays(&[
            "[{\"a\":1}]".to_owned(),
            "[]".to_owned(),
            "[{\"b\":\"\\u009b\"}]".to_owned(),
        ])
        .expect("arrays");
        let value: Value = serde_json::from_str(&joined).expect("JSON");
        assert_eq!(value.as_array().map(Vec::len), Some(2));
        assert!(!joined.contains('\u{9b}'));
        assert!(arrays(&["{}".to_owned()]).is_err());
    }
}
