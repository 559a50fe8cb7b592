//! Keys turn up at their provider, and nowhere else in any spelling.

use std::{fs, path::Path, process::Stdio};

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Request, Script, Stop};
use serde_json::{Value, json};

use super::House;
use crate::harness::{
    binaries,
    daemon::Daemon,
    home::{Ran, memory_holds},
    process::finish,
    wire::Wire,
};

/// Keys without a shape that a scanner could know, with characters that every spelling changes.
fn key(number: usize) -> String {
    format!("Zq{number}/xK+v7\"Tt4{number}mW2?pL8=rN{number}")
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(three.get(at).copied().unwrap_or(0));
        }
        for at in 0..=three.len() {
            let index = bits >> (18 - 6 * at) & 63;
            out.push(char::from(ALPHABET[index as usize]));
        }
    }
    out
}

fn percent(key: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    key.bytes().map(byte).collect()
}

fn escaped(key: &str) -> String {
    let quoted = Value::from(key).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Every spelling that is looked for.
fn spellings(key: &str) -> Vec<String> {
    let mut all = vec![
        key.to_owned(),
        escaped(key),
        escaped(&escaped(key)),
        percent(key),
        percent(key).to_lowercase(),
    ];
    for shift in 0..3 {
        let shifted = [&vec![b' '; shift], key.as_bytes()].concat();
        let encoded = base64(&shifted);
        // Without the letters that hold bits of what stands before and behind.
        let inner = &encoded[(shift * 8).div_ceil(6)..shifted.len() * 8 / 6];
        all.push(inner.to_owned());
        all.push(inner.replace('+', "-").replace('/', "_"));
    }
    all
}

#[test]
fn spellings_are_those_of_the_world() {
    assert_eq!(base64(b"ab c"), "YWIgYw");
    let found = spellings("k\"/y9Zt");
    assert!(found.contains(&"k\\\"/y9Zt".to_owned()) && found.contains(&"k%22%2Fy9Zt".to_owned()));
    let whole = base64(b"xk\"/y9Zt");
    assert!(found.iter().any(|form| whole.contains(form)), "{found:?}");
}

/// Which keys stand in these bytes, and how.
fn leaks(bytes: &[u8], keys: &[String]) -> Vec<String> {
    let forms = keys.iter().flat_map(|key| spellings(key));
    forms
        .filter(|form| memory_holds(bytes, form.as_bytes()))
        .collect()
}

/// Every file below `folder` that holds a key.
fn leaking_files(folder: &Path, keys: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_dir() {
            found.extend(leaking_files(&path, keys));
        } else if metadata.is_file() {
            let leaked = leaks(&fs::read(&path).expect("a file"), keys);
            found.extend(
                leaked
                    .iter()
                    .map(|form| format!("{}: {form}", path.display())),
            );
        }
    }
    found
}

/// A provider that repeats the key that it was given, in another place each time.
fn tell_tale(request: &Request, turn: usize) -> Reply {
    let key = request.key().unwrap_or_default().to_owned();
    let all = format!(
        "no such key {key} / {} / {} / Basic {}",
        escaped(&key),
        percent(&key),
        base64(format!("user:{key}").as_bytes())
    );
    match turn % TURNS {
        0 => Reply::error(401, "invalid_api_key", &all),
        1 => Reply::error(400, &key, &all).code(&key),
        2 => Reply::error(500, "server_error", &all).request_id(&percent(&key)),
        3 => Reply::text("Some words came.").fail_after(2, "server_error", &all),
        4 => Reply::body(400, "text/plain", all).header("x-echo", &key),
        5 => Reply::redirect(&format!("http://127.0.0.1:9/?key={}", percent(&key))),
        6 => Reply::error(429, "rate_limit", &all).header("retry-after", &key),
        7 => Reply::text("Ended oddly.").stop(Stop::Other(key)),
        _ => Reply::text("Nothing is amiss.")
            .header("x-echo", &key)
            .request_id(&percent(&key)),
    }
}

/// How many replies the provider has.
const TURNS: usize = 9;

