//! What a person is asked before money is spent.

use std::io::Write;

use convergio_contract::RpcError;

use crate::{
    context::Context,
    error::{Failure, Kind, describe},
    hint::Hint,
    money,
    output::escape,
    terminal, waiting,
};

/// What the cap is where nothing is said.
const CAP_USD: &str = "1.00";
/// What it is where nothing may be spent.
pub const NEVER_USD: &str = "0.00";
/// How often an answer that cannot be read is asked for again.
const QUESTIONS_MAX: u32 = 3;

/// Asks at the terminal for the daily cap, whatever stdin is: [`NEVER_USD`] where the person wants
/// none. None where the terminal ends first.
pub async fn ask_for_cap(context: &mut Context) -> Result<Option<String>, Failure> {
    let question = format!(
        "Cloud models cost money. At most how much a day, in US dollars? [{CAP_USD}, n for never] "
    );
    ask(
        context,
        move |text| match text {
            "" => Ok(CAP_USD.to_owned()),
            "n" | "no" | "N" | "never" => Ok(NEVER_USD.to_owned()),
            text => money::parse(text).map(money::dollars),
        },
        question,
    )
    .await
}

/// Asks at the terminal whether to go on at a cost, with its numbers. Only a yes is one.
pub async fn ask_to_go_on(error: &RpcError, context: &mut Context) -> Result<bool, Failure> {
    let why = error.data.as_ref().and_then(|data| data.why.as_deref());
    let question = format!(
        "{}.\n{}.\nGo on? [y/N] ",
        escape::line(&error.message),
        escape::line(why.unwrap_or("Nothing was sent")),
    );
    let answer = ask(
        context,
        |text| match text {
            "y" | "Y" | "yes" => Ok(true),
            "" | "n" | "N" | "no" => Ok(false),
            _ => Err("y or n, please".to_owned()),
        },
        question,
    );
    Ok(answer.await? == Some(true))
}

async fn ask<T: Send + 'static>(
    context: &mut Context,
    read: impl Fn(&str) -> Result<T, String> + Send + 'static,
    question: String,
) -> Result<Option<T>, Failure> {
    context.notes.still();
    let asked = waiting::on_thread(move || {
        let failed = |error: &std::io::Error| {
            Failure::new(
                Kind::Io,
                "The terminal cannot be asked",
                describe(error),
                Hint::SET_BUDGET,
            )
        };
        let mut terminal = terminal::open().map_err(|error| failed(&error))?;
        for _ in 0..QUESTIONS_MAX {
            write!(terminal, "{question}").map_err(|error| failed(&error))?;
            let Some(line) = terminal::line(&mut terminal).map_err(|error| failed(&error))? else {
                return Ok(None);
            };
            match read(line.trim()) {
                Ok(answer) => return Ok(Some(answer)),
                Err(why) => writeln!(terminal, "{why}").map_err(|error| failed(&error))?,
            }
        }
        Ok(None)
    });
    let question = terminal::Question::default();
    let answer = asked.await;
    question.answered();
    answer
}
