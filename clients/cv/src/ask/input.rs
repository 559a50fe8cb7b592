//! What is asked: the prompt, what is piped in, files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use convergio_contract::{
    chat::{Input, InputKind},
    limits::INPUT_MAX_BYTES,
};

use crate::{
    error::{Failure, Kind},
    hint::Hint,
    whole_file::{self, Unread},
};

/// Files of one question.
pub const FILES_MAX: usize = 64;

/// The prompt of a command line, and whether a `-` asks for stdin.
pub fn prompt(words: &[String]) -> (String, bool) {
    let dash = words.iter().any(|word| word == "-");
    let said: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "-")
        .collect();
    (said.join(" "), dash)
}

/// The template's variables by name; each once.
pub fn variables(given: &[(String, String)]) -> Result<BTreeMap<String, String>, Failure> {
    let mut variables = BTreeMap::new();
    for (name, value) in given {
        if variables.insert(name.clone(), value.clone()).is_some() {
            return Err(Failure::new(
                Kind::Usage,
                format!("--var {name} is given twice"),
                "a variable has one value",
                Hint::ASK_HELP,
            ));
        }
    }
    Ok(variables)
}

/// A file that must be text, at most `max` bytes of it. A named pipe or a device is refused, for
/// it may never end; a pipe that the shell opened, `<(…)`, blocks until it ends.
pub fn text_file(path: &Path, max: u64) -> Result<String, Failure> {
    let failed = |error: &std::io::Error| Failure {
        kind: match error.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            std::io::ErrorKind::IsADirectory => Kind::Usage,
            _ => Kind::Io,
        },
        ..Failure::io("read", path, error, Hint::ASK_HELP)
    };
    let bytes = whole_file::read(path, max).map_err(|unread| match unread {
        Unread::Io(error) => failed(&error),
        Unread::Endless => Failure::new(
            Kind::Usage,
            format!("{} is not a regular file", path.display()),
            "a pipe or a device may never end",
            Hint::PIPE_TEXT,
        ),
        Unread::TooLarge => too_large(&path.display().to_string(), max),
    })?;
    text(bytes, &path.display().to_string())
}

/// Bytes that must be text; `name` says whose they are.
pub fn text(bytes: Vec<u8>, name: &str) -> Result<String, Failure> {
    let binary = |why: String| {
        Failure::new(
            Kind::Usage,
            format!("{name} is not text"),
            why,
            Hint::TEXT_ONLY,
        )
    };
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(binary(format!("there is a zero byte at {at}")));
    }
    String::from_utf8(bytes).map_err(|error| {
        binary(format!(
            "it is not UTF-8 at byte {}",
            error.utf8_error().valid_up_to()
        ))
    })
}

fn too_large(name: &str, max: u64) -> Failure {
    Failure::new(
        Kind::TooLarge,
        format!("{name} is too large"),
        format!("{} KiB at most", max / 1024),
        Hint::LESS_INPUT,
    )
}

/// The files of a question. Blocks.
pub fn files(folder: &Path, paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    if paths.len() > FILES_MAX {
        return Err(Failure::new(
            Kind::TooLarge,
            "Too many files",
            format!("{} files; {FILES_MAX} at most", paths.len()),
            Hint::LESS_INPUT,
        ));
    }
    paths
        .iter()
        .map(|path| {
            Ok(Input {
                kind: InputKind::File,
                name: Some(path.display().to_string()),
                text: text_file(&folder.join(path), INPUT_MAX_BYTES as u64)?,
            })
        })
        .collect()
}

/// Prompt, piped text and files in their order. What is piped in is the prompt where there is no
/// other.
pub fn assemble(
    prompt: String,
    piped: Option<String>,
    files: Vec<Input>,
    has_template: bool,
) -> Result<Vec<Input>, Failure> {
    let piped = piped.filter(|text| !text.trim().is_empty());
    let part = |kind, text| Input {
        kind,
        name: None,
        text,
    };
    let mut input = Vec::new();
    match (prompt.trim().is_empty(), piped) {
        (false, None) => input.push(part(InputKind::Prompt, prompt)),
        (false, Some(piped)) => {
            input.push(part(InputKind::Prompt, prompt));
            input.push(part(InputKind::Stdin, piped));
        }
        (true, Some(piped)) if has_template => input.push(part(InputKind::Stdin, piped)),
        (true, Some(piped)) => input.push(part(InputKind::Prompt, piped)),
        (true, None) if has_template => {}
        (true, None) => {
            return Err(Failure::new(
                Kind::Usage,
                "Nothing was asked",
                if files.is_empty() {
                    "there is no prompt, and stdin holds no text"
                } else {
                    "a file alone is no question"
                },
                Hint::ASK_SOMETHING,
            ));
        }
    }
    input.extend(files);
    let bytes: usize = input.iter().map(|part| part.text.len()).sum();
    if bytes > INPUT_MAX_BYTES {
        return Err(too_large("The question", INPUT_MAX_BYTES as u64));
    }
    Ok(input)
}

