use std::collections::BTreeSet;

use super::*;
use crate::Catalog;

#[test]
fn names_variables_and_docs_are_distinct_and_well_formed() {
    let mut names = BTreeSet::new();
    let mut variables = BTreeSet::new();
    for spec in KEYS {
        assert!(names.insert(spec.dotted()), "twice: {}", spec.dotted());
        assert!(variables.insert(spec.variable()));
        assert!(!spec.doc.is_empty() && !spec.doc.ends_with('.') && !spec.doc.contains('\n'));
        assert!(spec.example() != "(not set)", "{}", spec.dotted());
        for word in [spec.section, spec.name] {
            assert!(
                word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{word}"
            );
        }
    }
}

#[test]
fn every_default_is_allowed_by_its_own_key() {
    let catalog = Catalog::any_rule();
    for spec in KEYS {
        let name = match spec.kind {
            Kind::Switches => format!("{}.some-rule", spec.dotted()),
            Kind::Lists(_, names) => {
                let name = names.first().copied().unwrap_or("mine");
                format!("{}.{name}", spec.dotted())
            }
            _ => spec.dotted(),
        };
        let target = catalog.find(&name).unwrap();
        let default = spec.default_value();
        if default != Value::Unset {
            assert_eq!(target.read_text(&default.to_string()).unwrap(), default);
        }
        // No key is in an example: who types it would trust somebody.
        let example = match spec.kind {
            Kind::List(Form::SigningKey) => format!("RW{}", "A".repeat(54)),
            _ => spec.example(),
        };
        target.read_text(&example).unwrap();
    }
}
