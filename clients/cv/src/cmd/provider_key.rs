//! `cv provider set-key`, and what a provider leaves behind.

use convergio_client::Client;
use convergio_contract::{
    SecretText,
    provider::{ProviderRemoveResponse, ProviderSetKey, ProviderSetKeyParams},
};

use super::template::quoted;
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

/// Tells which settings still name models of a provider that was removed, and the ways out.
pub(super) fn still_named(name: &str, removed: &ProviderRemoveResponse, context: &mut Context) {
    if let Some(model) = &removed.default_left {
        context.notes.note(&format!(
            "models.default is still {}, which nobody serves now: cv config unset models.default",
            escape::line(model)
        ));
    }
    for still in &removed.still_named {
        let key = escape::line(&still.key);
        let way = match still.others.as_slice() {
            [] => format!("cv config unset {key}"),
            others => format!("cv config set {key} {}", quoted(&others.join(","))),
        };
        context.notes.note(&format!(
            "{key} still names models of {name}, which are left out now: {}",
            escape::line(&way)
        ));
    }
}

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
