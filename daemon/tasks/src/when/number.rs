//! Numbers and ordinals, as digits and as words.

use super::Language;
use super::text::Text;
use super::token::Kind;

const ENGLISH: &[(&str, u32)] = &[
    ("zero", 0),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
];
const ENGLISH_TENS: &[(&str, u32)] = &[
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fourty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
];
const ENGLISH_ORDINALS: &[(&str, u32)] = &[
    ("first", 1),
    ("second", 2),
    ("third", 3),
    ("fourth", 4),
    ("fifth", 5),
    ("sixth", 6),
    ("seventh", 7),
    ("eighth", 8),
    ("ninth", 9),
    ("tenth", 10),
    ("eleventh", 11),
    ("twelfth", 12),
    ("thirteenth", 13),
    ("fourteenth", 14),
    ("fifteenth", 15),
    ("sixteenth", 16),
    ("seventeenth", 17),
    ("eighteenth", 18),
    ("nineteenth", 19),
    ("twentieth", 20),
    ("thirtieth", 30),
];
const ITALIAN: &[(&str, u32)] = &[
    ("zero", 0),
    ("un", 1),
    ("uno", 1),
    ("una", 1),
    ("due", 2),
    ("tre", 3),
    ("quattro", 4),
    ("cinque", 5),
    ("sei", 6),
    ("sette", 7),
    ("otto", 8),
    ("nove", 9),
    ("dieci", 10),
    ("undici", 11),
    ("dodici", 12),
    ("tredici", 13),
    ("quattordici", 14),
    ("quindici", 15),
    ("sedici", 16),
    ("diciassette", 17),
    ("diciotto", 18),
    ("diciannove", 19),
    ("cento", 100),
];
const ITALIAN_TENS: &[(&str, u32)] = &[
    ("venti", 20),
    ("trenta", 30),
    ("quaranta", 40),
    ("cinquanta", 50),
    ("sessanta", 60),
    ("settanta", 70),
    ("ottanta", 80),
    ("novanta", 90),
];
const ITALIAN_ORDINALS: &[(&str, u32)] = &[
    ("primo", 1),
    ("prima", 1),
    ("secondo", 2),
    ("seconda", 2),
    ("terzo", 3),
    ("terza", 3),
    ("quarto", 4),
    ("quarta", 4),
    ("quinto", 5),
    ("quinta", 5),
    ("sesto", 6),
    ("sesta", 6),
];

fn find(table: &[(&str, u32)], word: &str) -> Option<u32> {
    table
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, n)| *n)
}

/// A number at `at`, and where it ends.
pub(super) fn number(text: &Text<'_>, at: usize, language: Language) -> Option<(u32, usize)> {
    let token = text.token(at)?;
    match token.kind {
        Kind::Number => Some((token.number()?, at + 1)),
        Kind::Word => word(text, at, language),
        Kind::Mark | Kind::Quoted => None,
    }
}

/// A number in words.
pub(super) fn word(text: &Text<'_>, at: usize, language: Language) -> Option<(u32, usize)> {
    let norm = text.word(at)?;
    match language {
        Language::English => {
            if let Some(tens) = find(ENGLISH_TENS, norm) {
                let next = at + 1 + usize::from(text.is(at + 1, "-"));
                return match text.word(next).and_then(|w| find(ENGLISH, w)) {
                    Some(unit @ 1..=9) => Some((tens + unit, next + 1)),
                    _ => Some((tens, at + 1)),
                };
            }
            find(ENGLISH, norm).map(|n| (n, at + 1))
        }
        Language::Italian => italian(norm).map(|n| (n, at + 1)),
    }
}

fn italian(word: &str) -> Option<u32> {
    find(ITALIAN, word).or_else(|| {
        ITALIAN_TENS.iter().find_map(|(tens, n)| {
            if word == *tens {
                return Some(*n);
            }
            // ventuno and ventotto drop a vowel.
            let (rest, dropped) = match word.strip_prefix(tens) {
                Some(rest) => (rest, false),
                None => (word.strip_prefix(&tens[..tens.len() - 1])?, true),
            };
            let unit = if rest == "un" {
                1
            } else {
                find(ITALIAN, rest)?
            };
            (matches!(unit, 1..=9) && dropped == matches!(unit, 1 | 8)).then_some(n + unit)
        })
    })
}

/// How an ordinal was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Digits,
    Words,
}

/// `1st`, `first`, `1°`, `primo`.
pub(super) fn ordinal(
    text: &Text<'_>,
    at: usize,
    language: Language,
) -> Option<(u32, usize, Written)> {
    let token = text.token(at)?;
    if token.kind == Kind::Number {
        let n = token.number()?;
        if text.is(at + 1, "°") {
            return Some((n, at + 2, Written::Digits));
        }
        let suffix = text.word(at + 1).filter(|_| text.glued(at + 1))?;
        let known = match language {
            Language::English => matches!(suffix, "st" | "nd" | "rd" | "th"),
            Language::Italian => matches!(suffix, "o" | "a" | "mo"),
        };
        return known.then_some((n, at + 2, Written::Digits));
    }
    let norm = text.word(at)?;
    match language {
        Language::English => {
            if let Some(tens @ (20 | 30)) = find(ENGLISH_TENS, norm) {
                let next = at + 1 + usize::from(text.is(at + 1, "-"));
                if let Some(unit @ 1..=9) = text.word(next).and_then(|w| find(ENGLISH_ORDINALS, w))
                {
                    return Some((tens + unit, next + 1, Written::Words));
                }
            }
            find(ENGLISH_ORDINALS, norm).map(|n| (n, at + 1, Written::Words))
        }
        Language::Italian => find(ITALIAN_ORDINALS, norm).map(|n| (n, at + 1, Written::Words)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::tokens;
    use super::*;

    #[test]
    fn italian_numbers_drop_a_vowel_before_uno_and_otto_alone() {
        for (word, n) in [
            ("ventuno", 21),
            ("ventotto", 28),
            ("trentatre", 33),
            ("quarantacinque", 45),
            ("ventun", 21),
        ] {
            assert_eq!(italian(word), Some(n), "{word}");
        }
        for word in ["ventotto2", "venttre", "ventiuno", "ventuna2", "dueventi"] {
            assert_eq!(italian(word), None, "{word}");
        }
    }

    #[test]
    fn ordinals() {
        let found = tokens("twenty-third");
        assert_eq!(
            ordinal(&Text::new(&found), 0, Language::English),
            Some((23, 3, Written::Words))
        );
        let found = tokens("1º");
        assert_eq!(
            ordinal(&Text::new(&found), 0, Language::Italian),
            Some((1, 2, Written::Digits))
        );
    }
}
