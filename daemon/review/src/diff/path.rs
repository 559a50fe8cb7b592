//! Paths as diffs write them: quoted, prefixed, followed by a time.

use std::borrow::Cow;

/// Reads a path that git may have quoted in C style. `None` if a quote is never closed.
/// The second part is what follows the closing quote (empty for an unquoted path).
pub(super) fn unquote(raw: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(body) = raw.strip_prefix('"') else {
        return Some((Cow::Borrowed(raw), ""));
    };
    let bytes = body.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    let mut escaped = false;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let path = if escaped {
                    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
                } else {
                    Cow::Borrowed(&body[..at])
                };
                return Some((path, &body[at + 1..]));
            }
            b'\\' => {
                if !escaped {
                    escaped = true;
                    out.extend_from_slice(&bytes[..at]);
                }
                let (byte, length) = escape(&bytes[at + 1..])?;
                out.push(byte);
                at += 1 + length;
            }
            byte => {
                if escaped {
                    out.push(byte);
                }
                at += 1;
            }
        }
    }
    None
}

fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    let simple = match *rest.first()? {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        digit @ b'0'..=b'7' => {
            let mut value = u32::from(digit - b'0');
            let mut length = 1;
            while length < 3 {
                match rest.get(length) {
                    Some(digit @ b'0'..=b'7') => value = value * 8 + u32::from(digit - b'0'),
                    _ => break,
                }
                length += 1;
            }
            // Three octal digits can exceed a byte only in forged input.
            return Some(((value & 0xff) as u8, length));
        }
        other => other,
    };
    Some((simple, 1))
}

/// The path of a `---` or `+++` line's rest: without quotes, time stamp and revision note.
/// `None` stands for `/dev/null`.
pub(super) fn side(rest: &str) -> Option<Cow<'_, str>> {
    let rest = rest.trim_end_matches('\r');
    if rest.starts_with('"')
        && let Some((path, _)) = unquote(rest)
    {
        return real(path);
    }
    let cut = rest.split('\t').next().unwrap_or(rest);
    real(Cow::Borrowed(without_revision(cut)))
}

