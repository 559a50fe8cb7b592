//! What networks and providers do to a stream: the error is said, what came stays, and each
//! attempt is settled once.

use std::sync::atomic::{AtomicUsize, Ordering};

use convergio_fake_provider::{
    Action, At, Certificate, Dialect, Direction, FakeProvider, Fault, FaultProxy, Reply, Request,
    Script,
};
use serde_json::Value;

use super::{House, KEY, json_of, lines_of, three_lines};
use crate::harness::process::status_field;

/// Half of these are more than one byte long.
const ODD: &str = "Grüße aus 東京 🎈 und zurück.";

const ALL: [Dialect; 5] = [
    Dialect::OpenAi,
    Dialect::Responses,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::Ollama,
];

/// Clients at once: each may wait for its retries.
const CLIENTS: usize = 16;

/// A number that stands in the question.
fn number_in(request: &Request) -> usize {
    let prompt = request.prompt();
    let digits: String = prompt.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number in the question")
}

/// `CONVERGIO_EVERY_BYTE=1` is the campaign: every byte in every dialect. Else the shortest
/// stream, every eleventh byte and the borders.
#[test]
fn a_reset_at_any_byte_is_said_and_settled_once() {
    let every = std::env::var_os("CONVERGIO_EVERY_BYTE").is_some();
    let dialects = if every { &ALL[..] } else { &[Dialect::Ollama] };
    for dialect in dialects {
        let reply = Reply::text("Hé du");
        let wire = reply.wire_len(*dialect, &model_of(0));
        let head = reply.head_len(*dialect, &model_of(0));
        let offsets: Vec<usize> = (0..=wire)
            .filter(|at| every || at % 11 == 0 || at.abs_diff(head) < 2 || wire - at < 12)
            .collect();
        // Settings hold so many models of a provider at most.
        for offsets in offsets.chunks(400) {
            reset_at_each(*dialect, &reply, offsets, wire);
        }
    }
}

/// Asks a provider that resets after each of these of `wire` bytes.
fn reset_at_each(dialect: Dialect, reply: &Reply, offsets: &[usize], wire: usize) {
    let reply = reply.clone();
    let script = Script::answer(move |request| reply.clone().reset_after(number_in(request)));
    let house = House::speaking(dialect, script);
    let (base, kind) = (house.provider.base_url(dialect), super::kind(dialect));
    let mut settings = format!(
        "[budget]\ndaily_usd = \"90.00\"\n[provider.mock]\nkind = \"{kind}\"\n\
         base_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n"
    );
    for at in offsets {
        settings.push_str(&format!(
            "[provider.mock.model.\"{}\"]\n\
             price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n",
            model_of(*at)
        ));
    }
    house.configure(&settings);
    let next = AtomicUsize::new(0);
    let clients = || {
        while let Some(at) = offsets.get(next.fetch_add(1, Ordering::SeqCst)) {
            reset_at(&house, *at, wire);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(clients);
        }
    });
    house.settled();
    let calls = house.provider.calls();
    let cut: std::collections::BTreeSet<usize> = calls.iter().map(number_in).collect();
    assert_eq!(
        cut.len(),
        offsets.len(),
        "{dialect:?}: each was asked and cut"
    );
}

/// Each cut has a model of its own: one that fails again and again is not asked for a while.
fn model_of(at: usize) -> String {
    format!("gpt-{at:05}")
}

/// Asks a provider that resets after `at` of `wire` bytes.
fn reset_at(house: &House, at: usize, wire: usize) {
    let model = format!("mock/{}", model_of(at));
    let question = format!("cut {at}");
    let ran = house.cv(&["ask", &question, "--model", &model, "--format", "json"]);
    let document = json_of(&ran);
    let answer = document["answer"].as_str().unwrap_or_default();
    assert!("Hé du".starts_with(answer), "at {at}: {ran:?}");
    if ran.code == Some(0) {
        // The model was done; only an empty line and HTTP's own end are missing.
        assert!(wire - at <= 8, "at {at} of {wire}: {ran:?}");
        assert_eq!(
            (answer, &document["complete"]),
            ("Hé du", &true.into()),
            "at {at}: {ran:?}"
        );
    } else {
        assert_eq!(ran.code, Some(3), "at {at}: {ran:?}");
        assert_eq!(document["complete"], false, "at {at}: {ran:?}");
        assert_eq!(document["error"]["exit_code"], 3, "at {at}: {ran:?}");
    }
}

