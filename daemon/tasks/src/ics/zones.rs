//! Names of zones in calendars, and zones written into them.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Dst, Offset, TimeZone};

use super::import::Component;
use super::line::{self, Line};
use super::observance::Defined;

/// Windows' names of zones and their main place, from Unicode CLDR (`windowsZones.xml`).
const WINDOWS: &str = include_str!("windows_zones.tsv");
/// Different names that are looked up; a calendar has a handful.
const NAMES_MAX: usize = 1_000;

/// Zones for which the list is gone through.
const GUESSES_MAX: usize = 32;
/// Times for which a calendar's own zone is asked.
const INSTANTS_MAX: usize = 500;

/// Looks up zones, each name once.
#[derive(Debug, Default)]
pub(super) struct Zones {
    /// What the calendar's own `VTIMEZONE`s say of their place.
    places: HashMap<String, String>,
    /// And of their clocks.
    defined: HashMap<String, Defined>,
    known: HashMap<String, Option<Found>>,
    guesses: usize,
    instants: usize,
}

/// A zone of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// IANA name.
    pub(super) name: String,
    /// Its name says nothing; its clock goes alike.
    pub(super) guessed: bool,
}

impl Zones {
    /// Keeps what a `VTIMEZONE` says.
    pub(super) fn define(&mut self, zone: &Component) {
        let find = |name| zone.lines.iter().find(|line| line.name == name);
        let Some(id) = find("TZID").map(Line::text) else {
            return;
        };
        if self.defined.len() >= NAMES_MAX {
            return;
        }
        if let Some(place) = find("X-LIC-LOCATION") {
            self.places.insert(id.clone(), place.text());
        }
        self.defined.insert(id, Defined::read(zone));
    }

    /// What a calendar calls a zone, which is asked for at a time.
    pub(super) fn find(&mut self, tzid: &str, at: DateTime) -> Option<Found> {
        if let Some(known) = self.known.get(tzid) {
            return known.clone();
        }
        if self.known.len() >= NAMES_MAX {
            return None;
        }
        let place = self.places.get(tzid).and_then(|place| iana(place));
        let named = iana(tzid).or_else(|| windows(tzid)).or(place);
        let found = match (named, self.defined.get(tzid)) {
            (Some(name), _) => Some(Found {
                name,
                guessed: false,
            }),
            (None, Some(defined)) if self.guesses < GUESSES_MAX => {
                self.guesses += 1;
                let names = WINDOWS
                    .lines()
                    .filter_map(|row| Some(row.split_once('\t')?.1));
                defined.same_as(at, names).map(|name| Found {
                    name,
                    guessed: true,
                })
            }
            _ => None,
        };
        self.known.insert(tzid.to_owned(), found.clone());
        found
    }

    /// The instant of a time in a zone that is not in the list, by what the calendar says of it.
    pub(super) fn instant(&mut self, tzid: &str, at: DateTime) -> Option<Timestamp> {
        let defined = self.defined.get(tzid)?;
        self.instants += 1;
        (self.instants <= INSTANTS_MAX).then(|| defined.instant(at))?
    }
}

/// `Europe/Rome`, also as the end of `/freeassociation.sourceforge.net/Europe/Rome`.
fn iana(tzid: &str) -> Option<String> {
    let tzid = &tzid.replace(' ', "_");
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+' | '.');
    if tzid.len() > 128 || !tzid.chars().all(sound) {
        return None;
    }
    let pieces: Vec<&str> = tzid.split('/').filter(|piece| !piece.is_empty()).collect();
    // A name by itself, or the last three or two pieces of a path.
    let lengths: &[usize] = if pieces.len() == 1 { &[1] } else { &[3, 2] };
    lengths.iter().find_map(|n| {
        let from = if pieces.len() < *n {
            0
        } else {
            pieces.len() - n
        };
        let zone = TimeZone::get(&pieces.get(from..)?.join("/")).ok()?;
        zone.iana_name().map(str::to_owned)
    })
}

fn windows(tzid: &str) -> Option<String> {
    let (_, place) = WINDOWS
        .lines()
        .filter_map(|row| row.split_once('\t'))
        .find(|(name, _)| name.eq_ignore_ascii_case(tzid))?;
    iana(place)
}

/// Writes a zone with its changes from `from` on for `years`, each as an observance of its own.
pub(super) fn write(out: &mut String, name: &str, zone: &TimeZone, from: Timestamp, years: i64) {
    const CHANGES_MAX: usize = 200;
    let until = super::value::When::Utc(from)
        .moved(years * 366 * 86_400)
        .and_then(super::value::When::instant)
        .unwrap_or(Timestamp::MAX);
    line::write(out, "BEGIN:VTIMEZONE");
    line::write(out, &format!("TZID:{name}"));
    let info = zone.to_offset_info(from);
    let mut offset = info.offset();
    observance(out, info.dst(), from, offset, offset, info.abbreviation());
    for change in zone.following(from).take(CHANGES_MAX) {
        if change.timestamp() > until {
            break;
        }
        observance(
            out,
            change.dst(),
            change.timestamp(),
            offset,
            change.offset(),
            change.abbreviation(),
        );
        offset = change.offset();
    }
    line::write(out, "END:VTIMEZONE");
}

fn observance(
    out: &mut String,
    dst: Dst,
    at: Timestamp,
    before: Offset,
    after: Offset,
    name: &str,
) {
    let kind = if dst == Dst::Yes {
        "DAYLIGHT"
    } else {
        "STANDARD"
    };
    line::write(out, &format!("BEGIN:{kind}"));
    line::write(
        out,
        &format!(
            "DTSTART:{}",
            before.to_datetime(at).strftime("%Y%m%dT%H%M%S")
        ),
    );
    line::write(out, &format!("TZOFFSETFROM:{}", offset_text(before)));
    line::write(out, &format!("TZOFFSETTO:{}", offset_text(after)));
    line::write(out, &format!("TZNAME:{}", line::escape(name)));
    line::write(out, &format!("END:{kind}"));
}

fn offset_text(offset: Offset) -> String {
    let s = offset.seconds();
    let sign = if s < 0 { '-' } else { '+' };
    let s = s.abs();
    let seconds = if s % 60 == 0 {
        String::new()
    } else {
        format!("{:02}", s % 60)
    };
    format!("{sign}{:02}{:02}{seconds}", s / 3_600, s / 60 % 60)
}
