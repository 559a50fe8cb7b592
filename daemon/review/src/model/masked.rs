//! Texts that are no diff, without their secrets.

use std::borrow::Cow;

use super::hide::{SecretBook, TextSpots};
use crate::{Review, ReviewOptions, rules::secret};

/// Places that are named at most; the others are in the count.
const PLACES_MAX: usize = 20;

/// Texts without their secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked<'t> {
    /// In the order of what was given; borrowed where nothing was masked.
    pub texts: Vec<Cow<'t, str>>,
    /// Distinct secrets that were masked.
    pub count: u32,
    /// Where they stand, each secret once, in order; the first 20.
    pub places: Vec<SecretPlace>,
}

/// Where a secret stands, without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlace {
    /// What it is: a format's name (`AWS access key`), else the id of the rule that knows it.
    pub kind: &'static str,
    /// Which of the texts, from 0.
    pub text: usize,
    /// The byte at which it begins there.
    pub start: usize,
}

/// A text could not be searched for secrets, because a rule has a defect that it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text could not be searched for secrets")]
pub struct Unsearched;

/// Masks the secrets in texts that go together, with what the review knows of secrets: published
/// formats of keys, private keys, passwords in addresses and in assignments. One that was found in
/// one text is masked wherever it occurs in any of them, if it has 6 characters or more.
///
/// # Errors
/// [`Unsearched`]: such a text must not leave.
pub fn mask_secrets<'t>(texts: &[&'t str]) -> Result<Masked<'t>, Unsearched> {
    let review = Review::new(b"", ReviewOptions::default()).map_err(|_| Unsearched)?;
    let (book, places) = SecretBook::of_texts(&review, texts).ok_or(Unsearched)?;
    let mut hidden = Vec::new();
    let mut masked = Vec::with_capacity(texts.len());
    for (&text, spots) in texts.iter().zip(&places) {
        let without = book.hide(text, spots, &mut hidden);
        masked.push(without.map_or(Cow::Borrowed(text), Cow::Owned));
    }
    let count = book.counted(hidden).iter().map(|kind| kind.count).sum();
    Ok(Masked {
        texts: masked,
        count,
        places: named(&book, texts, &places),
    })
}

fn named(book: &SecretBook, texts: &[&str], places: &[TextSpots]) -> Vec<SecretPlace> {
    let mut seen = Vec::new();
    let mut named = Vec::new();
    for (number, (text, spots)) in texts.iter().zip(places).enumerate() {
        for (range, id) in spots {
            if named.len() == PLACES_MAX {
                return named;
            }
            if seen.contains(id) {
                continue;
            }
            seen.push(*id);
            let format = text.get(range.clone()).map(secret::find);
            let format = format.as_ref().and_then(|found| found.first());
            let Some(kind) = format.map(|found| found.format.name).or(book.kind(*id)) else {
                continue;
            };
            named.push(SecretPlace {
                kind,
                text: number,
                start: range.start,
            });
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of the right form; nobody's.
    const AWS: &str = "AKIAQ3EGZ7L2MWXK9TPV";
    const GITHUB: &str = "ghp_R7kZ2mXqP9sLw4TnB6vYc1HdJf8GaE3uKo5N";

    #[test]
    fn keys_are_masked_and_counted_once_each() {
        let file = format!("aws = \"{AWS}\"\nexport TOKEN={GITHUB}\n");
        let prompt = format!("why is {AWS} refused?");
        let masked = mask_secrets(&[&prompt, &file, "nothing here"]).unwrap();
        assert_eq!(masked.count, 2, "{masked:?}");
        let all = masked.texts.concat();
        assert!(!all.contains(AWS) && !all.contains(GITHUB), "{all}");
        assert_eq!(masked.texts[0], "why is [redacted] refused?");
        assert!(matches!(masked.texts[2], Cow::Borrowed("nothing here")));
        let place = |kind, text, start| SecretPlace { kind, text, start };
        let named = [place("AWS access key", 0, 7), place("GitHub token", 1, 42)];
        assert_eq!(masked.places, named);
    }

    #[test]
    fn a_password_without_a_format_is_named_by_its_rule() {
        let masked = mask_secrets(&["x\npassword = \"pU7#kQ2!vZ9m\"\n"]).unwrap();
        let kinds: Vec<&str> = masked.places.iter().map(|place| place.kind).collect();
        assert_eq!(kinds, ["secret-assignment"], "{masked:?}");
        assert_eq!(masked.places[0].start, 14, "{masked:?}");
    }

    #[test]
    fn places_are_bounded_and_the_count_is_not() {
        let key = |n: u32| format!("AKIA{n:04}Z7L2MWXK9TPV\n");
        let text: String = (1_000..1_050).map(key).collect();
        let masked = mask_secrets(&[&text]).unwrap();
        assert_eq!((masked.places.len(), masked.count), (20, 50), "{masked:?}");
    }

    #[test]
    fn a_private_key_is_masked_whole() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        let key = format!("-----BEGIN PRIVATE KEY-----\n{body}\n{body}\n-----END PRIVATE KEY-----");
        let masked = mask_secrets(&[&key]).unwrap();
        assert!(
            masked.count > 0 && !masked.texts[0].contains(body),
            "{masked:?}"
        );
    }

    proptest! {
        #[test]
        fn a_key_never_stays_and_other_text_does(
            before in "[a-z \\n]{0,60}",
            after in "[a-z \\n]{0,60}",
        ) {
            let text = format!("{before} {AWS} {after}");
            let masked = mask_secrets(&[&text]).unwrap();
            prop_assert_eq!(masked.texts[0].as_ref(), format!("{before} [redacted] {after}"));
            let plain = format!("{before} {after}");
            let masked = mask_secrets(&[&plain]).unwrap();
            prop_assert_eq!((masked.texts[0].as_ref(), masked.count), (plain.as_str(), 0));
        }
    }
}
