//! Changing the user's file: what stays, what is refused, and the way back.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use crate::support::Home;
use convergio_config::{ErrorKind, Revision, restore};

#[test]
fn the_first_set_makes_a_private_file_and_can_be_undone() {
    let home = Home::new();
    let plan = home.editor().set("review.strict", "true", None).unwrap();
    assert!(!home.config_file().exists(), "a plan writes nothing");
    assert_eq!(plan.before, None);
    assert_eq!(plan.before_rev.as_str(), "none");
    plan.apply().unwrap();
    assert_eq!(home.text(), "[review]\nstrict = true\n");
    let mode = fs::metadata(home.config_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(home.load().unwrap().revision(), &plan.after_rev);

    let back = restore(
        &home.paths,
        &home.environment,
        plan.before.clone(),
        &plan.after_rev,
    );
    back.unwrap().apply().unwrap();
    assert!(!home.config_file().exists());
}

#[test]
fn a_list_is_typed_with_commas_or_in_brackets() {
    let home = Home::new();
    let set = |key: &str, text: &str| {
        home.editor().set(key, text, None).map(|plan| {
            plan.apply().unwrap();
            home.settings().unwrap().get(key).unwrap().value.to_string()
        })
    };
    let wanted = set("models.fallback", "a/x,b/y").unwrap();
    for text in [
        "a/x, b/y",
        "[\"a/x\", \"b/y\"]",
        "['a/x','b/y']",
        " [\"a/x\",\"b/y\"] ",
    ] {
        assert_eq!(set("models.fallback", text).unwrap(), wanted, "{text}");
    }
    assert_eq!(set("models.fallback", "").unwrap(), "");
    assert_eq!(set("models.fallback", "[]").unwrap(), "");
    let limits = set("budget.limits", "[\"provider:mock monthly 5.00 warn\"]").unwrap();
    assert_eq!(
        set("budget.limits", "provider:mock monthly 5.00 warn").unwrap(),
        limits
    );
    for bad in ["[a/x]", "[\"a/x\"", "[1]", "[[\"a/x\"]]", "[\"ax\"]"] {
        let error = set("models.fallback", bad).unwrap_err();
        assert_eq!(
            error.hint(),
            "cv config set models.fallback ollama/llama3.2"
        );
    }
    // A hint is one word for each, as a shell takes them.
    let error = set("budget.limits", "five").unwrap_err();
    assert_eq!(
        error.hint(),
        "cv config set budget.limits 'provider:mock monthly 5.00'"
    );
}

#[test]
fn comments_order_and_spacing_stay() {
    let before = "# my settings\n\n[log]   # where\nlevel = 'warn' # loud enough\n\n\
                  # reviews\n[review]\nmax_findings=5   # few\nstrict = false\n# end\n";
    let home = Home::new().user(before);
    home.editor()
        .set("review.max_findings", "7", None)
        .unwrap()
        .apply()
        .unwrap();
    assert_eq!(home.text(), before.replace("=5 ", "=7 "));
    home.editor()
        .set("log.level", "error", None)
        .unwrap()
        .apply()
        .unwrap();
    assert!(
        home.text().contains("level = \"error\" # loud enough"),
        "{}",
        home.text()
    );
}

#[test]
fn a_new_section_goes_below_the_comments_at_the_end() {
    for (before, line_end) in [
        ("# mine\n", "\n"),
        ("[log]\nlevel = 'warn'\n# more log", "\n"),
        ("# mine\r\n", "\r\n"),
    ] {
        let home = Home::new().user(before);
        home.editor()
            .set("review.rules.tls-verify-off", "off", None)
            .unwrap()
            .apply()
            .unwrap();
        let section = "[review.rules]\ntls-verify-off = \"off\"\n".replace('\n', line_end);
        let text = home.text();
        assert!(
            text.starts_with(before) && text.ends_with(&section),
            "{text}"
        );
        assert!(!home.settings().unwrap().rules()["tls-verify-off"]);
    }
}

#[test]
fn unset_takes_the_line_and_nothing_else() {
    let before = "# header\n[review]\n# why strict\nstrict = true # yes\nmax_findings = 5\n";
    let home = Home::new().user(before);
    home.editor()
        .unset("review.strict", None)
        .unwrap()
        .apply()
        .unwrap();
    assert_eq!(
        home.text(),
        "# header\n[review]\n# why strict\nmax_findings = 5\n"
    );
    let again = home.editor().unset("review.strict", None).unwrap();
    assert!(!again.changes_anything());
    let error = home.editor().unset("review.strct", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownKey);
}

#[test]
fn unset_repairs_a_file_with_unknown_names() {
    let home = Home::new().user(
        "review = { strict = true, strct = true, max_findings = 3 }\n\n[models]\ndefault = 'x'\n\n[\"a.b\"]\nc = 1\n",
    );
    for name in ["review.strct", "models", "a.b.c", "a.b"] {
        assert!(home.load().is_err());
        home.editor().unset(name, None).unwrap().apply().unwrap();
    }
    assert!(home.load().is_ok(), "{}", home.text());
    assert!(
        home.settings()
            .unwrap()
            .value(&convergio_config::REVIEW_STRICT)
    );
}

#[test]
fn every_style_of_toml_can_be_edited() {
    let styles = [
        "",
        "# only a comment\n",
        "review.max_findings = 3\n",
        "review = { max_findings = 3 }\n",
        "[review.rules]\ntls-verify-off = 'off'\n",
        "review.rules.tls-verify-off = 'off'\n",
        "[review]\nrules = { tls-verify-off = 'off' }\n",
        "[review]\nrules.tls-verify-off = 'off'\n",
        "[log]\nlevel = 'warn'",
        "config_version = 1\r\n[review]\r\nmax_findings = 3\r\n",
    ];
    for style in styles {
        let home = Home::new().user(style);
        for (key, value) in [
            ("review.strict", "true"),
            ("review.rules.swallowed-error", "off"),
            ("review.rules.secret/aws.key", "off"),
            ("daemon.idle_exit_ms", "5000"),
        ] {
            home.editor()
                .set(key, value, None)
                .unwrap()
                .apply()
                .unwrap();
            let found = home.settings().map(|settings| settings.get(key).unwrap());
            let found = found.unwrap_or_else(|error| panic!("{style:?}: {error}: {}", home.text()));
            assert_eq!(found.value.to_string(), value, "{style:?}: {}", home.text());
        }
        home.editor()
            .unset("review.rules.secret/aws.key", None)
            .unwrap()
            .apply()
            .unwrap();
        assert_eq!(home.settings().unwrap().rules().get("secret/aws.key"), None);
    }
}

#[test]
fn names_and_values_are_checked_before_anything_is_read_or_written() {
    let home = Home::new();
    let cases = [
        ("review.strct", "true", ErrorKind::UnknownKey),
        ("review.strict", "maybe", ErrorKind::WrongType),
        ("review.max_findings", "0", ErrorKind::OutOfRange),
        ("review.rules", "off", ErrorKind::WrongType),
        ("config_version", "1", ErrorKind::UnknownKey),
    ];
    for (key, value, kind) in cases {
        assert_eq!(
            home.editor().set(key, value, None).unwrap_err().kind(),
            kind,
            "{key}"
        );
    }
    let home = home.user("review = 3\n");
    let error = home
        .editor()
        .set("review.strict", "true", None)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert_eq!(error.hint(), "cv config unset review");
}

#[test]
fn another_revision_is_a_conflict_when_planned_and_when_applied() {
    let home = Home::new().user("[review]\nstrict = true\n");
    let stale = Revision::of(Some(b"something else"));
    let editor = home.editor();
    let error = editor
        .set("review.strict", "false", Some(&stale))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);

    let current = home.load().unwrap().revision().clone();
    let first = editor
        .set("review.strict", "false", Some(&current))
        .unwrap();
    let second = editor
        .set("review.max_findings", "3", Some(&current))
        .unwrap();
    first.apply().unwrap();
    assert_eq!(second.apply().unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(home.text(), "[review]\nstrict = false\n");

    second.apply().unwrap_err();
    home.editor()
        .set("log.level", "warn", None)
        .unwrap()
        .apply()
        .unwrap();
    let back = restore(
        &home.paths,
        &home.environment,
        first.before,
        &first.after_rev,
    );
    assert_eq!(back.unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn two_writers_at_once_never_share_the_new_file() {
    let home = Home::new().user("");
    let folder = fs::File::open(&home.paths.config_dir).unwrap();
    folder.lock().unwrap();
    let plan = home.editor().set("review.strict", "true", None).unwrap();
    assert_eq!(plan.apply().unwrap_err().kind(), ErrorKind::Conflict);
    folder.unlock().unwrap();
    plan.apply().unwrap();
}

#[test]
fn a_reader_never_sees_half_a_file() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let padding = "# padding\n".repeat(20_000);
    let home = Home::new().user(&format!("{padding}[review]\nmax_findings = 111\n"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let text = home.text();
                assert!(
                    text.starts_with(&padding)
                        && text.ends_with("1\n")
                        && text.len() > padding.len()
                );
                reads += 1;
            }
        });
        for value in ["211", "311", "411", "511", "611"].repeat(4) {
            let plan = home.editor().set("review.max_findings", value, None);
            plan.unwrap().apply().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn what_a_crash_left_behind_is_cleared_even_if_it_is_a_link() {
    let home = Home::new().user("");
    let victim = home.folder.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let leftover = home.paths.config_dir.join(".config.toml.new");
    symlink(&victim, &leftover).unwrap();
    home.editor()
        .set("review.strict", "true", None)
        .unwrap()
        .apply()
        .unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(fs::symlink_metadata(&leftover).is_err());
    assert!(
        !fs::symlink_metadata(home.config_file())
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn a_linked_dotfile_stays_a_link_and_its_target_is_written() {
    let home = Home::new();
    let dotfiles = home.folder.path().join("dotfiles");
    fs::create_dir(&dotfiles).unwrap();
    let target = dotfiles.join("convergio.toml");
    fs::write(&target, "# kept in git\n").unwrap();
    symlink(&target, home.config_file()).unwrap();
    let plan = home.editor().set("review.strict", "true", None).unwrap();
    plan.apply().unwrap();
    assert!(
        fs::symlink_metadata(home.config_file())
            .unwrap()
            .is_symlink()
    );
    assert!(
        fs::read_to_string(&target)
            .unwrap()
            .starts_with("# kept in git\n")
    );
    assert!(
        fs::read_to_string(&target)
            .unwrap()
            .contains("strict = true")
    );
    let left: Vec<_> = fs::read_dir(&dotfiles).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing beside it");
}

#[test]
fn another_users_file_target_or_folder_is_refused() {
    let mut home = Home::new().user("# theirs\n");
    let owner = fs::metadata(home.config_file()).unwrap().uid();
    home.environment.uid = owner + 1;
    let error = home
        .editor()
        .set("review.strict", "true", None)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignOwner);
    assert!(
        error.to_string().contains(&format!("user {owner}")),
        "{error}"
    );

    fs::remove_file(home.config_file()).unwrap();
    let plan = home.editor().set("review.strict", "true", None).unwrap();
    assert_eq!(plan.apply().unwrap_err().kind(), ErrorKind::ForeignOwner);
    assert!(!home.config_file().exists());
}

#[test]
fn our_link_to_another_users_file_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // Not `eprintln!`, which is kept from sight where a test passes.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED a file of another user: this needs root\n",
        );
        return;
    }
    let home = Home::new();
    let target = home.folder.path().join("theirs.toml");
    fs::write(&target, "# theirs\n").unwrap();
    std::os::unix::fs::chown(&target, Some(65_534), Some(65_534)).unwrap();
    symlink(&target, home.config_file()).unwrap();
    let error = home
        .editor()
        .set("review.strict", "true", None)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignOwner);
    assert_eq!(error.path(), Some(target.as_path()));
}

