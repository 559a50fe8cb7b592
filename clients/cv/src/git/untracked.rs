//! Files that git does not track, as a diff that adds them. Made here, without touching the
//! index and without a git process for each.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::Read,
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt, fs::PermissionsExt},
    path::Path,
};

use crate::{
    error::{Failure, Kind},
    hint::Hint,
};

/// git's own measure: a NUL in the first 8,000 bytes makes a file binary.
const BINARY_LOOK_BYTES: usize = 8000;

/// Appends a file to a diff that must not grow beyond `max` bytes. What is neither a file nor a
/// link (a nested repository, a pipe) has no content to review and is passed over.
pub fn append(root: &Path, path: &[u8], diff: &mut Vec<u8>, max: usize) -> Result<(), Failure> {
    let full = root.join(OsStr::from_bytes(path));
    let failed = |activity: &str, error: &std::io::Error| {
        Failure::io(activity, &full, error, Hint::NARROWER)
    };
    let found = match fs::symlink_metadata(&full) {
        Ok(found) => found,
        // Gone since git listed it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at", &error)),
    };
    if found.is_symlink() {
        let target = fs::read_link(&full).map_err(|error| failed("read", &error))?;
        header(path, "120000", diff);
        content(path, target.as_os_str().as_bytes(), diff);
        return Ok(());
    }
    if !found.is_file() {
        return Ok(());
    }
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits() as i32)
        .open(&full)
        .map_err(|error| failed("open", &error))?;
    let mut bytes = Vec::new();
    file.by_ref()
        .take(BINARY_LOOK_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| failed("read", &error))?;
    let mode = if found.permissions().mode() & 0o111 == 0 {
        "100644"
    } else {
        "100755"
    };
    if bytes.contains(&0) {
        header(path, mode, diff);
        diff.extend_from_slice(super::binary::patch(found.len()).as_bytes());
        return Ok(());
    }
    let room = max.saturating_sub(diff.len());
    file.take(room as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed("read", &error))?;
    header(path, mode, diff);
    content(path, &bytes, diff);
    if diff.len() > max {
        return Err(Failure::new(
            Kind::TooLarge,
            "The changes are too large",
            format!(
                "with the untracked {} they exceed {} MiB",
                full.display(),
                max / 1024 / 1024
            ),
            Hint::NARROWER,
        ));
    }
    Ok(())
}

fn header(path: &[u8], mode: &str, diff: &mut Vec<u8>) {
    diff.extend_from_slice(b"diff --git ");
    quoted(b"a/", path, diff);
    diff.push(b' ');
    quoted(b"b/", path, diff);
    diff.extend_from_slice(format!("\nnew file mode {mode}\n").as_bytes());
}

fn content(path: &[u8], bytes: &[u8], diff: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let ends = bytes.ends_with(b"\n");
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + usize::from(!ends);
    diff.extend_from_slice(b"--- /dev/null\n+++ ");
    quoted(b"b/", path, diff);
    // git ends a name with spaces in it by a tab.
    if path.contains(&b' ') {
        diff.push(b'\t');
    }
    let range = if lines == 1 {
        "1".to_owned()
    } else {
        format!("1,{lines}")
    };
    diff.extend_from_slice(format!("\n@@ -0,0 +{range} @@\n").as_bytes());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        diff.push(b'+');
        diff.extend_from_slice(line);
    }
    if !ends {
        diff.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

/// A path as git writes it with core.quotePath off: in C quotes where it holds a control
/// character, a quote or a backslash.
fn quoted(prefix: &[u8], path: &[u8], out: &mut Vec<u8>) {
    if !path
        .iter()
        .any(|&byte| byte < 0x20 || byte == 0x7f || byte == b'"' || byte == b'\\')
    {
        out.extend_from_slice(prefix);
        out.extend_from_slice(path);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(prefix);
    for &byte in path {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            7 => out.extend_from_slice(b"\\a"),
            8 => out.extend_from_slice(b"\\b"),
            11 => out.extend_from_slice(b"\\v"),
            12 => out.extend_from_slice(b"\\f"),
            byte if byte < 0x20 || byte == 0x7f => {
                out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
            }
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff_of(name: &str, bytes: &[u8]) -> String {
        let temp = tempfile::tempdir().expect("a folder");
        fs::write(temp.path().join(name), bytes).expect("writes");
        let mut diff = Vec::new();
        append(temp.path(), name.as_bytes(), &mut diff, 1 << 20).expect("reads");
        String::from_utf8(diff).expect("text")
    }

    #[test]
    fn a_new_file_looks_as_git_shows_it() {
        assert_eq!(
            diff_of("a b", b"x\ny"),
            "diff --git a/a b b/a b\nnew file mode 100644\n--- /dev/null\n+++ b/a b\t\n\
             @@ -0,0 +1,2 @@\n+x\n+y\n\\ No newline at end of file\n"
        );
        assert_eq!(
            diff_of("q\"\n", b"x\n"),
            "diff --git \"a/q\\\"\\n\" \"b/q\\\"\\n\"\nnew file mode 100644\n--- /dev/null\n\
             +++ \"b/q\\\"\\n\"\n@@ -0,0 +1 @@\n+x\n"
        );
        assert!(diff_of("bin", b"\0\x01").ends_with("GIT binary patch\nliteral 2\n\n"));
        assert!(!diff_of("empty", b"").contains("+++"));
    }

    #[test]
    fn a_link_is_shown_and_not_followed_and_the_bound_holds() {
        let temp = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink("/etc/passwd", temp.path().join("l")).expect("links");
        let mut diff = Vec::new();
        append(temp.path(), b"l", &mut diff, 1 << 20).expect("reads");
        let text = String::from_utf8(diff).expect("text");
        assert!(text.contains("new file mode 120000"));
        assert!(text.contains("+/etc/passwd\n\\ No newline"));

        fs::write(temp.path().join("big"), vec![b'x'; 5000]).expect("writes");
        let error = append(temp.path(), b"big", &mut Vec::new(), 4000).expect_err("too large");
        assert_eq!(error.kind, Kind::TooLarge);
    }
}
