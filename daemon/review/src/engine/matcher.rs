//! Which rules a hunk wakes: all triggers in one pass over its added lines.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::{rule::Rule, rules::RULES, view::Side};

/// A set of rules by their index in the table.
pub(crate) type RuleSet = u128;

/// The triggers of all rules as one automaton. Built once per process.
pub(crate) struct Matcher {
    automaton: Option<AhoCorasick>,
    /// For each pattern, the rules that it wakes.
    wakes: Vec<RuleSet>,
    /// Rules without triggers.
    always: RuleSet,
    /// Rules that have triggers.
    triggered: RuleSet,
}

pub(crate) fn bit(index: usize) -> RuleSet {
    1 << index
}

/// Rules and the automaton that wakes them.
pub(crate) struct Table {
    pub(crate) rules: &'static [&'static Rule],
    pub(crate) matcher: Matcher,
}

impl Table {
    pub(crate) fn new(rules: &'static [&'static Rule]) -> Self {
        Self {
            rules,
            matcher: Matcher::new(rules),
        }
    }

    /// The rules of `set` with their index.
    pub(crate) fn rules_of(
        &self,
        set: RuleSet,
    ) -> impl Iterator<Item = (usize, &'static Rule)> + use<> {
        let rules = self.rules;
        rules
            .iter()
            .enumerate()
            .filter(move |(index, _)| set & bit(*index) != 0)
            .map(|(i, r)| (i, *r))
    }
}

/// The table that the product uses.
pub(crate) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(RULES));
    &TABLE
}

impl Matcher {
    fn new(rules: &[&Rule]) -> Self {
        let mut patterns: Vec<String> = Vec::new();
        let mut wakes: Vec<RuleSet> = Vec::new();
        let (mut always, mut triggered) = (0, 0);
        for (index, rule) in rules.iter().enumerate() {
            if rule.triggers.is_empty() {
                always |= bit(index);
            } else {
                triggered |= bit(index);
            }
            for trigger in rule.triggers {
                let trigger = trigger.to_ascii_lowercase();
                match patterns.iter().position(|p| *p == trigger) {
                    Some(at) => wakes[at] |= bit(index),
                    None => {
                        patterns.push(trigger);
                        wakes.push(bit(index));
                    }
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&patterns)
            .ok();
        // Without an automaton every rule looks everywhere: slower, never wrong.
        if automaton.is_none() {
            always |= triggered;
        }
        Self {
            automaton,
            wakes,
            always,
            triggered,
        }
    }

    /// The rules among `wanted` that the changed lines of `side` wake; of all lines if `all`.
    pub(crate) fn wake(&self, side: &Side, wanted: RuleSet, all: bool) -> RuleSet {
        let mut awake = self.always & wanted;
        let sought = self.triggered & wanted;
        let Some(automaton) = &self.automaton else {
            return awake;
        };
        let mut index = 0;
        while index < side.lines.len() {
            if !all && !side.lines[index].changed {
                index += 1;
                continue;
            }
            let first = index;
            while index < side.lines.len() && (all || side.lines[index].changed) {
                index += 1;
            }
            let range = side.lines[first].start..side.line_range(index - 1).end;
            let input = Input::new(side.text.as_bytes()).range(range);
            for found in automaton.find_overlapping_iter(input) {
                awake |= self.wakes[found.pattern().as_usize()] & sought;
            }
            if awake & sought == sought {
                break;
            }
        }
        awake
    }
}
