use proptest::prelude::*;

use super::*;
use crate::output::layout::columns;

const ANSWER: &str = "# Ownership\n\nA value has **one owner**; see `Rc` and [the book](https://x.org/b).\n\n\
    - first item that is long enough to wrap\n  - nested\n1. one\n\n```rust\nfn main() {\n\tlet x = 1;\n}\n```\n\
    > quoted *words*\n\n| a | long name |\n|---|:---|\n| 1 | `x` |\n\n---\nend";

fn shown(text: &str, width: Option<usize>, color: bool, pieces: usize) -> String {
    let mut screen = Screen::new(Layout { width, color });
    let mut out = String::new();
    let letters: Vec<char> = text.chars().collect();
    for piece in letters.chunks(pieces.max(1)) {
        out.push_str(&screen.push(&piece.iter().collect::<String>()));
    }
    out.push_str(&screen.end());
    out
}

#[test]
fn an_answer_is_laid_out_without_colour() {
    assert_eq!(
        shown(ANSWER, Some(40), false, 1),
        "# Ownership\n\n\
         A value has **one owner**; see `Rc` and\n\
         the book (https://x.org/b).\n\n\
         • first item that is long enough to wrap\n  \
           • nested\n\
         1. one\n\n\
         ```rust\nfn main() {\n    let x = 1;\n}\n```\n\
         │ quoted *words*\n\n\
         a  long name\n────────────\n1  `x`\n\n\
         ────────────────────────────────────────\nend\n"
    );
}

#[test]
fn colour_takes_the_marks_place() {
    let out = shown("# Head\nA **b** `c`\n", Some(40), true, 3);
    assert_eq!(
        out,
        "\u{1b}[1mHead\u{1b}[0m\nA \u{1b}[1mb\u{1b}[0m \u{1b}[36mc\u{1b}[0m\n"
    );
}

#[test]
fn twenty_columns_hold_everything() {
    let out = shown(ANSWER, Some(20), false, 1);
    let mut in_code = false;
    for line in out.lines() {
        in_code ^= line.starts_with("```");
        assert!(in_code || columns(line) <= 20, "{line:?} in {out}");
    }
    for word in [
        "Ownership",
        "wrap",
        "https://x.org/b",
        "let x = 1;",
        "quoted",
    ] {
        let letters =
            |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
        assert!(letters(&out).contains(&letters(word)), "{word} in {out}");
    }
}

#[test]
fn words_appear_as_soon_as_they_are_whole() {
    let mut screen = Screen::new(Layout {
        width: Some(40),
        color: false,
    });
    assert_eq!(screen.push("The quick bro"), "The quick");
    assert_eq!(screen.push("wn **fox is"), " brown");
    assert_eq!(screen.push("** red. "), " **fox is** red.");
    assert_eq!(screen.push("\n```\nlet a"), "\n```\nlet a");
    assert_eq!(screen.push("bc = 1"), "bc = 1");
    assert_eq!(screen.end(), "\n");
}

#[test]
fn hostile_text_drives_nothing() {
    let hostile = "a\u{1b}[2J &#27;[31m `\u{9b}x`\n```\u{7}\n\u{1b}]0;t\u{7}\n```\n| \u{1b}c | b |\n|--|--|\n";
    for pieces in [1, 7, 1000] {
        let out = shown(hostile, Some(30), false, pieces);
        assert!(
            !out.chars()
                .any(|c| c != '\n' && crate::output::escape::is_unsafe(c)),
            "{out:?}"
        );
    }
}

#[test]
fn a_word_without_an_end_is_broken_and_whole() {
    let word = "x".repeat(200_000);
    for pieces in [7, usize::MAX] {
        let out = shown(&word, Some(20), false, pieces);
        assert_eq!(letters(&out).len(), word.len());
        assert!(out.lines().all(|line| columns(line) <= 20));
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

proptest! {
    #[test]
    fn pieces_of_any_size_show_the_same(
        text in "([a-z漢é*_`#>|~\\[\\]()! .0-9-]{0,12}\n?){0,12}",
        pieces in 1usize..9,
        width in 1usize..60,
    ) {
        let whole = shown(&text, Some(width), false, usize::MAX);
        let cut = shown(&text, Some(width), false, pieces);
        // Where markup is broken, what was shown early may stay unmarked; no letter is lost.
        prop_assert_eq!(letters(&cut).len(), letters(&whole).len(), "{:?} {:?}", cut, whole);
    }

    #[test]
    fn no_text_panics_or_drives_the_terminal(
        text in "(.|\n|[\u{0}-\u{9f}]|&#[0-9]{1,4};){0,60}",
        pieces in 1usize..9,
        width in 1usize..40,
    ) {
        let out = shown(&text, Some(width), false, pieces);
        prop_assert!(
            !out.chars().any(|c| !matches!(c, '\n' | '\u{200c}' | '\u{200d}')
                && crate::output::escape::is_unsafe(c)),
            "{:?}",
            out
        );
        prop_assert!(out.is_empty() || out.ends_with('\n'));
    }
}
