//! Which model answers, from the outside: the real programs before several providers on loopback.

mod answers_kept;
mod explained;
mod stand_ins;

use std::fmt::Write as _;

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Script};

use crate::ask::{House, kind};

/// A provider and what its table says besides.
pub(super) struct Other {
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
    pub(super) script: Script,
    pub(super) more: &'static str,
    pub(super) model: &'static str,
}

impl Other {
    /// One in the cloud that answers with its name, at this price per million tokens in and out.
    pub(super) fn answering(name: &'static str, model: &'static str) -> Self {
        Self {
            name,
            dialect: Dialect::OpenAi,
            script: Script::always(Reply::text(&format!("{name} answers."))),
            more: "key_env = \"MOCK_KEY\"",
            model,
        }
    }
}

/// Prices of the fakes' models: `cheap…` and others.
fn price(name: &str) -> &'static str {
    match name {
        _ if name.starts_with("cheap") => "price = { input = \"0.10\", output = \"0.40\" }",
        _ => "price = { input = \"3.00\", output = \"15.00\" }",
    }
}

/// A home with these providers beside `mock`, whose script is `script`; `top` stands before all
/// tables but `[models]`, which `models` fills.
pub(super) fn house(
    script: Script,
    mock_model: &str,
    models: &str,
    top: &str,
    others: Vec<Other>,
) -> (House, Vec<FakeProvider>) {
    let house = House::new(script);
    let mut text = format!("{models}\n{top}\n");
    let base = house.provider.base_url(Dialect::OpenAi);
    write!(
        text,
        "[provider.mock]\nkind = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n\
         [provider.mock.model.\"gpt-test\"]\n{}\n{mock_model}\n",
        price("mock")
    )
    .expect("text");
    let mut fakes = Vec::new();
    for other in others {
        let fake = FakeProvider::start(other.script.models([other.model]));
        let (name, model, more) = (other.name, other.model, other.more);
        write!(
            text,
            "[provider.{name}]\nkind = \"{}\"\nbase_url = \"{}\"\n{more}\n\
             [provider.{name}.model.\"{model}\"]\n{}\n",
            kind(other.dialect),
            fake.base_url(other.dialect),
            price(name)
        )
        .expect("text");
        fakes.push(fake);
    }
    house.configure(&text);
    (house, fakes)
}

/// The usual budget.
pub(super) const DAILY: &str = "[budget]\ndaily_usd = \"2.00\"\n";
