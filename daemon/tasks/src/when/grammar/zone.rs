//! Zones: abbreviations, cities, IANA names.

use jiff::tz;

use super::super::number::number;
use super::super::piece::{Candidate, Piece, Place, Strength};
use super::Grammar;

/// Abbreviation, seconds east of Greenwich, the zone in whose year it stands. Those with several
/// countries behind them (IST, CST in Asia, BST) are taken as Europe and America take them, or not
/// at all.
const ABBREVIATIONS: &[(&str, i32, &str)] = &[
    ("utc", 0, "UTC"),
    ("gmt", 0, "UTC"),
    ("z", 0, "UTC"),
    ("wet", 0, "Europe/Lisbon"),
    ("west", 3600, "Europe/Lisbon"),
    ("cet", 3600, "Europe/Paris"),
    ("cest", 7200, "Europe/Paris"),
    ("eet", 7200, "Europe/Athens"),
    ("eest", 10_800, "Europe/Athens"),
    ("msk", 10_800, "Europe/Moscow"),
    ("est", -18_000, "America/New_York"),
    ("edt", -14_400, "America/New_York"),
    ("cdt", -18_000, "America/Chicago"),
    ("mst", -25_200, "America/Denver"),
    ("mdt", -21_600, "America/Denver"),
    ("pst", -28_800, "America/Los_Angeles"),
    ("pdt", -25_200, "America/Los_Angeles"),
    ("jst", 32_400, "Asia/Tokyo"),
    ("aest", 36_000, "Australia/Sydney"),
    ("aedt", 39_600, "Australia/Sydney"),
];

const REGIONS: &[&str] = &[
    "Europe",
    "America",
    "Asia",
    "Africa",
    "Australia",
    "Pacific",
    "Atlantic",
    "Indian",
];

/// What an abbreviation says, as a zone that a calendar can hold.
pub(in super::super) fn abbreviation_offset(seconds: i32) -> Option<String> {
    if seconds == 0 {
        return Some("UTC".to_owned());
    }
    // The names count westward.
    (seconds % 3600 == 0).then(|| format!("Etc/GMT{:+}", -seconds / 3600))
}

impl Grammar<'_> {
    pub(super) fn zone(&self, at: usize) -> Vec<Candidate> {
        let place = self
            .abbreviation(at)
            .or_else(|| self.iana(at))
            .or_else(|| self.city_behind(at))
            .or_else(|| self.city_before(at));
        place
            .map(|(place, end, strength)| self.candidate(vec![Piece::Zone(place)], end, strength))
            .into_iter()
            .collect()
    }

    fn abbreviation(&self, at: usize) -> Option<(Place, usize, Strength)> {
        let t = self.text;
        let word = t.word(at)?;
        let (_, offset, zone) = ABBREVIATIONS.iter().find(|(name, ..)| *name == word)?;
        if matches!(word, "utc" | "gmt") && (t.is(at + 1, "+") || t.is(at + 1, "-")) {
            let (hours, end) = number(t, at + 2, self.language())?;
            let hours = i32::try_from(hours).ok().filter(|hours| *hours <= 14)?;
            let sign = if t.is(at + 1, "-") { -1 } else { 1 };
            let zone = abbreviation_offset(sign * hours * 3600)?;
            return Some((Place { zone, offset: None }, end, Strength::Weak));
        }
        if word == "z" {
            return None;
        }
        let offset = (*zone != "UTC").then_some(*offset);
        Some((
            Place {
                zone: (*zone).to_owned(),
                offset,
            },
            at + 1,
            Strength::Weak,
        ))
    }

    /// `Europe/Rome`, `America/Argentina/Buenos_Aires`.
    fn iana(&self, at: usize) -> Option<(Place, usize, Strength)> {
        let t = self.text;
        let mut name = t.word(at)?.to_owned();
        if !REGIONS
            .iter()
            .any(|region| region.eq_ignore_ascii_case(&name))
            && name != "etc"
        {
            return None;
        }
        let mut end = at + 1;
        while t.glued(end)
            && let Some(token) = t.token(end)
            && (matches!(token.norm.as_str(), "/" | "_" | "-" | "+")
                || t.word(end).is_some()
                || t.digits(end).is_some())
            && end < at + 12
        {
            name.push_str(&token.norm);
            end += 1;
        }
        let zone = known(&name)?;
        Some((Place { zone, offset: None }, end, Strength::Weak))
    }

    /// `New York time`: three words at most.
    fn city_behind(&self, at: usize) -> Option<(Place, usize, Strength)> {
        let t = self.text;
        if self.words.zone_behind.is_empty() {
            return None;
        }
        (1..=3).find_map(|len| {
            let end = t.one_of(at + len, self.words.zone_behind)?;
            let zone = self.city(at, at + len)?;
            Some((Place { zone, offset: None }, end, Strength::Weak))
        })
    }

    /// `ora di Londra`: the longest name of three words at most.
    fn city_before(&self, at: usize) -> Option<(Place, usize, Strength)> {
        let next = self.text.one_of(at, self.words.zone_before)?;
        (1..=3).rev().find_map(|len| {
            let zone = self.city(next, next + len)?;
            Some((Place { zone, offset: None }, next + len, Strength::Weak))
        })
    }

    fn city(&self, from: usize, to: usize) -> Option<String> {
        let t = self.text;
        if let Some((zone, end)) = t.lookup(from, self.words.cities)
            && end == to
        {
            return Some(zone.to_owned());
        }
        let words: Option<Vec<&str>> = (from..to).map(|at| t.word(at)).collect();
        let name = words?.join("_");
        REGIONS
            .iter()
            .find_map(|region| known(&format!("{region}/{name}")))
    }
}

/// The zone of a name, spelled as the database spells it.
fn known(name: &str) -> Option<String> {
    let zone = tz::db().get(name).ok()?;
    Some(zone.iana_name()?.to_owned())
}
