//! Names of one model, as its provider writes them in different places.

/// A name as it is compared: `Claude Haiku 4.5` is `claude-haiku-4-5`.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_matches('-').to_owned()
}

/// Two names of one model: the same but for spelling, or but for a date behind it.
pub(crate) fn same_model(one: &str, other: &str) -> bool {
    let (one, other) = (slug(one), slug(other));
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    long.strip_prefix(&short).is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|date| {
                let digits: String = date.chars().filter(|c| *c != '-').collect();
                digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit())
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_model_are_one_model() {
        for (one, other) in [
            ("Claude Haiku 4.5", "claude-haiku-4-5"),
            ("Claude Haiku 4.5", "claude-haiku-4-5-20251001"),
            ("gpt-5-mini", "gpt-5-mini-2025-08-07"),
            ("gpt-5", "gpt-5"),
        ] {
            assert!(
                same_model(one, other) && same_model(other, one),
                "{one} {other}"
            );
        }
        for (one, other) in [
            ("gpt-5", "gpt-5-mini"),
            ("gpt-5", "gpt-5-mini-2025-08-07"),
            ("gpt-5", "gpt-55"),
            ("claude-opus-4", "claude-opus-4-5"),
        ] {
            assert!(!same_model(one, other), "{one} {other}");
        }
    }
}
