//! The instants at which a plan is due.

use std::collections::VecDeque;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::recur::{Occurrences, Shifted, at_zone};

use super::plan::Plan;

/// No zone's clock jumps by more, in seconds.
const JUMP_MAX_S: i64 = 25 * 60 * 60;

/// The instants at which a plan is due, in order and each once.
#[derive(Clone, Debug)]
pub struct Times<'a> {
    walls: Walls<'a>,
    zone: &'a TimeZone,
    after: Timestamp,
    /// Times that a clock jumped over: they come later than others behind them.
    shifted: VecDeque<Timestamp>,
    /// The next that is not shifted.
    straight: Option<Timestamp>,
}

#[derive(Clone, Debug)]
enum Walls<'a> {
    Once(Option<DateTime>),
    Rule(Box<Occurrences<'a>>),
}

impl Walls<'_> {
    fn next(&mut self) -> Option<DateTime> {
        match self {
            Self::Once(at) => at.take(),
            Self::Rule(rule) => rule.next(),
        }
    }
}

/// `at` moved by seconds, or the first or last instant that there is.
pub(super) fn moved(at: Timestamp, seconds: i64) -> Timestamp {
    let bound = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    at.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(bound)
}

/// The first instant after `after` at which a plan is due.
#[must_use]
pub fn next_due(plan: &Plan, after: Timestamp) -> Option<Timestamp> {
    Times::after(plan, after).next()
}

impl<'a> Times<'a> {
    /// The instants after one.
    #[must_use]
    pub fn after(plan: &'a Plan, after: Timestamp) -> Self {
        let zone = &plan.zone;
        let walls = match plan.schedule() {
            None => Walls::Once(Some(plan.start)),
            Some(rule) => {
                // Shortly after a jump there may be times that it has put off until now.
                let (offset, local) = (zone.to_offset(after), zone.to_datetime(after));
                let before = zone.to_offset(moved(after, -JUMP_MAX_S));
                let jumped = i64::from((offset.seconds() - before.seconds()).max(0));
                let from = local
                    .checked_sub(SignedDuration::from_secs(jumped))
                    .unwrap_or(DateTime::MIN);
                Walls::Rule(Box::new(rule.occurrences_in(zone, plan.start, Some(from))))
            }
        };
        Self {
            walls,
            zone,
            after,
            shifted: VecDeque::new(),
            straight: None,
        }
    }
}

impl Iterator for Times<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        loop {
            while self.straight.is_none() {
                let Some(wall) = self.walls.next() else { break };
                match at_zone(wall, self.zone) {
                    (at, Some(Shifted::Gap { .. })) => self.shifted.push_back(at),
                    (at, _) => self.straight = Some(at),
                }
            }
            let at = match (self.shifted.front().copied(), self.straight) {
                (Some(shifted), Some(straight)) if shifted < straight => {
                    self.shifted.pop_front();
                    shifted
                }
                (Some(shifted), None) => {
                    self.shifted.pop_front();
                    shifted
                }
                (_, Some(straight)) => {
                    self.straight = None;
                    straight
                }
                (None, None) => return None,
            };
            if at > self.after {
                self.after = at;
                return Some(at);
            }
        }
    }
}
