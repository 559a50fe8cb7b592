//! What metering promises, each promise from the outside: the real programs before a provider that
//! keeps its own count, and the books read by somebody else.

mod agents;
mod audit;
mod callers;
mod caps;
mod ends;
mod faults;
mod gateway;
mod kills;
mod ladder;
mod limits;
mod sdks;
mod sealed;

use convergio_fake_provider::{Billed, Dialect, FakeProvider, Script};
use serde_json::{Value, json};

use crate::{
    ask::{House, KEY},
    harness::{books::Books, wire::Wire},
};

/// What a million tokens cost, nano-USD.
#[derive(Clone, Copy)]
struct Price {
    input: u64,
    output: u64,
}

/// Dear enough that a thousand tokens are ten cents.
const DEAR: Price = Price {
    input: 3_000_000_000,
    output: 100_000_000_000,
};

impl Price {
    /// What a provider would write on its bill.
    fn of(self, billed: Billed) -> u64 {
        billed.input_tokens * self.input / 1_000_000
            + billed.output_tokens * self.output / 1_000_000
    }
}

/// Decimal USD.
fn usd(nano: u64) -> String {
    format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000)
}

/// The settings of one provider and one budget.
fn settings(dialect: Dialect, base: &str, daily_nano_usd: u64, price: Price) -> String {
    let kind = crate::ask::kind(dialect);
    let (input, output) = (usd(price.input), usd(price.output));
    let daily = usd(daily_nano_usd);
    format!(
        "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"{daily}\"\n\
         [provider.mock]\nkind = \"{kind}\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n\
         [provider.mock.model.\"gpt-test\"]\n\
         price = {{ input = \"{input}\", output = \"{output}\" }}\ncontext = 128000\n"
    )
}

/// A house whose day may cost so much.
fn capped(script: Script, daily_nano_usd: u64) -> House {
    let provider = FakeProvider::start(script);
    let base = provider.base_url(Dialect::OpenAi);
    let house = House::before(provider, Dialect::OpenAi, &base, "");
    house.configure(&settings(Dialect::OpenAi, &base, daily_nano_usd, DEAR));
    house
}

/// Parameters of a question that nobody may stop.
fn question(house: &House, run_id: &str, text: &str, max_output: u32) -> Value {
    json!({
        "run_id": run_id,
        "input": [{"kind": "prompt", "text": text}],
        "root": house.folder,
        "idempotency_key": run_id,
        "on_last_reader_gone": "continue",
        "max_output": max_output,
        "keys": {"MOCK_KEY": KEY},
    })
}

/// Starts a question and reads it to its end: its last event, or the error that refused it.
fn asked(wire: &mut Wire, params: &Value) -> Result<Value, Value> {
    let mut started = wire.call("run.start", params.clone());
    if !started["error"].is_null() {
        return Err(started["error"].take());
    }
    let run_id = started["result"]["run_id"].clone();
    wire.result("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
    let events = wire.events_to_end();
    Ok(events.into_iter().next_back().expect("a terminal event"))
}

/// The day's budget.
fn day(wire: &mut Wire) -> Value {
    let budgets = wire.result("budget.list", json!({}));
    let mut all = budgets["budgets"].as_array().expect("budgets").clone();
    let at = all.iter().position(|budget| budget["window"] == "day");
    all.swap_remove(at.unwrap_or_else(|| panic!("no daily budget: {budgets}")))
}

/// Nothing is in progress: the books hold every invariant, nothing is held, and all ways to sum
/// them up say the same, which is given.
fn is_sound(house: &House, when: &str) -> Value {
    let mut wire = Wire::open(&house.home);
    let books = Books::open(&house.home);
    books.hold_the_invariants(when);
    let day = day(&mut wire);
    assert_eq!(day["pending_nano_usd"], 0, "{when}: a hold leaked: {day}");
    let mut sums = Vec::new();
    for by in ["day", "model", "client", "cwd", "run"] {
        let params = json!({"by": by, "limit": 500});
        let mut total = wire.result("usage.query", params)["total"].take();
        total["key"] = Value::Null;
        sums.push(total);
    }
    for sum in &sums[1..] {
        assert_eq!(*sum, sums[0], "{when}: the order of the sum matters");
    }
    let total = sums.swap_remove(0);
    assert_eq!(total["open"], 0, "{when}: {total}");
    let paid = "SELECT coalesce(sum(amount), 0) FROM transfer WHERE kind IN ('post', 'overage')";
    assert_eq!(total["amount_nano_usd"], books.count(paid), "{when}");
    total
}