fn real(path: Cow<'_, str>) -> Option<Cow<'_, str>> {
    (path != "/dev/null" && !path.is_empty()).then_some(path)
}

/// Old svn separates its `(revision 12)` by spaces, some diffs their time as well.
fn without_revision(path: &str) -> &str {
    for mark in [
        "  (revision ",
        " (revision ",
        " (working copy)",
        " (nonexistent)",
    ] {
        if let Some(at) = path.find(mark) {
            return path[..at].trim_end();
        }
    }
    path
}

/// Both paths of `diff --git OLD NEW`, prefixes still on.
pub(super) fn git_header(rest: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let rest = rest.trim_end_matches('\r');
    if rest.starts_with('"') {
        let (old, after) = unquote(rest)?;
        let (new, _) = unquote(after.strip_prefix(' ')?)?;
        return Some((old, new));
    }
    if rest.ends_with('"')
        && let Some(at) = rest.find(" \"")
    {
        let (new, _) = unquote(&rest[at + 1..])?;
        return Some((Cow::Borrowed(&rest[..at]), new));
    }
    // Without quotes a space separates, but a path may hold spaces too: the right split is the
    // one after which both halves name the same file. A long forged line gets few tries.
    let middle = rest.len() / 2;
    let mut best = None;
    for (tries, (at, _)) in rest.match_indices(' ').enumerate() {
        if tries > 256 {
            break;
        }
        let (old, new) = (&rest[..at], &rest[at + 1..]);
        let same = old == new
            || tail(old).is_some_and(|t| !t.is_empty() && Some(t) == tail(new))
            || common_suffix(old, new) >= old.len().min(new.len()).div_ceil(2).max(3);
        if same {
            let distance = at.abs_diff(middle);
            if best.is_none_or(|(d, _)| distance < d) {
                best = Some((distance, at));
            }
        }
    }
    let at = best.map(|(_, at)| at).or_else(|| rest.find(' '))?;
    Some((Cow::Borrowed(&rest[..at]), Cow::Borrowed(&rest[at + 1..])))
}

fn tail(path: &str) -> Option<&str> {
    path.split_once('/').map(|(_, tail)| tail)
}

/// Length in bytes of what both paths end with, counted in whole components.
fn common_suffix(old: &str, new: &str) -> usize {
    let mut length = 0;
    for (a, b) in old.rsplit('/').zip(new.rsplit('/')) {
        if a != b {
            break;
        }
        length += a.len() + 1;
    }
    length.saturating_sub(1)
}

const PREFIX_PAIRS: [(&str, &str); 10] = [
    ("a/", "b/"),
    ("b/", "a/"),
    ("i/", "w/"),
    ("w/", "i/"),
    ("c/", "i/"),
    ("c/", "w/"),
    ("o/", "w/"),
    ("i/", "c/"),
    ("w/", "c/"),
    ("1/", "2/"),
];

/// How many bytes of prefix stand before the old and the new path, judged from both.
pub(super) fn prefix_lengths(old: &str, new: &str) -> (usize, usize) {
    if old == new {
        return (0, 0);
    }
    for (a, b) in PREFIX_PAIRS {
        if old.starts_with(a) && new.starts_with(b) {
            return (a.len(), b.len());
        }
    }
    let common = common_suffix(old, new);
    let (old_head, new_head) = (old.len() - common, new.len() - common);
    // `--src-prefix`, `diff -ur old new`: one folder stands before the same path on both sides.
    let folders = |path: &str, head: usize| path[..head].matches('/').count();
    if common > 0 && folders(old, old_head) == 1 && folders(new, new_head) == 1 {
        (old_head, new_head)
    } else {
        (0, 0)
    }
}

/// Cuts `length` bytes off the front.
pub(super) fn cut(path: Cow<'_, str>, length: usize) -> Cow<'_, str> {
    if length == 0 {
        return path;
    }
    match path {
        Cow::Borrowed(path) => Cow::Borrowed(path.get(length..).unwrap_or(path)),
        Cow::Owned(path) => Cow::Owned(path.get(length..).unwrap_or(&path).to_owned()),
    }
}

/// `./x` and `x` are one file, and Windows tools write `\`.
pub(super) fn normal(path: Cow<'_, str>) -> Cow<'_, str> {
    if path.contains('\\') && !path.contains('/') {
        return Cow::Owned(path.replace('\\', "/"));
    }
    if path.starts_with("./") {
        cut(path, 2)
    } else {
        path
    }
}

/// True if `rest` starts with a Mercurial revision.
pub(super) fn is_hg(rest: &str) -> bool {
    let revision = rest.split(' ').next().unwrap_or("");
    revision.len() >= 7 && revision.bytes().all(|b| b.is_ascii_hexdigit() || b == b'+')
}

/// The path of `diff -r REV -r REV PATH`, its first `diff -r ` cut off.
pub(super) fn hg(rest: &str) -> Option<&str> {
    let mut rest = rest.split_once(' ')?.1;
    if let Some(second) = rest.strip_prefix("-r ") {
        rest = second.split_once(' ')?.1;
    }
    Some(rest.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(rest: &str) -> (String, String) {
        let (old, new) = git_header(rest).unwrap();
        let (o, n) = prefix_lengths(&old, &new);
        (cut(old, o).into_owned(), cut(new, n).into_owned())
    }

    #[test]
    fn git_headers() {
        for (rest, old, new) in [
            ("a/x.rs b/x.rs", "x.rs", "x.rs"),
            ("a/a b c.rs b/a b c.rs", "a b c.rs", "a b c.rs"),
            ("x.rs x.rs", "x.rs", "x.rs"),
            ("a/x.rs a/x.rs", "a/x.rs", "a/x.rs"),
            ("i/src/x.rs w/src/x.rs", "src/x.rs", "src/x.rs"),
            ("old/src/x.rs new/src/x.rs", "src/x.rs", "src/x.rs"),
            ("a/x.rs b/dir/y.rs", "x.rs", "dir/y.rs"),
            (
                "\"a/caf\\303\\251.rs\" \"b/caf\\303\\251.rs\"",
                "café.rs",
                "café.rs",
            ),
            ("a/x b/x b/x b/x", "x b/x", "x b/x"),
        ] {
            assert_eq!(both(rest), (old.to_owned(), new.to_owned()), "{rest}");
        }
    }

    #[test]
    fn sides() {
        assert_eq!(side("a/x.py\t2020-01-01 00:00:00").unwrap(), "a/x.py");
        assert_eq!(side("x.py\t(revision 12)").unwrap(), "x.py");
        assert_eq!(side("x.py (working copy)").unwrap(), "x.py");
        assert_eq!(side("\"a/tab\\there\"").unwrap(), "a/tab\there");
        assert!(side("/dev/null").is_none());
    }

    #[test]
    fn an_unclosed_quote_is_no_path() {
        assert!(unquote("\"a/x").is_none());
        assert!(unquote("\"a/x\\").is_none());
    }
}
