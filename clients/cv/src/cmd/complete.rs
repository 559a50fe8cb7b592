//! `cv complete`: what shells ask while somebody types. Starts nothing and waits for nobody.

use convergio_client::Client;
use convergio_contract::task::{TaskList, TaskListParams};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    output::escape,
    waiting,
};

/// A shell waits for it with every key.
const WAIT_MS: u64 = 150;
/// Tasks to choose from.
const TASKS_MAX: u32 = 200;
/// Characters of a title: shells show one line.
const TITLE_MAX_CHARS: usize = 60;

/// Prints what can stand in a place, a line each: the word, a tab, what it means.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Of what.
    #[arg(value_enum)]
    pub what: What,
}

/// What is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// Numbers of open tasks, with their titles.
    Tasks,
    /// Tags in use.
    Tags,
    /// Projects in use.
    Projects,
}

/// Prints them; nothing where no daemon runs or it takes too long.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let options = daemon::options(context, Start::Never)?;
    let params = TaskListParams {
        limit: Some(match args.what {
            What::Tasks => TASKS_MAX,
            What::Tags | What::Projects => 1,
        }),
        ..TaskListParams::default()
    };
    let found = waiting::block_on(async {
        waiting::Deadline::from_now(Some(WAIT_MS))
            .guard("completing", async {
                let client: Client = daemon::connect(options).await?;
                client
                    .call::<TaskList>(&params)
                    .await
                    .map_err(daemon::failure)
            })
            .await
    });
    // A key that was pressed is no place for an error.
    let Ok(found) = found else {
        return Ok(Exit::Ok);
    };
    match args.what {
        What::Tasks => {
            for task in &found.tasks {
                let line = format!("{}\t{}", task.number, short(&task.title));
                context.answer.line(&line)?;
            }
        }
        What::Tags => words(&found.tags, context)?,
        What::Projects => words(&found.projects, context)?,
    }
    context.answer.flush()?;
    Ok(Exit::Ok)
}

/// Words that a shell takes as they stand: what is not plain is left to be typed.
fn words(words: &[String], context: &mut Context) -> Result<(), Failure> {
    let plain = |c: char| c.is_alphanumeric() || "-_.@%+".contains(c);
    words
        .iter()
        .filter(|word| !word.starts_with('-') && word.chars().all(plain))
        .try_for_each(|word| context.answer.line(word))
}

fn short(title: &str) -> String {
    let shown = escape::line(title);
    let mut short: String = shown.chars().take(TITLE_MAX_CHARS).collect();
    if short.len() < shown.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_short_line() {
        assert_eq!(short("a\tb\nc\u{1b}"), "a\\tb\\nc\\u{1b}");
        assert_eq!(short(&"x".repeat(100)).chars().count(), TITLE_MAX_CHARS + 1);
    }
}
