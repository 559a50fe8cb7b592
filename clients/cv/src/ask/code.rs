//! The code in an answer.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// The first fenced block of a Markdown text, without its fences; none where there is none, or
/// where it has no end.
pub fn first_block(text: &str) -> Option<String> {
    let mut events = Parser::new(text).into_offset_iter();
    let range = events.find_map(|(event, range)| match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => Some(range),
        _ => None,
    })?;
    if !is_closed(&text[range]) {
        return None;
    }
    let mut code = String::new();
    for (event, _) in events {
        match event {
            Event::Text(text) => code.push_str(&text),
            Event::End(TagEnd::CodeBlock) => break,
            _ => {}
        }
    }
    Some(code)
}

/// Whether the last line of a block is a fence like its first; a block that ends with the text
/// instead was cut.
fn is_closed(block: &str) -> bool {
    let fence = |line: &str| {
        let line = line.trim_start_matches([' ', '\t', '>']);
        let mark = line.chars().next()?;
        let run = line.chars().take_while(|&c| c == mark).count();
        (matches!(mark, '`' | '~') && run >= 3).then_some((mark, run))
    };
    let mut lines = block.lines();
    let opening = lines.next().and_then(fence);
    let closing = lines.next_back().and_then(|line| {
        let found = fence(line)?;
        line.trim()
            .trim_start_matches(['>', ' '])
            .chars()
            .all(|c| c == found.0)
            .then_some(found)
    });
    matches!((opening, closing), (Some((mark, run)), Some((end, length))) if mark == end && length >= run)
}

/// A text that is nothing but one fenced block, without its fences; else the text itself.
pub fn unfenced(text: &str) -> String {
    let trimmed = text.trim();
    let fenced = trimmed.starts_with("```") && trimmed.ends_with("```");
    let single = fenced
        && trimmed
            .lines()
            .filter(|line| line.starts_with("```"))
            .count()
            == 2;
    match first_block(trimmed) {
        Some(block) if single => block,
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_comes_without_its_fences() {
        for (text, code) in [
            (
                "Here:\n```rust\nfn a() {}\n```\nand\n```\nb\n```\n",
                Some("fn a() {}\n"),
            ),
            ("~~~\n```\n~~~", Some("```\n")),
            ("- item\n  ```sh\n  ls\n  ```\n", Some("ls\n")),
            ("````\n```\nx\n```\n````", Some("```\nx\n```\n")),
            ("```\n```", Some("")),
            ("no `code` here\n\n    indented\n", None),
            ("cut:\n```rust\nfn a() {\n", None),
            ("cut:\n```rust\nfn a() {\n``", None),
        ] {
            assert_eq!(first_block(text).as_deref(), code, "{text:?}");
        }
    }

    #[test]
    fn json_in_a_fence_is_json() {
        assert_eq!(unfenced("```json\n{\"a\": 1}\n```\n"), "{\"a\": 1}\n");
        assert_eq!(unfenced("{\"a\": 1}"), "{\"a\": 1}");
        assert_eq!(unfenced("so: ```x```"), "so: ```x```");
    }
}
