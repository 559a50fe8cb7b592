//! Answers on terminals: narrow ones, colourless ones, and answers that would drive them.

use convergio_fake_provider::{Dialect, Reply, Script};

use super::House;
use crate::harness::terminal;

const MARKDOWN: &str = "# A heading that is longer than twenty columns\n\n\
    Some **bold** words, `code`, and a paragraph of more than twenty columns.\n\n\
    - first item of a list\n- second item with many more words in it\n\n\
    ```rust\nfn a_function_with_a_long_name() -> usize { 42 }\n```\n\n\
    東京は日本の首都で、とても大きい都市です。 🎈\n";

/// Columns that a line takes, wide letters counted twice.
fn columns(line: &str) -> usize {
    line.chars()
        .map(|letter| match u32::from(letter) {
            0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
            0x1100..=0x115f
            | 0x2e80..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f
            | 0xff00..=0xff60
            | 0xffe0..=0xffe6
            | 0x1f300..=0x1faff => 2,
            _ => 1,
        })
        .sum()
}

#[test]
fn twenty_columns_are_enough() {
    for reply in [Reply::text(MARKDOWN), Reply::text(MARKDOWN).in_deltas(60)] {
        let house = House::new(Script::always(reply));
        let shown = terminal::run(house.command(&["ask", "hi", "--no-stdin"]), 20);
        assert_eq!(shown.code, Some(0), "{}", shown.seen);
        assert!(!shown.seen.contains("panicked"), "{}", shown.seen);
        for word in ["heading", "bold", "second", "usize", "東京", "🎈"] {
            assert!(
                shown.seen.contains(word),
                "{word} is missing: {}",
                shown.seen
            );
        }
        for line in shown
            .seen
            .lines()
            .filter(|line| !line.contains("fn a_function"))
        {
            assert!(columns(line) <= 20, "{line:?} in {}", shown.seen);
        }
        house.settled();
    }
}

#[test]
fn no_color_means_none_and_the_words_stay() {
    let house = House::new(Script::always(Reply::text(MARKDOWN).in_deltas(30)));
    let mut command = house.command(&["ask", "hi", "--no-stdin"]);
    command.env("NO_COLOR", "1");
    let shown = terminal::run(command, 80);
    assert_eq!(shown.code, Some(0), "{}", shown.seen);
    assert!(
        shown
            .seen
            .contains("A heading that is longer than twenty columns"),
        "{}",
        shown.seen
    );
    // Bold and underline are no colours; a colour is 3x, 4x, 9x, 10x of SGR.
    for sequence in shown.raw.split("\u{1b}[").skip(1) {
        let Some((numbers, _)) = sequence.split_once('m') else {
            continue;
        };
        if !numbers
            .chars()
            .all(|letter| letter.is_ascii_digit() || letter == ';')
        {
            continue;
        }
        for number in numbers
            .split(';')
            .filter_map(|number| number.parse::<u32>().ok())
        {
            let colour = matches!(number, 30..=38 | 40..=48 | 90..=97 | 100..=107);
            assert!(!colour, "a colour: {sequence:?}");
        }
    }
}

#[test]
fn an_answer_never_drives_the_terminal() {
    let evil = "a\u{1b}]0;pwned\u{7}b\u{1b}[2J\u{1b}[31mred\u{9b}31m\rover\u{8}\u{202e}gnp\u{202a}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}\n\
                ```\n\u{1b}]52;c;cm0=\u{7}\n```\nthe end\n";
    for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
        let house = House::speaking(dialect, Script::always(Reply::text(evil).in_deltas(25)));
        let shown = terminal::run(house.command(&["ask", "hi", "--no-stdin"]), 80);
        assert_eq!(shown.code, Some(0), "{}", shown.seen);
        // What is left of control sequences must be ours: `seen` panics on any other.
        for bad in [
            "\u{1b}]",
            "\u{1b}[2J",
            "\u{9b}",
            "\u{7}",
            "\u{8}",
            "\u{202e}",
            "\u{202a}",
            "\u{2066}",
            "\u{2069}",
            "\u{200e}",
            "\u{200f}",
            "\u{61c}",
        ] {
            assert!(!shown.raw.contains(bad), "{bad:?} in {:?}", shown.raw);
        }
        assert!(shown.seen.contains("the end"), "{}", shown.seen);
    }
}