#[test]
fn a_link_to_nowhere_is_refused() {
    let home = Home::new();
    symlink(home.folder.path().join("nowhere"), home.config_file()).unwrap();
    let error = home
        .editor()
        .set("review.strict", "true", None)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAFile);
}

mod any_document {
    use super::*;
    use convergio_config::{Catalog, Form, KEYS, Kind};
    use proptest::prelude::*;

    fn change() -> impl Strategy<Value = (String, Option<String>)> {
        let key_and_values: Vec<(String, Vec<String>)> = KEYS
            .iter()
            .flat_map(|spec| match spec.kind {
                Kind::Boolean => vec![(spec.dotted(), vec!["true".into(), "false".into()])],
                Kind::Integer { min, max } => {
                    vec![(spec.dotted(), vec![min.to_string(), max.to_string()])]
                }
                Kind::Choice(words) => {
                    vec![(
                        spec.dotted(),
                        words.iter().map(|word| (*word).to_owned()).collect(),
                    )]
                }
                Kind::List(Form::SigningKey) => {
                    vec![(spec.dotted(), vec![format!("RW{}", "A".repeat(54))])]
                }
                Kind::Text(_) | Kind::List(_) => vec![(spec.dotted(), vec![spec.example()])],
                Kind::Lists(_, names) => {
                    let name = names.first().copied().unwrap_or("mine");
                    vec![(format!("{}.{name}", spec.dotted()), vec![spec.example()])]
                }
                Kind::Switches => ["a", "b/c", "d.e"]
                    .iter()
                    .map(|id| {
                        (
                            format!("{}.{id}", spec.dotted()),
                            vec!["on".into(), "off".into()],
                        )
                    })
                    .collect(),
            })
            .collect();
        proptest::sample::select(key_and_values).prop_flat_map(|(key, values)| {
            (
                Just(key),
                proptest::option::weighted(0.7, proptest::sample::select(values)),
            )
        })
    }

