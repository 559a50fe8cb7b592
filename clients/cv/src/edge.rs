//! The edge of the process: parse, run, tell errors once, give the exit code.

use std::ffi::OsString;

use clap::{Parser, error::ErrorKind};
use serde_json::json;

use crate::{
    cli::{self, Cli, Global},
    cmd,
    context::{Context, ErrorForm},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    tasks::missed,
};

/// Runs the program and says how it ends.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    if let [_, only] = args.as_slice()
        && (only == "--version" || only == "-V")
    {
        // Installers and prompts ask this often: it is not worth building the command line for.
        let mut context = Context::of_process(Global::default());
        let outcome = context
            .answer
            .line(concat!("cv ", env!("CARGO_PKG_VERSION")))
            .and_then(|()| context.answer.flush())
            .map(|()| Exit::Ok);
        return finish(outcome, &mut context);
    }
    let args = cli::filters(args);
    match Cli::try_parse_from(&args) {
        Ok(cli) => {
            let mut context = Context::of_process(cli.global);
            let outcome = cmd::run(cli.verb, &mut context)
                .and_then(|exit| context.answer.flush().map(|()| exit));
            let exit = finish(outcome, &mut context);
            missed::tell(&mut context);
            exit
        }
        Err(error) => {
            let mut context = Context::of_process(Global::default());
            let outcome = match error.kind() {
                ErrorKind::DisplayHelp
                | ErrorKind::DisplayVersion
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => help(&error, &mut context),
                _ => {
                    context.error_form = asked_form(&args);
                    Err(usage(&error, &args))
                }
            };
            finish(outcome, &mut context)
        }
    }
}

fn help(error: &clap::Error, context: &mut Context) -> Result<Exit, Failure> {
    let rendered = error.render();
    let text = if context.answer.layout.color {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    };
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A group such as `cv runs` without its verb: help, but not what was asked for.
        context.notes.raw(&text);
        return Ok(Exit::Usage);
    }
    context.answer.write(&text)?;
    context.answer.flush()?;
    Ok(Exit::Ok)
}

/// clap's message in three lines.
fn usage(error: &clap::Error, args: &[OsString]) -> Failure {
    let text = error.to_string();
    let mut paragraphs = text.lines().map(str::trim).filter(|line| {
        !line.is_empty()
                && !line.starts_with("For more information")
                // Nothing that begins with a dash fits in any place here.
                && !line.starts_with("tip: to pass ")
    });
    let what = paragraphs
        .next()
        .unwrap_or("The command line does not fit")
        .trim_start_matches("error: ")
        .to_owned();
    let rest: Vec<&str> = paragraphs.collect();
    let why = rest.join("; ");
    let verb = args
        .iter()
        .skip(1)
        .filter_map(|arg| arg.to_str())
        .find(|arg| {
            crate::cli::command()
                .get_subcommands()
                .any(|command| command.get_name() == *arg)
        });
    let way_out = match verb {
        Some(verb) => format!("`cv {verb} --help`"),
        None => "`cv --help`".to_owned(),
    };
    Failure::new(
        Kind::Usage,
        what,
        if why.is_empty() {
            "the command line does not fit".to_owned()
        } else {
            why
        },
        Hint::from_command_line(way_out),
    )
}

/// The form of errors that a command line asks for which clap refused.
fn asked_form(args: &[OsString]) -> ErrorForm {
    let mut words = args.iter().filter_map(|arg| arg.to_str());
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--format") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        match value {
            Some("json") => return ErrorForm::Json,
            Some("ndjson") => return ErrorForm::Ndjson,
            _ => {}
        }
    }
    ErrorForm::Notes
}

fn finish(outcome: Result<Exit, Failure>, context: &mut Context) -> Exit {
    let failure = match outcome {
        Ok(exit) => return exit,
        Err(failure) => failure,
    };
    if failure.kind == Kind::ReaderGone {
        return failure.exit();
    }
    let told = match context.error_form {
        ErrorForm::Notes => Ok(()),
        ErrorForm::Json => context
            .answer
            .json(&json!({"v": 1, "error": failure.to_json(), "complete": false})),
        ErrorForm::Ndjson => context
            .answer
            .json(&json!({"v": 1, "type": "failed", "error": failure.to_json()})),
    }
    .and_then(|()| context.answer.flush());
    context.notes.failure(&failure);
    if let Err(second) = told
        && second.kind == Kind::Output
        && failure.kind != Kind::Output
    {
        context.notes.failure(&second);
    }
    failure.exit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(line: &str) -> Failure {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = Cli::try_parse_from(&args).expect_err("does not parse");
        usage(&error, &args)
    }

    #[test]
    fn a_wrong_command_line_is_told_in_three_lines() {
        for line in [
            "cv reviev",
            "cv review --formt json",
            "cv review --format yaml",
            "cv review --staged HEAD",
            "cv fix",
        ] {
            let failure = failure(line);
            assert_eq!(failure.exit(), Exit::Usage, "{line}");
            assert_eq!(
                failure.three_lines().to_string().lines().count(),
                3,
                "{line}"
            );
            assert!(
                !failure.what.starts_with("error"),
                "{line}: {}",
                failure.what
            );
        }
        assert_eq!(failure("cv fix x").way_out.as_str(), "`cv fix --help`");
    }

    #[test]
    fn what_a_tip_would_break_further_is_not_offered() {
        for (line, why) in [
            ("cv fix -1", "1 or above"),
            ("cv allow -1 why", "1 or above"),
            ("cv review --max-findings -1", "0 or above"),
            ("cv attach foo", "cv runs list"),
            ("cv runs show foo", "cv runs list"),
            ("cv review -1s", "Usage"),
        ] {
            let text = failure(line).three_lines().to_string();
            assert!(text.contains(why), "{line}: {text}");
            assert!(!text.contains("tip:"), "{line}: {text}");
        }
    }

    #[test]
    fn the_short_way_to_the_version_says_what_the_long_one_says() {
        let error = Cli::try_parse_from(["cv", "-q", "--version"]).expect_err("a version");
        assert_eq!(error.kind(), ErrorKind::DisplayVersion);
        assert_eq!(
            error.to_string().trim_end(),
            concat!("cv ", env!("CARGO_PKG_VERSION"))
        );
    }

    #[test]
    fn the_form_of_errors_is_found_in_a_line_that_does_not_parse() {
        let form =
            |line: &str| asked_form(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(form("cv review --format json --x"), ErrorForm::Json);
        assert_eq!(form("cv review --x --format=ndjson"), ErrorForm::Ndjson);
        assert_eq!(form("cv review --x"), ErrorForm::Notes);
    }
}
