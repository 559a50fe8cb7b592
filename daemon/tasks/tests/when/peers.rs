//! What Duckling's corpora say of a phrase, beside what we say. `peers.py` writes the tables.

use std::collections::{BTreeMap, BTreeSet};

use crate::said::{at, here, time};
use crate::when::{self, Answer};

const ENGLISH: &str = include_str!("peer_en.tsv");
const ITALIAN: &str = include_str!("peer_it.tsv");
/// Language, phrase, and why ours is another. All that we do not say as the peer does.
const DIFFERENCES: &str = include_str!("peer_differences.tsv");

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Beside {
    /// The same.
    Agrees,
    /// Several readings, the peer's among them.
    Asks,
    /// Named as not understood, contradictory or past.
    Refuses,
    /// Another time.
    Differs,
}

/// `reading` has as many digits as the peer means.
fn same(ours: &str, reading: &str) -> bool {
    let ours = ours.split(' ').next().unwrap_or(ours);
    let full = if ours.contains('T') {
        format!("{ours}:00")
    } else {
        format!("{ours}T00:00:00")
    };
    full.starts_with(reading)
}

fn beside(phrase: &str, reading: &str, words: &str) -> (Beside, String) {
    let here = here(at("2013-02-12T04:30", "Etc/GMT+2"), words);
    let home = here.now.time_zone();
    match when::parse(phrase, &here) {
        Ok(Answer::One(found)) => {
            let ours = time(&found, home);
            let agrees = same(&ours, reading) && found.repeat.is_none();
            (
                if agrees {
                    Beside::Agrees
                } else {
                    Beside::Differs
                },
                ours,
            )
        }
        Ok(Answer::Several(readings)) => {
            let ours: Vec<String> = readings.iter().map(|one| time(&one.when, home)).collect();
            let among = ours.iter().any(|ours| same(ours, reading));
            (
                if among { Beside::Asks } else { Beside::Differs },
                ours.join(" | "),
            )
        }
        Ok(Answer::Nothing) => (Beside::Refuses, "nothing".to_owned()),
        Err(error) => (Beside::Refuses, error.to_string()),
    }
}

fn campaign(language: &str, table: &'static str, words: &str) {
    let known: BTreeSet<&str> = DIFFERENCES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.strip_prefix(language)?.strip_prefix('\t'))
        .filter_map(|line| line.split_once('\t'))
        .map(|(phrase, why)| {
            assert!(why.len() > 10, "{phrase}: why?");
            phrase
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut counts: BTreeMap<Beside, usize> = BTreeMap::new();
    let mut silent = Vec::new();
    let mut instants = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [class, phrase, reading] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {line}")
        };
        // A stretch of time may not become one time without a word, unless it begins there; that
        // is another test. A feast may be unknown but not another day.
        if class == "stretch" {
            continue;
        }
        let (is, ours) = beside(phrase, reading.split(' ').next().unwrap_or(reading), words);
        if class == "instant" {
            instants += 1;
            *counts.entry(is).or_default() += 1;
        }
        match is {
            Beside::Agrees => {}
            Beside::Asks | Beside::Refuses => {}
            Beside::Differs if known.contains(phrase) => {
                seen.insert(phrase);
            }
            Beside::Differs => silent.push(format!("{phrase:?}: {ours}, and not {reading}")),
        }
    }
    assert!(
        silent.is_empty(),
        "{language}: silently another time:\n{}",
        silent.join("\n")
    );
    let stale: Vec<_> = known.difference(&seen).collect();
    assert!(
        stale.is_empty(),
        "{language}: these differ no more: {stale:?}"
    );
    let agree = counts.get(&Beside::Agrees).copied().unwrap_or_default();
    println!("{language}: {agree} of {instants} agree, {counts:?}");
    assert!(
        agree * 100 >= instants * 95,
        "{language}: {agree} of {instants} agree: {counts:?}"
    );
}

#[test]
fn duckling_agrees_in_english() {
    campaign("en", ENGLISH, "en-us,past");
}

#[test]
fn duckling_agrees_in_italian() {
    campaign("it", ITALIAN, "it-it,past");
}

/// Where the peer sees a stretch of time, one time of ours lies in it or is refused; a beginning
/// or an end that the words name ("after 5pm", "from 9 to 11") is always refused.
#[test]
fn a_stretch_of_time_is_not_one_of_its_ends() {
    for (table, words) in [(ENGLISH, "en-us,past"), (ITALIAN, "it-it,past")] {
        let mut taken = Vec::new();
        for line in table.lines() {
            let Some(rest) = line.strip_prefix("stretch\t") else {
                continue;
            };
            let phrase = rest.trim_end_matches('\t');
            let lower = phrase.to_lowercase();
            let bounded = [
                "from ",
                "between ",
                "after ",
                "before ",
                "until ",
                "since ",
                "later than ",
                "dalle ",
                "dal ",
                "dalla ",
                "da ",
                "tra le",
                "tra il",
                "dopo ",
                "prima d",
                "fino a",
            ]
            .iter()
            .any(|word| lower.starts_with(word) && !lower.contains("after next"));
            if !bounded {
                continue;
            }
            let here = here(at("2013-02-12T04:30", "Etc/GMT+2"), words);
            if let Ok(Answer::One(found)) = when::parse(phrase, &here) {
                taken.push(format!(
                    "{phrase:?}: {}",
                    time(&found, here.now.time_zone())
                ));
            }
        }
        assert!(taken.is_empty(), "{}", taken.join("\n"));
    }
}