#[test]
fn a_stream_that_breaks_is_labelled_in_every_format() {
    for reply in [
        Reply::text("One two three").reset_after(At::Delta(2)),
        Reply::text("One two three").close_after(At::Delta(2)),
        Reply::text("One two three").fail_after(2, "overloaded_error", "Overloaded"),
        Reply::text("One two ").no_end_marker(),
        Reply::text("One two ").then_endless_line(64 << 20),
    ] {
        for dialect in ALL {
            let what = format!("{dialect:?} {reply:?}");
            let house = House::speaking(dialect, Script::always(reply.clone()));
            let ran = house.cv(&["ask", "hi"]);
            three_lines(&ran, 3);
            assert_eq!(ran.out.trim_end(), "One two", "{what}: {ran:?}");
            let ran = house.cv(&["ask", "hi", "--format", "json"]);
            assert_eq!(ran.code, Some(3), "{what}: {ran:?}");
            let document = json_of(&ran);
            assert_eq!(document["answer"], "One two ", "{what}: {document}");
            assert_eq!(document["complete"], false, "{what}: {document}");
            let ran = house.cv(&["ask", "hi", "--format", "ndjson"]);
            assert_eq!(ran.code, Some(3), "{what}: {ran:?}");
            let lines = lines_of(&ran);
            assert_eq!(lines.last().unwrap()["type"], "failed", "{what}: {ran:?}");
            let message = lines.iter().find(|line| line["type"] == "message").unwrap();
            assert_eq!(message["text"], "One two ", "{what}: what came is kept");
            assert_ne!(message["stop"], "end", "{what}: and it is labelled");
            assert_eq!(
                house.provider.calls().len(),
                3,
                "{what}: no retry after a word"
            );
            let total = house.settled();
            assert!(
                total["output_tokens"].as_u64() >= Some(6),
                "{what}: {total}"
            );
        }
    }
}

#[test]
fn odd_borders_change_nothing() {
    for dialect in ALL {
        for reply in [
            Reply::text(ODD).chunk_every(1),
            Reply::text(ODD).in_deltas(1).chunk_every(3),
            Reply::text(ODD).split_every(1),
            Reply::text(ODD).pings(),
        ] {
            let house = House::speaking(dialect, Script::always(reply.clone()));
            let ran = house.cv(&["ask", "hi"]);
            assert_eq!(ran.code, Some(0), "{dialect:?} {reply:?}: {ran:?}");
            assert_eq!(ran.out.trim_end_matches('\n'), ODD, "{dialect:?}");
            house.settled();
        }
    }
}

#[test]
fn a_line_of_a_gigabyte_ends_soon_and_costs_little_memory() {
    const LINE: u64 = 1 << 30;
    for dialect in ALL {
        let house = House::speaking(dialect, Script::always(Reply::endless_line(LINE)));
        let ran = house.cv(&["ask", "hi"]);
        three_lines(&ran, 3);
        assert_eq!(ran.out, "", "{ran:?}");
        assert!(
            house.provider.bytes_sent() < 3 * (256 << 20),
            "it was read on and on"
        );
        let peak_kb = status_field(house.home.owner().expect("a daemon"), "VmHWM");
        assert!(peak_kb < 200_000, "{dialect:?}: {peak_kb} kB");
        house.settled();
    }
}

