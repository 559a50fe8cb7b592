//! `cv provider set-key`

use convergio_client::Client;
use convergio_contract::{
    SecretText,
    provider::{ProviderSetKey, ProviderSetKeyParams},
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind, describe},
    exit::Exit,
    hint::Hint,
    output::{escape, layout::Piece, paint::Role},
    stdin,
    table::{Format, Table, show},
    terminal, waiting,
};

/// A key is shorter.
const KEY_MAX_BYTES: usize = 8 * 1024;

/// Stores the key.
pub fn run(name: String, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let key = read_key(&name, context)?;
    let params = ProviderSetKeyParams {
        name: name.clone(),
        key,
    };
    let stored = daemon::call(
        context,
        Start::IfNeeded,
        "storing the key",
        |client: Client| async move { client.call::<ProviderSetKey>(&params).await },
    )?;
    match format {
        Format::Text | Format::Md => {
            let what = format!(
                "Key of {} stored in the {}",
                escape::line(&name),
                escape::line(&stored.stored_in)
            );
            let back = format!(
                "back: cv provider remove {} --key-only",
                escape::line(&name)
            );
            let text = context.answer.layout.pieces(
                &[
                    Piece::new("", what, Role::Good),
                    Piece::new(" · ", back, Role::Plain),
                ],
                2,
            );
            context.answer.write(&text)?;
        }
        Format::Json | Format::Ndjson => {
            show(
                &mut context.answer,
                format,
                &Table::default(),
                &stored,
                None,
            )?;
        }
    }
    Ok(Exit::Ok)
}

/// The key, from a pipe or from the person; it is never shown.
fn read_key(name: &str, context: &mut Context) -> Result<SecretText, Failure> {
    let refused = |why: &str| Failure::new(Kind::Usage, "There is no key", why, Hint::GIVE_KEY);
    let text = if stdin::source() == stdin::Source::Bytes {
        let reading = waiting::on_thread(|| stdin::read_all(KEY_MAX_BYTES));
        let bytes =
            waiting::wait(context, "waiting for the key on stdin", reading).map_err(|failure| {
                match failure.kind {
                    Kind::TooLarge => refused("what stands on stdin is longer than 8 KiB"),
                    _ => failure,
                }
            })?;
        String::from_utf8(bytes).map_err(|_| refused("what stands on stdin is not text"))?
    } else {
        let unasked = |error: &std::io::Error| {
            refused(&format!(
                "stdin holds none, and the terminal cannot be asked: {}",
                describe(error)
            ))
        };
        let prompt = format!("Key of {} (it does not show): ", escape::line(name));
        let silent = terminal::Silent::new(&prompt).map_err(|error| unasked(&error))?;
        let mut reader = silent.reader().map_err(|error| unasked(&error))?;
        let deadline = waiting::Deadline::from_now(context.global.timeout);
        let line = waiting::block_on(async {
            let reading = waiting::on_thread(move || Ok(terminal::line(&mut reader)));
            deadline.guard("waiting for the key", reading).await
        });
        // The terminal shows again what is typed, also after Ctrl-C.
        drop(silent);
        line?
            .map_err(|error| unasked(&error))?
            .ok_or_else(|| refused("the terminal ended"))?
    };
    let key = text.trim();
    if key.is_empty() {
        return Err(refused("nothing was given"));
    }
    if key.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refused("a key is one word, and this is more"));
    }
    Ok(SecretText::new(key))
}
