//! Putting a suggestion into a file: only where the lines that it replaces still stand.

use convergio_contract::finding::Suggestion;

/// Lines around the named ones in which the original is looked for, either way.
const NEARBY_LINES: usize = 200;

/// Why a suggestion does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The lines are not there any more.
    Gone,
    /// They moved, and several places look the same.
    Ambiguous,
}

/// The file with the suggestion in it, and the first line (1-based) that it changes. Line
/// endings stay as they are in the file.
pub fn apply(content: &[u8], suggestion: &Suggestion) -> Result<(Vec<u8>, usize), Misfit> {
    let lines: Vec<&[u8]> = content.split_inclusive(|&byte| byte == b'\n').collect();
    let original: Vec<&[u8]> = suggestion.original.split('\n').map(str::as_bytes).collect();
    let stands_at = |start: usize| {
        lines
            .get(start..start + original.len())
            .is_some_and(|found| {
                found
                    .iter()
                    .zip(&original)
                    .all(|(line, wanted)| bare(line) == bare(wanted))
            })
    };
    let named = (suggestion.line_range.0 as usize).saturating_sub(1);
    let start = if stands_at(named) {
        named
    } else {
        let from = named.saturating_sub(NEARBY_LINES);
        let mut places = (from..=named + NEARBY_LINES).filter(|&start| stands_at(start));
        match (places.next(), places.next()) {
            (Some(only), None) => only,
            (Some(_), Some(_)) => return Err(Misfit::Ambiguous),
            (None, _) => return Err(Misfit::Gone),
        }
    };
    let end = start + original.len();
    let ending: &[u8] = if lines[start].ends_with(b"\r\n") {
        b"\r\n"
    } else {
        b"\n"
    };
    let mut out = Vec::with_capacity(content.len() + 256);
    lines[..start]
        .iter()
        .for_each(|line| out.extend_from_slice(line));
    if let Some(replacement) = &suggestion.replacement {
        for line in replacement.split('\n') {
            out.extend_from_slice(bare(line.as_bytes()));
            out.extend_from_slice(ending);
        }
        // A last line without an ending stays without one.
        if end == lines.len() && !content.ends_with(b"\n") {
            out.truncate(out.len() - ending.len());
        }
    }
    lines[end..]
        .iter()
        .for_each(|line| out.extend_from_slice(line));
    Ok((out, start + 1))
}

/// A line without its ending.
fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The change as a unified diff.
pub fn unified(path: &str, before: &[u8], after: &[u8]) -> String {
    let before = String::from_utf8_lossy(before);
    let after = String::from_utf8_lossy(after);
    similar::TextDiff::from_lines(before.as_ref(), after.as_ref())
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(line: u32, original: &str, replacement: Option<&str>) -> Suggestion {
        let last = line + original.matches('\n').count() as u32;
        Suggestion {
            line_range: (line, last),
            original: original.to_owned(),
            replacement: replacement.map(str::to_owned),
        }
    }

    fn applied(content: &str, suggestion: &Suggestion) -> Result<String, Misfit> {
        apply(content.as_bytes(), suggestion)
            .map(|(bytes, _)| String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn lines_are_replaced_and_removed_with_their_endings_kept() {
        let swap = suggestion(2, "b", Some("B\nB2"));
        assert_eq!(applied("a\nb\nc\n", &swap).as_deref(), Ok("a\nB\nB2\nc\n"));
        assert_eq!(
            applied("a\r\nb\r\nc\r\n", &swap).as_deref(),
            Ok("a\r\nB\r\nB2\r\nc\r\n")
        );
        assert_eq!(applied("a\nb", &swap).as_deref(), Ok("a\nB\nB2"));
        let remove = suggestion(2, "b\nc", None);
        assert_eq!(applied("a\nb\nc\n", &remove).as_deref(), Ok("a\n"));
    }

    #[test]
    fn a_line_that_moved_is_found_only_where_it_is_the_only_one() {
        let swap = suggestion(1, "x", Some("y"));
        assert_eq!(applied("new\nx\n", &swap).as_deref(), Ok("new\ny\n"));
        assert_eq!(applied("new\nx\nx\n", &swap), Err(Misfit::Ambiguous));
        assert_eq!(applied("new\n", &swap), Err(Misfit::Gone));
        assert_eq!(applied("", &swap), Err(Misfit::Gone));
        // Where it stands at the named line, equals elsewhere do not matter.
        assert_eq!(applied("x\nx\n", &swap).as_deref(), Ok("y\nx\n"));
    }

    #[test]
    fn the_change_reads_as_a_diff() {
        let text = unified("p.py", b"a\nb\n", b"a\nc\n");
        assert_eq!(
            text,
            "--- a/p.py\n+++ b/p.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
    }

    proptest::proptest! {
        /// Whatever stands in the file, only the lines of the original go.
        #[test]
        fn the_rest_of_the_file_stays(
            before in "([ab]{0,2}\r?\n){0,6}[ab]{0,2}",
            original in "[ab]{0,2}(\n[ab]{0,2}){0,2}",
            replacement in proptest::option::of("[cd]{0,2}(\n[cd]{0,2}){0,2}"),
            line in 0u32..9,
        ) {
            let remedy = suggestion(line, &original, replacement.as_deref());
            if let Ok((after, at)) = apply(before.as_bytes(), &remedy) {
                let after = String::from_utf8(after).expect("text");
                let kept = |text: &str, from: usize, count: usize| -> Vec<String> {
                    text.split_inclusive('\n').skip(from).take(count).map(str::to_owned).collect()
                };
                proptest::prop_assert_eq!(kept(&before, 0, at - 1), kept(&after, 0, at - 1));
                let gone = original.split('\n').count();
                let came = replacement.as_deref().map_or(0, |text| text.split('\n').count());
                proptest::prop_assert_eq!(
                    kept(&before, at - 1 + gone, usize::MAX),
                    kept(&after, at - 1 + came, usize::MAX)
                );
            }
        }
    }
}