    const STARTS: [&str; 5] = [
        "",
        "# comment 1\n\n# comment 2\n[review] # comment 3\n# comment 4\n",
        "# comment 1\nreview = { strict = true } # comment 2\n[log]\n# comment 3\nlevel = 'warn'\n",
        "# comment 1\nreview.strict = true\nreview.rules.a = 'off'\n# comment 2\n",
        "[review.rules]\n# comment 1\na = 'off'\n# comment 2\n'd.e' = 'on'\n[retention]\n# comment 3\n",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn what_is_set_is_read_back_and_comments_survive(
            start in proptest::sample::select(&STARTS[..]),
            changes in proptest::collection::vec(change(), 1..12),
        ) {
            let mut home = Home::new().user(start);
            home.catalog = Catalog::any_rule();
            let mut expected: std::collections::BTreeMap<String, String> = home
                .settings().unwrap().list().into_iter()
                .filter(|row| row.layer != convergio_config::Layer::Default)
                .map(|row| (row.key, row.value.to_string()))
                .collect();
            for (key, value) in changes {
                let plan = match &value {
                    Some(value) => home.editor().set(&key, value, None).unwrap(),
                    None => home.editor().unset(&key, None).unwrap(),
                };
                plan.apply().unwrap();
                match value {
                    Some(value) => expected.insert(key, value),
                    None => expected.remove(&key),
                };
                let found: std::collections::BTreeMap<String, String> = home
                    .settings().unwrap().list().into_iter()
                    .filter(|row| row.layer != convergio_config::Layer::Default)
                    .map(|row| (row.key, row.value.to_string()))
                    .collect();
                prop_assert_eq!(&found, &expected, "{}", home.text());
            }
            // Comments that stand on lines of their own stay whatever happens.
            for line in start.lines().filter(|line| line.starts_with('#')) {
                prop_assert!(home.text().contains(line), "{} lost in\n{}", line, home.text());
            }
        }
    }
}
