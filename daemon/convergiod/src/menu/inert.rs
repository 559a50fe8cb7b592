//! Text of people on one line of a menu: it drives nothing, hides nothing and is not long.

/// Characters of a text at most.
const CHARS_MAX: usize = 60;

/// Characters that turn the direction of what follows, or cannot be seen though they are there.
/// Joiners are left: scripts and emoji need them, and they turn nothing.
fn is_hidden(one: char) -> bool {
    matches!(
        one,
        '\u{61c}'
            | '\u{ad}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// `text` on one line, with control and direction characters in sight, cut with `…`.
pub(crate) fn inert(text: &str) -> String {
    let mut line = String::new();
    let mut chars = 0;
    let mut gap = false;
    for one in text.trim().chars() {
        if matches!(one, ' ' | '\t' | '\n' | '\r' | '\u{a0}') {
            gap = true;
            continue;
        }
        let shown = match one.is_control() || is_hidden(one) {
            true => format!("‹U+{:04X}›", u32::from(one)),
            false => one.to_string(),
        };
        let room = chars + usize::from(gap) + shown.chars().count();
        if room > CHARS_MAX {
            line.push('…');
            return line;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push_str(&shown);
        chars = room;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_drives_what_shows_it() {
        for (text, shown) in [
            ("call Mario", "call Mario"),
            ("  a\n\tb \r\n c ", "a b c"),
            ("<b>\"x\" & 'y'</b>", "<b>\"x\" & 'y'</b>"),
            ("-rf _quit &File", "-rf _quit &File"),
            ("a\u{202e}gpj.exe", "a‹U+202E›gpj.exe"),
            ("bell\u{7}\u{1b}[2J", "bell‹U+0007›‹U+001B›[2J"),
            ("zero\u{200b}width\u{feff}", "zero‹U+200B›width‹U+FEFF›"),
            ("👩\u{200d}🔬 è già", "👩\u{200d}🔬 è già"),
            ("", ""),
        ] {
            assert_eq!(inert(text), shown);
        }
    }

    #[test]
    fn it_is_never_longer_than_a_line_of_a_menu() {
        for text in [
            "x".repeat(10_000),
            "\u{202e}".repeat(10_000),
            "a ".repeat(5_000),
            format!("{}\u{301}", "e\u{301}".repeat(3_000)),
        ] {
            let line = inert(&text);
            assert!(line.chars().count() <= CHARS_MAX + 1, "{line}");
            assert!(line.ends_with('…'));
        }
        let fits = "y".repeat(CHARS_MAX);
        assert_eq!(inert(&fits), fits);
    }
}