/// `name=value`.
pub fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("use name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_one_value() {
        let given = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let two = [given("a", "1"), given("b", "2")];
        assert_eq!(variables(&two).expect("two").len(), 2);
        let doubled = [given("a", "1"), given("a", "1")];
        assert_eq!(variables(&doubled).expect_err("one").kind, Kind::Usage);
    }

    fn kinds(input: &[Input]) -> Vec<(InputKind, &str)> {
        input
            .iter()
            .map(|part| (part.kind, part.text.as_str()))
            .collect()
    }

    #[test]
    fn a_folder_is_no_text_and_a_fault_of_the_command_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let failure = text_file(folder.path(), 10).expect_err("no file");
        assert_eq!(failure.kind, Kind::Usage);
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_refused_and_not_awaited() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0)
            .expect("makes a pipe");
        for endless in [fifo.as_path(), Path::new("/dev/zero")] {
            let failure = text_file(endless, 10).expect_err("no regular file");
            assert_eq!(failure.kind, Kind::Usage);
            assert!(failure.what.contains("not a regular file"), "{failure}");
        }
    }

    #[test]
    fn what_is_piped_in_joins_the_prompt_or_is_it() {
        let of = |prompt: &str, piped: Option<&str>, template| {
            assemble(
                prompt.to_owned(),
                piped.map(str::to_owned),
                Vec::new(),
                template,
            )
        };
        assert_eq!(
            kinds(&of("why?", Some("log"), false).expect("a question")),
            [(InputKind::Prompt, "why?"), (InputKind::Stdin, "log")]
        );
        assert_eq!(
            kinds(&of("", Some("why?"), false).expect("a question")),
            [(InputKind::Prompt, "why?")]
        );
        assert_eq!(
            kinds(&of("", Some("log"), true).expect("a question")),
            [(InputKind::Stdin, "log")]
        );
        assert_eq!(kinds(&of("", None, true).expect("a question")), []);
        for (prompt, piped) in [("", None), (" ", Some("\n")), ("", Some(""))] {
            let failure = of(prompt, piped, false).expect_err("nothing");
            assert_eq!(failure.kind, Kind::Usage);
        }
        let big = "x".repeat(INPUT_MAX_BYTES);
        assert_eq!(
            of("why?", Some(&big), false).expect_err("too much").kind,
            Kind::TooLarge
        );
    }

    #[test]
    fn a_dash_is_no_word() {
        let words = ["sum".to_owned(), "-".to_owned(), "up".to_owned()];
        assert_eq!(prompt(&words), ("sum up".to_owned(), true));
        assert_eq!(prompt(&words[..1]), ("sum".to_owned(), false));
    }

    #[test]
    fn files_are_text_or_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).expect("writes");
            [PathBuf::from(name)]
        };
        let good = files(folder.path(), &write("a.txt", "né\n".as_bytes())).expect("text");
        assert_eq!(good[0].name.as_deref(), Some("a.txt"));
        for bytes in [&b"PNG\0"[..], &[0xff, 0xfe]] {
            let failure = files(folder.path(), &write("b", bytes)).expect_err("binary");
            assert_eq!(failure.kind, Kind::Usage);
            assert!(failure.what.contains("is not text"), "{failure}");
        }
        let missing = files(folder.path(), &[PathBuf::from("none")]).expect_err("missing");
        assert_eq!(missing.exit(), crate::exit::Exit::Usage);
        assert_eq!(
            text_file(&folder.path().join("a.txt"), 2)
                .expect_err("long")
                .kind,
            Kind::TooLarge
        );
    }

    #[test]
    fn a_variable_has_a_name() {
        assert_eq!(variable("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(variable("=x").is_err());
        assert!(variable("x").is_err());
    }
}
