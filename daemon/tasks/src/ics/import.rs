//! Items of a calendar, and what was left out.

use std::collections::BTreeMap;

use super::item::{Item, Kind};
use super::line::{self, Line};
use super::reader::Reader;
use super::zones::Zones;

/// Bytes of a calendar at most.
pub const BYTES_MAX: usize = 8 << 20;
/// Components that stand directly in a calendar, at most; its zones are not counted.
pub const ITEMS_MAX: usize = 10_000;
/// Components within one another at most.
pub const DEPTH_MAX: usize = 8;
/// Lines of a component, and components within it, at most.
const PARTS_MAX: usize = 5_000;
/// Different names of what was left out; the rest is counted together.
const NAMES_MAX: usize = 500;

/// Why nothing of a text is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IcsError {
    /// Longer than [`BYTES_MAX`].
    #[error("more than {} MiB", BYTES_MAX >> 20)]
    TooLong,
    /// More than [`ITEMS_MAX`] components beside zones.
    #[error("more than {ITEMS_MAX} components")]
    TooMany,
    /// Deeper than [`DEPTH_MAX`].
    #[error("line {line}: more than {DEPTH_MAX} components within one another")]
    TooDeep {
        /// Where, from 1, of lines put together where they were folded.
        line: usize,
    },
    /// No `BEGIN:VCALENDAR`.
    #[error("no iCalendar: it does not begin with BEGIN:VCALENDAR")]
    NoCalendar,
    /// An `END` that ends something else, or nothing.
    #[error("line {line}: END of what has not begun")]
    WrongEnd {
        /// Where.
        line: usize,
    },
    /// Something has not ended.
    #[error("it is cut off: {open} has not ended")]
    CutOff {
        /// What.
        open: String,
    },
    /// Another version, or another calendar than the Gregorian.
    #[error("{0} is not read, only VERSION:2.0 of the Gregorian calendar")]
    Version(String),
}

/// Something that was not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What it was: `VEVENT ATTENDEE`, `RRULE (it never fires)`. Without control characters.
    pub what: String,
    /// How often.
    pub count: u64,
}

/// What a calendar holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// Tasks and events, in their order.
    pub items: Vec<Item>,
    /// What was not taken over, by name.
    pub left_out: Vec<LeftOut>,
}

/// Counts what is left out.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(super) fn add(&mut self, what: impl Into<String>) {
        let mut what: String = what.into();
        if !self.0.contains_key(&what) && self.0.len() >= NAMES_MAX {
            "others".clone_into(&mut what);
        }
        *self.0.entry(what).or_default() += 1;
    }
}

/// Text of others as it may stand in a name.
pub(super) fn excerpt(text: &str) -> String {
    let sound = |c: char| {
        if c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    let mut out: String = text.chars().map(sound).take(60).collect();
    if text.chars().nth(60).is_some() {
        out.push('…');
    }
    out
}

/// A component with its lines.
#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
    pub(super) within: Vec<Component>,
}

/// Reads a calendar, or several one after another.
///
/// # Errors
///
/// Where nothing can be taken. A single item or property that cannot is counted in
/// [`Import::left_out`].
pub fn import(text: &[u8]) -> Result<Import, IcsError> {
    if text.len() > BYTES_MAX {
        return Err(IcsError::TooLong);
    }
    // A zone may stand behind what names it.
    let mut zones = Zones::default();
    walk(text, &mut Tally::default(), |component, _| {
        if component.name == "VTIMEZONE" {
            zones.define(&component);
        }
    })?;
    let mut items = Vec::new();
    let mut left_out = Tally::default();
    walk(text, &mut left_out, |component, left_out| {
        let has = |name| component.lines.iter().any(|line| line.name == name);
        let kind = match component.name.as_str() {
            "VTODO" => Kind::Todo,
            "VEVENT" => Kind::Event,
            "VTIMEZONE" => return,
            _ => return left_out.add(component.name),
        };
        if has("RECURRENCE-ID") {
            left_out.add(format!(
                "{} (a changed occurrence of a repeating one)",
                component.name
            ));
        } else if kind == Kind::Event && !has("DTSTART") {
            left_out.add("VEVENT (without a start)");
        } else {
            items.push(
                Reader {
                    zones: &mut zones,
                    left_out,
                }
                .item(kind, component),
            );
        }
    })?;
    let left_out = left_out
        .0
        .into_iter()
        .map(|(what, count)| LeftOut { what, count })
        .collect();
    Ok(Import { items, left_out })
}