#[test]
fn a_redirect_is_not_followed_and_the_key_goes_nowhere() {
    let elsewhere = FakeProvider::start(Script::always(Reply::text("stolen")));
    for dialect in ALL {
        let to = format!("{}/v1/chat/completions", elsewhere.url());
        let house = House::speaking(dialect, Script::always(Reply::redirect(&to)));
        let ran = house.cv(&["ask", "hi"]);
        three_lines(&ran, 3);
        assert_eq!(ran.out, "");
        assert_eq!(house.provider.calls().len(), 1, "{dialect:?}: no retry");
        house.settled();
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_nothing() {
    for certificate in [
        Certificate::WrongName,
        Certificate::Expired,
        Certificate::NotYetValid,
        Certificate::SelfSigned,
    ] {
        let provider = FakeProvider::start(Script::always(Reply::text("never")).tls(certificate));
        let base = provider.base_url(Dialect::OpenAi);
        let ca = provider.ca_pem().expect("a file").display().to_string();
        let more = format!("ca_file = \"{ca}\"");
        let house = House::before(provider, Dialect::OpenAi, &base, &more);
        let ran = house.cv(&["ask", "hi"]);
        three_lines(&ran, 3);
        assert!(ran.err.contains("certificate"), "{certificate:?}: {ran:?}");
        assert_eq!(house.provider.requests().len(), 0, "{certificate:?}");
        let usage = house.usage();
        assert_eq!(usage["total"]["open"], 0, "{usage}");
        assert_eq!(
            usage["total"]["amount_nano_usd"], 0,
            "nothing was sent: {usage}"
        );
    }
    let provider = FakeProvider::start(Script::always(Reply::text("safe")).tls(Certificate::Valid));
    let base = provider.base_url(Dialect::OpenAi);
    let ca = provider.ca_pem().expect("a file").display().to_string();
    let more = format!("ca_file = \"{ca}\"");
    let house = House::before(provider, Dialect::OpenAi, &base, &more);
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!((ran.code, ran.out.trim_end()), (Some(0), "safe"), "{ran:?}");
    house.settled();
    // Without the file nobody vouches for it.
    let provider = FakeProvider::start(Script::always(Reply::text("safe")).tls(Certificate::Valid));
    let base = provider.base_url(Dialect::OpenAi);
    let house = House::before(provider, Dialect::OpenAi, &base, "");
    three_lines(&house.cv(&["ask", "hi"]), 3);
    assert_eq!(house.provider.requests().len(), 0);
}

#[test]
fn a_network_that_breaks_under_the_question_is_tried_again_and_then_said() {
    let broken = Fault {
        direction: Direction::ToServer,
        after_bytes: 50,
        action: Action::Reset,
    };
    for (faults, code, calls) in [(1, 0, 1), (usize::MAX, 3, 0)] {
        let provider = FakeProvider::start(Script::always(Reply::text("Hello.")));
        let proxy = FaultProxy::start(provider.addr(), move |number| {
            (number < faults).then_some(broken)
        });
        let base = format!("{}/v1", proxy.url("http"));
        let house = House::before(provider, Dialect::OpenAi, &base, "");
        let ran = house.cv(&["ask", "hi"]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        if code == 0 {
            assert_eq!(ran.out.trim_end(), "Hello.");
        } else {
            three_lines(&ran, code);
        }
        assert_eq!(house.provider.calls().len(), calls);
        let usage = house.usage();
        let total = &usage["total"];
        assert_eq!(total["attempts"], proxy.connections(), "one each: {usage}");
        assert_eq!(total["open"], 0, "{usage}");
        assert_eq!(usage["budgets"][0]["pending_nano_usd"], 0, "{usage}");
    }
}

#[test]
fn a_passing_fault_before_the_first_word_is_tried_again_and_each_attempt_is_paid() {
    let house = House::new(Script::replies([
        Reply::error(500, "server_error", "The server had an error"),
        Reply::error(529, "overloaded_error", "Overloaded"),
        Reply::text("At last.").usage(1_000, 100),
    ]));
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(
        (ran.code, ran.out.trim_end()),
        (Some(0), "At last."),
        "{ran:?}"
    );
    let total = house.settled();
    assert_eq!(total["attempts"], 3, "{total}");
    assert_eq!(
        total["amount_nano_usd"], 4_500_000,
        "refusals are free: {total}"
    );
}

#[test]
fn refusals_are_said_by_their_class_and_not_repeated() {
    let key = Reply::error(
        401,
        "invalid_request_error",
        &format!("Incorrect API key: {KEY}"),
    );
    for (reply, code, calls, word) in [
        (key.code("invalid_api_key"), 3, 1, "key"),
        (
            Reply::error(403, "permission_error", "Not for you"),
            3,
            1,
            "",
        ),
        (
            Reply::error(404, "invalid_request_error", "no such model").code("model_not_found"),
            3,
            1,
            "model",
        ),
        (
            Reply::error(400, "invalid_request_error", "too many tokens")
                .code("context_length_exceeded"),
            2,
            1,
            "",
        ),
        (
            Reply::error(429, "insufficient_quota", "You exceeded your current quota")
                .code("insufficient_quota"),
            3,
            1,
            "",
        ),
        (
            Reply::body(200, "text/html", "<h1>Welcome to the hotel</h1>"),
            3,
            3,
            "",
        ),
        (Reply::raw("SSH-2.0-OpenSSH_9.9\r\n"), 3, 3, ""),
        (
            Reply::body(502, "text/html", "<h1>Bad gateway</h1>"),
            3,
            3,
            "",
        ),
    ] {
        let what = format!("{reply:?}");
        let house = House::new(Script::always(reply));
        let ran = house.cv(&["ask", "hi"]);
        three_lines(&ran, code);
        assert!(ran.err.contains(word), "{what}: {ran:?}");
        assert_eq!(ran.out, "", "{what}");
        assert!(house.provider.calls().len() <= calls, "{what}: {ran:?}");
        let total = house.settled();
        // What is no refusal of the provider's may have been an answer that was lost.
        if what.contains("Failure") {
            assert_eq!(total["amount_nano_usd"], 0, "{what}: {total}");
        }
    }
}

#[test]
fn a_wait_that_the_provider_asks_for_is_kept_or_said() {
    let house = House::new(Script::replies([
        Reply::error(429, "rate_limit_error", "Slow down").retry_after(1),
        Reply::text("Now."),
    ]));
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!((ran.code, ran.out.trim_end()), (Some(0), "Now."), "{ran:?}");
    let calls = house.provider.calls();
    let waited = calls[1].arrived - calls[0].arrived;
    assert!(waited >= std::time::Duration::from_secs(1), "{waited:?}");
    house.settled();
    // An hour is not waited.
    let reply = Reply::error(429, "rate_limit_error", "Slow down").retry_after(3_600);
    let house = House::new(Script::always(reply));
    let ran = house.cv(&["ask", "hi", "--format", "json"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let document = json_of(&ran);
    assert_eq!(document["error"]["slug"], "rate_limited", "{document}");
    assert_eq!(house.provider.calls().len(), 1);
    house.settled();
}

#[test]
fn missing_usage_is_estimated_and_says_so() {
    for dialect in ALL {
        let reply = Reply::text("One two three four").no_usage();
        let house = House::speaking(dialect, Script::always(reply));
        let ran = house.cv(&["ask", "hi", "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{dialect:?}: {ran:?}");
        let total = house.settled();
        assert_eq!(total["estimated"], 1, "{dialect:?}: {total}");
        let mine = house.provider.billed();
        let counted = total["output_tokens"].as_u64().expect("a number");
        assert!(
            counted >= mine.output_tokens,
            "{dialect:?}: {total} {mine:?}"
        );
    }
}

#[test]
fn nothing_of_an_error_drives_the_terminal_or_tells_the_key() {
    let evil = format!("\u{1b}]0;pwned\u{7}\u{1b}[2J{KEY}\r\n\u{202e}gnp");
    let house = House::new(Script::always(Reply::error(400, "bad\u{1b}[31m", &evil)));
    for format in ["text", "json", "ndjson"] {
        let ran = house.cv(&["ask", "hi", "--format", format]);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        let all = format!("{}{}", ran.out, ran.err);
        for bad in ['\u{1b}', '\u{7}', '\u{202e}'] {
            assert!(!all.contains(bad), "{format}: {bad:?} in {all:?}");
        }
        assert!(!all.contains(KEY), "{format}: {all}");
    }
    let log: Value = house.last_run();
    assert!(!log.to_string().contains(KEY), "{log}");
}
