use super::*;

fn entry(id: &str, kind: MenuKind) -> MenuEntry {
    MenuEntry {
        id: id.to_owned(),
        kind,
    }
}

fn action(id: &str, text: &str) -> MenuEntry {
    let text = text.to_owned();
    entry(
        id,
        MenuKind::Action {
            text,
            enabled: true,
        },
    )
}

fn label(text: &str) -> MenuEntry {
    let text = text.to_owned();
    entry("label", MenuKind::Label { text })
}

fn check(id: &str, checked: bool) -> MenuEntry {
    entry(
        id,
        MenuKind::Check {
            text: "Pause".to_owned(),
            checked,
            enabled: true,
        },
    )
}

fn group(id: &str, text: &str, entries: Vec<MenuEntry>) -> MenuEntry {
    let text = text.to_owned();
    entry(id, MenuKind::Submenu { text, entries })
}

fn words() -> &'static Words {
    Words::of("en")
}

fn menu_of(entries: Vec<MenuEntry>) -> Menu {
    Menu {
        icon: MenuIcon::Idle,
        tooltip: "all is quiet".to_owned(),
        entries,
    }
}

fn connected(menu: Menu) -> State {
    State {
        link: Link::Connected(Some(Box::new(menu))),
        ..State::default()
    }
}

fn of(entries: Vec<MenuEntry>) -> View {
    view(&connected(menu_of(entries)), words())
}

const SAME: Difference = Difference {
    icon: false,
    tooltip: false,
    looks: 0,
    meaning: false,
};

/// Menus after one another, and what changes between them.
#[test]
fn only_what_differs_is_changed() {
    let looks = |looks| Difference { looks, ..SAME };
    let meaning = Difference {
        meaning: true,
        ..SAME
    };
    let reminder = |id: &str, text: &str| {
        let done = action(&format!("{id}:done"), "Done");
        group(id, text, vec![done])
    };
    let table = [
        ("nothing", vec![], vec![], SAME),
        (
            "the same",
            vec![action("a", "A")],
            vec![action("a", "A")],
            SAME,
        ),
        (
            "another text",
            vec![label("10 findings"), action("a", "A")],
            vec![label("11 findings"), action("a", "A")],
            looks(1),
        ),
        (
            "progress of the same run in its group",
            vec![reminder("run:1", "Review · 10 findings")],
            vec![reminder("run:1", "Review · 11 findings")],
            looks(1),
        ),
        (
            "switched",
            vec![check("p", false)],
            vec![check("p", true)],
            looks(1),
        ),
        (
            "the next reminder moves up into the place of the last one",
            vec![
                reminder("task:1:5", "09:00 · call"),
                reminder("task:2:6", "10:00 · write"),
            ],
            vec![
                reminder("task:2:6", "10:00 · write"),
                reminder("task:3:7", "11:00 · read"),
            ],
            Difference {
                looks: 2,
                ..meaning
            },
        ),
        (
            "the same text stands for another task",
            vec![reminder("task:1:5", "09:00 · call")],
            vec![reminder("task:2:5", "09:00 · call")],
            meaning,
        ),
        ("one comes", vec![], vec![action("a", "A")], meaning),
        (
            "one goes",
            vec![label("x"), label("y")],
            vec![label("x")],
            meaning,
        ),
        (
            "another kind",
            vec![label("A")],
            vec![action("a", "A")],
            meaning,
        ),
        (
            "a switch comes of it",
            vec![action("p", "Pause")],
            vec![check("p", false)],
            meaning,
        ),
        (
            "a line comes of it",
            vec![label("x")],
            vec![entry("s", MenuKind::Separator)],
            meaning,
        ),
    ];
    for (what, before, after, expected) in table {
        assert_eq!(difference(&of(before), &of(after)), expected, "{what}");
    }
}

#[test]
fn icon_and_tooltip_change_alone() {
    let quiet = of(vec![action("a", "A")]);
    let mut menu = menu_of(vec![action("a", "A")]);
    menu.icon = MenuIcon::Attention;
    menu.tooltip = "1 reminder waits".to_owned();
    let loud = view(&connected(menu), words());
    let expected = Difference {
        icon: true,
        tooltip: true,
        ..SAME
    };
    assert_eq!(difference(&quiet, &loud), expected);
    assert!(difference(&loud, &loud).is_none());
    assert!(!expected.is_none());
}

#[test]
fn quitting_is_always_there_and_nobody_elses() {
    let lost = State {
        link: Link::Lost,
        ..State::default()
    };
    let hostile = connected(menu_of(vec![
        action("client:quit", "Done"),
        action("quit", "Quit"),
    ]));
    for state in [State::default(), lost, hostile, connected(Menu::default())] {
        let view = view(&state, words());
        let quits = |item: &&Item| {
            matches!(
                item,
                Item::Action {
                    choice: Choice::Quit,
                    ..
                }
            )
        };
        assert_eq!(view.items.iter().filter(quits).count(), 1);
        assert!(quits(&view.items.last().unwrap()));
    }
}

#[test]
fn without_a_daemon_it_says_so_and_offers_to_start_one() {
    let mut state = State {
        link: Link::Lost,
        ..State::default()
    };
    let offers = |state: &State| {
        let view = view(state, words());
        assert_eq!(view.icon, MenuIcon::Offline);
        let start = view.items.iter().find_map(|item| match item {
            Item::Action {
                choice: Choice::Start,
                enabled,
                ..
            } => Some(*enabled),
            _ => None,
        });
        (start, view.tooltip)
    };
    assert_eq!(
        offers(&state),
        (Some(true), words().does_not_answer.to_owned())
    );
    // Nobody starts it twice.
    state.starting = true;
    assert_eq!(offers(&state), (Some(false), words().starting.to_owned()));
    state.notice = Some("Convergio did not start: why".to_owned());
    let first = view(&state, words()).items.remove(0);
    assert_eq!(
        first,
        Item::Label("Convergio did not start: why".to_owned())
    );
}

#[test]
fn texts_stay_on_one_line_and_menus_bounded() {
    let long = "é".repeat(400);
    let many: Vec<MenuEntry> = (0..300).map(|n| action(&n.to_string(), "x")).collect();
    let nested = group("in", "in", vec![label("x")]);
    let mut below = vec![nested, label("a\nb\u{1b}[31m\tc")];
    below.extend(many.clone());
    let mut entries = vec![label(&long), group("g", "g", below)];
    entries.extend(many);
    let view = of(entries);
    // A line and the way out come behind what the daemon sent.
    assert_eq!(view.items.len(), ENTRIES_MAX + 2);
    let Item::Label(text) = &view.items[0] else {
        panic!("{view:?}");
    };
    assert_eq!(text.chars().count(), CHARS_MAX);
    assert!(text.ends_with('…'));
    let Item::Group { items, .. } = &view.items[1] else {
        panic!("{view:?}");
    };
    assert_eq!(items.len(), GROUP_MAX);
    assert_eq!(items[0], Item::Label("a b [31m c".to_owned()));
}