/// Hands out each component of the calendars of a text as it ends.
fn walk(
    text: &[u8],
    left_out: &mut Tally,
    mut each: impl FnMut(Component, &mut Tally),
) -> Result<(), IcsError> {
    let mut found = 0;
    let mut open: Vec<Component> = Vec::new();
    let mut calendars = 0_u32;
    for (number, bytes) in line::unfold(text).enumerate() {
        let number = number + 1;
        let text = String::from_utf8_lossy(&bytes);
        if text.trim().is_empty() {
            continue;
        }
        if matches!(text, std::borrow::Cow::Owned(_)) {
            left_out.add("bytes that are no UTF-8");
        }
        let Some(line) = Line::read(&text) else {
            if calendars == 0 {
                return Err(IcsError::NoCalendar);
            }
            left_out.add("line that is no property");
            continue;
        };
        let named = || excerpt(&line.value.trim().to_ascii_uppercase());
        match line.name.as_str() {
            "BEGIN" => {
                let name = named();
                if open.is_empty() && name != "VCALENDAR" {
                    return Err(IcsError::NoCalendar);
                }
                if open.len() >= DEPTH_MAX {
                    return Err(IcsError::TooDeep { line: number });
                }
                calendars += u32::from(open.is_empty());
                open.push(Component {
                    name,
                    ..Component::default()
                });
            }
            "END" => {
                let Some(done) = open.pop().filter(|done| done.name == named()) else {
                    return Err(IcsError::WrongEnd { line: number });
                };
                match open.len() {
                    0 => calendar(&done, left_out)?,
                    1 => {
                        // Zones are not what was asked for, and kept by none.
                        found += usize::from(done.name != "VTIMEZONE");
                        if found > ITEMS_MAX {
                            return Err(IcsError::TooMany);
                        }
                        each(done, left_out);
                    }
                    _ => hold(
                        open.last_mut().map(|parent| &mut parent.within),
                        done,
                        left_out,
                    ),
                }
            }
            _ if calendars == 0 => return Err(IcsError::NoCalendar),
            _ => hold(
                open.last_mut().map(|parent| &mut parent.lines),
                line,
                left_out,
            ),
        }
    }
    match open.pop() {
        Some(open) => Err(IcsError::CutOff { open: open.name }),
        None if calendars == 0 => Err(IcsError::NoCalendar),
        None => Ok(()),
    }
}

fn hold<T>(place: Option<&mut Vec<T>>, what: T, left_out: &mut Tally) {
    match place {
        None => left_out.add("line outside of a calendar"),
        Some(place) if place.len() >= PARTS_MAX => left_out.add("component with too many parts"),
        Some(place) => place.push(what),
    }
}

/// The calendar's own properties.
fn calendar(calendar: &Component, left_out: &mut Tally) -> Result<(), IcsError> {
    for line in &calendar.lines {
        let value = line.value.trim().to_ascii_uppercase();
        match line.name.as_str() {
            "PRODID" => {}
            "VERSION" if value == "2.0" => {}
            "CALSCALE" if value == "GREGORIAN" => {}
            name @ ("VERSION" | "CALSCALE") => {
                return Err(IcsError::Version(format!("{name}:{}", excerpt(&value))));
            }
            name => left_out.add(format!("VCALENDAR {}", excerpt(name))),
        }
    }
    Ok(())
}