#[test]
fn keys_turn_up_at_their_provider_and_nowhere_else() {
    let mut turn = 0;
    let script = Script::answer(move |request| {
        let reply = tell_tale(request, turn);
        turn += 1;
        reply
    });
    let provider = FakeProvider::start(script);
    let base = provider.base_url(Dialect::OpenAi);
    let house = House::before(provider, Dialect::OpenAi, &base, "");
    let keys: Vec<String> = (1..=4).map(key).collect();
    let [of_client, of_command, of_daemon, of_file] = &keys[..] else {
        panic!("four keys");
    };
    // What a password manager would keep, outside of everything that is ours.
    let vault = tempfile::tempdir().expect("a folder");
    let secret = vault.path().join("secret");
    fs::write(&secret, of_command).expect("a file");
    let table = |name: &str, more: &str| {
        format!(
            "[provider.{name}]\nkind = \"openai\"\nbase_url = \"{base}\"\n{more}\n\
             [provider.{name}.model.\"gpt-test\"]\n\
             price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n"
        )
    };
    house.configure(&format!(
        "[log]\nlevel = \"trace\"\n[secrets]\nfile = true\n\
         [models]\ndefault = \"client/gpt-test\"\n[budget]\ndaily_usd = \"900.00\"\n{}{}{}{}",
        table("client", "key_env = \"CLIENT_KEY\""),
        table(
            "command",
            &format!("key_cmd = \"cat {}\"", secret.display())
        ),
        table("daemon", "key_env = \"DAEMON_KEY\""),
        table("filed", "key_env = \"SET_NOWHERE_KEY\""),
    ));
    let mut command = house.home.command(binaries().join("convergiod"));
    command
        .args(["serve", "--spawned"])
        .env("RUST_LOG", "trace")
        .env("DAEMON_KEY", of_daemon);
    let daemon = Daemon::start_by(&house.home, command);
    let mut shown: Vec<(String, Ran)> = Vec::new();
    let cv = |shown: &mut Vec<(String, Ran)>, arguments: &[&str]| {
        let mut command = house.home.cv_command(&house.folder, arguments);
        command
            .env("CLIENT_KEY", of_client)
            .env("CONVERGIO_NO_PROMPT", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let ran = finish(command.spawn().expect("cv starts"), &command);
        shown.push((arguments.join(" "), ran));
    };
    let stored = house.cv_with_input(&["provider", "set-key", "filed"], of_file.as_bytes());
    assert_eq!(stored.code, Some(0), "{stored:?}");
    for name in ["client", "command", "daemon", "filed"] {
        let model = format!("{name}/gpt-test");
        for turn in 0..TURNS {
            let format = ["text", "json", "ndjson"][turn % 3];
            cv(
                &mut shown,
                &["ask", "hi", "--model", &model, "--format", format],
            );
        }
        cv(&mut shown, &["provider", "test", name]);
    }
    for arguments in [
        &["provider", "list", "--format", "json"][..],
        &["models", "--format", "json"],
        &["usage", "--format", "json"],
        &["privacy", "egress", "--format", "json"],
        &["config", "get", "--format", "json"],
        &["runs", "--format", "json"],
        &["sessions", "--format", "json"],
        &["status"],
        &["doctor"],
        &["logs", "-n", "500"],
        &["backup"],
    ] {
        cv(&mut shown, arguments);
        let (what, ran) = shown.last().expect("it ran");
        assert_eq!(ran.code, Some(0), "cv {what}: {ran:?}");
    }
    // The keys did arrive, or nothing of this says anything.
    let calls = house.provider.calls();
    for key in &keys {
        let arrived = calls.iter().filter(|call| call.key() == Some(key)).count();
        assert!(arrived >= TURNS, "{key} arrived {arrived} times");
    }
    let mut events = Vec::new();
    let mut wire = Wire::open(&house.home);
    let runs = wire.result("run.list", json!({"limit": 100}));
    for run in runs["runs"].as_array().expect("runs") {
        wire.call(
            "run.subscribe",
            json!({"run_id": run["run_id"], "after_seq": 0}),
        );
        events.extend(wire.events_to_end());
    }
    assert!(events.len() > 4 * TURNS, "{}", events.len());
    let mut found: Vec<String> = Vec::new();
    for (what, ran) in &shown {
        for text in [&ran.out, &ran.err] {
            let leaked = leaks(text.as_bytes(), &keys);
            found.extend(
                leaked
                    .iter()
                    .map(|form| format!("cv {what}: {form}: {text}")),
            );
        }
    }
    for event in &events {
        let leaked = leaks(event.to_string().as_bytes(), &keys);
        found.extend(leaked.iter().map(|form| format!("{form}: {event}")));
    }
    for (name, own) in [("cmdline", true), ("comm", true), ("environ", false)] {
        let bytes = fs::read(format!("/proc/{}/{name}", daemon.pid)).expect("the daemon lives");
        let foreign: Vec<String> = keys
            .iter()
            .filter(|key| own || *key != of_daemon)
            .cloned()
            .collect();
        // Its own key stands there: what does not find that finds nothing.
        let seen = leaks(&bytes, std::slice::from_ref(of_daemon));
        assert_eq!(seen.is_empty(), own, "/proc/…/{name}");
        let leaked = leaks(&bytes, &foreign);
        found.extend(leaked.iter().map(|form| format!("/proc/…/{name}: {form}")));
    }
    found.extend(leaking_files(house.home.everything(), &keys));
    daemon.kill();
    found.extend(leaking_files(house.home.everything(), &keys));
    assert!(found.is_empty(), "{} leaks: {found:#?}", found.len());
    // What was looked through was there to be found.
    assert!(holds(
        house.home.everything(),
        "core.db",
        "client/gpt-test did not answer"
    ));
    assert!(holds(house.home.everything(), "log", "TRACE"));
}

/// Whether a file whose name holds `name` holds `text`.
fn holds(folder: &Path, name: &str, text: &str) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return holds(&path, name, text);
        }
        let named = path
            .file_name()
            .is_some_and(|own| own.to_string_lossy().contains(name));
        named && fs::read(&path).is_ok_and(|bytes| memory_holds(&bytes, text.as_bytes()))
    })
}
