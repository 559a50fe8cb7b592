use convergio_contract::{Uuid, menu::BackgroundState};

use super::*;
use crate::bus::run::Progress;

const NOW: &str = "2026-11-21T14:00[Europe/Rome]";

fn at(text: &str) -> i64 {
    let at: Zoned = format!("{text}[Europe/Rome]").parse().unwrap();
    at.timestamp().as_millisecond()
}

fn nothing() -> Facts {
    Facts::none(NOW.parse().unwrap())
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn everything() -> Facts {
    Facts {
        waiting: vec![Waiting {
            occurrence_id: id(1),
            number: 3,
            title: "water the <b>plants</b> & \"file\"".into(),
            due_ms: at("2026-11-20T18:00"),
            all_day: false,
        }],
        waiting_total: 7,
        coming: vec![
            Coming {
                number: 12,
                title: "call Mario".into(),
                due_ms: at("2026-11-21T15:00"),
                fire_ms: at("2026-11-21T15:00"),
                all_day: false,
            },
            Coming {
                number: 4,
                title: "-rf _x &y\u{202e}z".into(),
                due_ms: at("2026-11-24T00:00"),
                fire_ms: at("2026-11-22T09:00"),
                all_day: true,
            },
        ],
        running: vec![
            Running {
                run_id: id(2),
                kind: "review".into(),
                selection: "main..HEAD".into(),
                started_ms: at("2026-11-21T13:59"),
                progress: Progress {
                    findings: 3,
                    characters: 0,
                },
            },
            Running {
                run_id: id(3),
                kind: "chat".into(),
                selection: String::new(),
                started_ms: at("2026-11-20T23:00"),
                progress: Progress {
                    findings: 1,
                    characters: 1204,
                },
            },
        ],
        running_total: 2,
        approvals: vec![Line {
            id: "a".into(),
            text: "write to\n/etc".into(),
        }],
        models: vec![Line {
            id: "m".into(),
            text: "qwen".into(),
        }],
        spend: Some(Spend {
            posted_nano: 310_000_000,
            pending_nano: 20_000_000,
            limit_nano: 5_000_000_000,
            used_up: false,
        }),
        background: BackgroundState {
            paused: true,
            reasons: vec!["asked".into(), "battery".into(), "offline".into()],
        },
        ..nothing()
    }
}

/// A menu as text, one entry a line.
fn shown(entries: &[MenuEntry], depth: usize, into: &mut Vec<String>) {
    for entry in entries {
        let text = match &entry.kind {
            MenuKind::Separator => "---".to_owned(),
            MenuKind::Label { text } => text.clone(),
            MenuKind::Action { text, enabled } => {
                assert!(enabled);
                format!("[{text}]")
            }
            MenuKind::Check { text, checked, .. } => {
                format!("[{}] {text}", if *checked { "x" } else { " " })
            }
            MenuKind::Submenu { text, entries } => {
                into.push(format!("{}{text} >", "  ".repeat(depth)));
                shown(entries, depth + 1, into);
                continue;
            }
        };
        into.push(format!("{}{text}", "  ".repeat(depth)));
    }
}

fn text(facts: &Facts, language: Language) -> String {
    let menu = draw(facts, language);
    let mut lines = vec![format!("{:?}: {}", menu.icon, menu.tooltip)];
    shown(&menu.entries, 0, &mut lines);
    lines.join("\n")
}

#[test]
fn nothing_is_said_shortly_in_both_languages() {
    assert_eq!(
        text(&nothing(), Language::English),
        "Idle: \nNo reminders\n---\n[ ] Pause background work"
    );
    assert_eq!(
        text(&nothing(), Language::Italian),
        "Idle: \nNessun promemoria\n---\n[ ] Sospendi il lavoro in background"
    );
}

#[test]
fn everything_is_there_in_english() {
    assert_eq!(
        text(&everything(), Language::English),
        "\
Attention: 7 reminders wait · 2 running · $0.31 today
Waiting for you
yesterday 18:00 · water the <b>plants</b> & \"file\" >
  [Done]
  [Snooze 10 min]
  [Snooze to tomorrow]
  [Dismiss]
6 more
---
Next reminders
15:00 · call Mario >
  [Done]
  [Snooze 10 min]
  [Snooze to tomorrow]
tomorrow 09:00 · -rf _x &y‹U+202E›z (for Tue 24 Nov) >
  [Done]
  [Snooze 10 min]
  [Snooze to tomorrow]
---
Running
Review · main..HEAD · since 13:59 · 3 findings >
  [Cancel]
Question · since yesterday 23:00 · 1 finding · 1204 characters >
  [Cancel]
---
Waiting for your yes
write to /etc
---
Models in memory
qwen
---
Spent today $0.31 of $5.00 · $0.02 held
---
[x] Pause background work
Background work waits: on battery, no network"
    );
}

#[test]
fn everything_is_there_in_italian() {
    assert_eq!(
        text(&everything(), Language::Italian),
        "\
Attention: 7 promemoria in attesa · 2 in corso · $0.31 oggi
Ti aspettano
ieri 18:00 · water the <b>plants</b> & \"file\" >
  [Fatto]
  [Rimanda di 10 min]
  [Rimanda a domani]
  [Ignora]
altri 6
---
Prossimi promemoria
15:00 · call Mario >
  [Fatto]
  [Rimanda di 10 min]
  [Rimanda a domani]
domani 09:00 · -rf _x &y‹U+202E›z (per mar 24 nov) >
  [Fatto]
  [Rimanda di 10 min]
  [Rimanda a domani]
---
In corso
Revisione · main..HEAD · da 13:59 · 3 segnalazioni >
  [Annulla]
Domanda · da ieri 23:00 · 1 segnalazione · 1204 caratteri >
  [Annulla]
---
Aspettano il tuo sì
write to /etc
---
Modelli in memoria
qwen
---
Spesi oggi $0.31 di $5.00 · $0.02 impegnati
---
[x] Sospendi il lavoro in background
Il lavoro in background aspetta: a batteria, senza rete"
    );
}

#[test]
fn the_icon_tells_the_most_important_thing() {
    let icon = |change: fn(&mut Facts)| {
        let mut facts = nothing();
        change(&mut facts);
        draw(&facts, Language::English).icon
    };
    assert_eq!(icon(|_| {}), MenuIcon::Idle);
    assert_eq!(icon(|facts| facts.running_total = 1), MenuIcon::Busy);
    assert_eq!(
        icon(|facts| {
            facts.running_total = 1;
            facts.waiting_total = 1;
        }),
        MenuIcon::Attention
    );
    assert_eq!(
        icon(|facts| facts.approvals = everything().approvals),
        MenuIcon::Attention
    );
    assert_eq!(
        icon(|facts| {
            facts.waiting_total = 1;
            facts.spend = Some(Spend {
                used_up: true,
                ..Spend::default()
            });
        }),
        MenuIcon::Trouble
    );
    assert_eq!(
        icon(|facts| facts.troubles = vec![Trouble::Unread]),
        MenuIcon::Trouble
    );
}

#[test]
fn what_is_wrong_comes_first_and_in_words() {
    let mut facts = nothing();
    facts.spend = Some(Spend {
        posted_nano: 5_000_000_000,
        pending_nano: 0,
        limit_nano: 5_000_000_000,
        used_up: true,
    });
    facts.troubles = vec![
        Trouble::NotSaving("the disk is full\n\u{1b}[2J".into()),
        Trouble::Settings("config.toml:2".into()),
        Trouble::Unread,
    ];
    assert_eq!(
        text(&facts, Language::English),
        "\
Trouble: $5.00 today
Nothing is being saved: the disk is full ‹U+001B›[2J
The settings cannot be read: config.toml:2
Some of this could not be read
---
No reminders
---
Spent today $5.00 of $5.00 · budget used up
---
[ ] Pause background work"
    );
}

fn ids(entries: &[MenuEntry], depth: usize, into: &mut Vec<String>) {
    assert!(depth <= 1, "too deep");
    assert!(entries.len() <= if depth == 0 { 64 } else { 16 });
    for entry in entries {
        into.push(entry.id.clone());
        if let MenuKind::Submenu { entries, .. } = &entry.kind {
            ids(entries, depth + 1, into);
        }
    }
}

#[test]
fn the_fullest_menu_keeps_its_bounds_and_no_id_twice() {
    let mut facts = everything();
    let many = |count: usize| (0..count).map(|number| number as u128);
    facts.waiting = many(super::super::facts::REMINDERS_SHOWN)
        .map(|number| Waiting {
            occurrence_id: id(number),
            ..everything().waiting.remove(0)
        })
        .collect();
    facts.coming = many(super::super::facts::REMINDERS_SHOWN)
        .map(|number| Coming {
            number: number as u64,
            title: "x".repeat(2_000),
            ..everything().coming.remove(1)
        })
        .collect();
    facts.running = many(super::super::facts::RUNS_SHOWN)
        .map(|number| Running {
            run_id: id(100 + number),
            selection: "y\n".repeat(2_000),
            ..everything().running.remove(0)
        })
        .collect();
    facts.waiting_total = u64::MAX;
    facts.running_total = usize::MAX;
    let line = |number: usize| Line {
        id: number.to_string(),
        text: "z".repeat(5_000),
    };
    facts.approvals = (0..500).map(line).collect();
    facts.models = (0..500).map(line).collect();
    facts.troubles = vec![
        Trouble::NotSaving("w".repeat(5_000)),
        Trouble::Settings("w".repeat(5_000)),
    ];
    let menu = draw(&facts, Language::Italian);
    let mut found = Vec::new();
    ids(&menu.entries, 0, &mut found);
    let count = found.len();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), count);
    let bytes = serde_json::to_vec(&menu).unwrap().len();
    assert!(bytes < 16 << 10, "{bytes}");
}
