//! Rules whose occurrences python-dateutil wrote down: `random_rules.py` beside this.

use convergio_tasks::recur::Rule;
use jiff::civil::DateTime;

/// `rules.tsv`, and with `CONVERGIO_RULES` another table: the recipe `campaign-recurrence`.
#[test]
fn rules_come_as_dateutil_has_them() {
    let (text, least) = match std::env::var_os("CONVERGIO_RULES") {
        Some(path) => (std::fs::read_to_string(path).unwrap(), 1),
        None => (include_str!("rules.tsv").to_owned(), 500),
    };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for line in text.lines() {
        let mut fields = line.split('\t');
        let (start, rule, want) = (
            fields.next().unwrap(),
            fields.next().unwrap(),
            fields.next().unwrap(),
        );
        let start: DateTime = start.parse().unwrap();
        let got = match Rule::parse(rule) {
            Ok(rule) => {
                let all: Vec<DateTime> = rule.occurrences(start, None).take(21).collect();
                steps_agree(&rule, start, &all);
                told(&all)
            }
            Err(convergio_tasks::recur::RuleError::Never) => "end".to_owned(),
            Err(error) => format!("{error}"),
        };
        seen += 1;
        // A rule may have ended beyond the year that the table looks to.
        let far = want.ends_with("far") && got == want.replace("far", "end");
        if got != want && !far {
            wrong.push(format!("{start} {rule}\n   want {want}\n   got  {got}"));
        }
    }
    assert!(seen >= least, "{seen} rules");
    println!("{seen} rules, {} of them otherwise", wrong.len());
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// As the table has it: 20 of them, and how it goes on.
fn told(all: &[DateTime]) -> String {
    let limit = jiff::civil::date(2500, 1, 1).at(0, 0, 0, 0);
    let near: Vec<String> = all
        .iter()
        .take_while(|at| **at < limit)
        .map(|at| at.to_string())
        .collect();
    let mut words = near.clone();
    words.truncate(20);
    if near.len() < all.len() && near.len() < 21 {
        words.push("far".to_owned());
    } else if all.len() < 21 {
        words.push("end".to_owned());
    }
    words.join(" ")
}

/// One by one, from the time before and from a second before each, it is the same.
fn steps_agree(rule: &Rule, start: DateTime, all: &[DateTime]) {
    let second = jiff::Span::new().seconds(1);
    for pair in all.windows(2) {
        assert!(pair[0] < pair[1], "{rule}: {pair:?}");
        assert_eq!(
            rule.next_after(start, pair[0]),
            Some(pair[1]),
            "{rule} from {start}"
        );
        let just = pair[1].checked_sub(second).unwrap();
        assert_eq!(
            rule.next_after(start, just),
            Some(pair[1]),
            "{rule} from {start}"
        );
    }
    if let [first, .., last] = all {
        let between = rule.count_between(start, *first, *last, 1_000);
        assert_eq!(between, all.len() as u64 - 1, "{rule} from {start}");
    }
    let again = Rule::parse(&rule.to_string()).unwrap();
    assert_eq!(&again, rule);
    assert_eq!(again.to_string(), rule.to_string());
}
