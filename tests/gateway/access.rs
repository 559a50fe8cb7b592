//! Who gets in: the table of everybody who must not.

use std::fs;

use convergio_fake_provider::{Reply, Script};
use serde_json::json;

use super::{Open, question, token};
use crate::harness::wire::Wire;

#[test]
fn nobody_gets_in_without_host_and_token_and_no_page_does() {
    let open = Open::new(Script::always(Reply::text("secret words")));
    let (host, port) = (open.host().to_owned(), open.port().to_owned());
    let bearer = format!("Authorization: Bearer {}", open.secret);
    let good = open.get("/v1/models", &[&bearer]);
    assert_eq!(good.status, 200, "{good:?}");
    assert!(!good.head.contains("access-control"), "{good:?}");
    let key = format!("x-api-key: {}", open.secret);
    assert_eq!(open.get("/v1/models", &[&key]).status, 200);
    let healthy = open.get("/healthz", &[]);
    assert_eq!(
        (healthy.status, healthy.body.as_str()),
        (200, r#"{"status":"ok"}"#)
    );

    // Without the right host or with any page's origin: 403, whatever else is right.
    let raw = |head: &str| open.speak(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes());
    for (what, head) in [
        (
            "foreign host",
            "GET /v1/models HTTP/1.1\r\nHost: evil.example".to_owned(),
        ),
        (
            "a name that was rebound",
            format!("GET /v1/models HTTP/1.1\r\nHost: rebound.example:{port}"),
        ),
        (
            "no port",
            "GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1".to_owned(),
        ),
        (
            "another port",
            "GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:1".to_owned(),
        ),
        (
            "any address",
            format!("GET /v1/models HTTP/1.1\r\nHost: 0.0.0.0:{port}"),
        ),
        (
            "two hosts",
            format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nHost: {host}"),
        ),
        ("no host", "GET /v1/models HTTP/1.0".to_owned()),
        (
            "absolute form",
            format!("GET http://evil.example/v1/models HTTP/1.1\r\nHost: {host}"),
        ),
        (
            "a page",
            format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example"),
        ),
        (
            "a page of this machine",
            format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}"),
        ),
        (
            "a file",
            format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nOrigin: null"),
        ),
        (
            "a preflight",
            format!(
                "OPTIONS /v1/messages HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example"
            ),
        ),
        (
            "health of another",
            "GET /healthz HTTP/1.1\r\nHost: evil.example".to_owned(),
        ),
    ] {
        let said = raw(&format!("{head}\r\n{bearer}"));
        assert_eq!(said.status, 403, "{what}: {said:?}");
        assert!(!said.head.contains("access-control"), "{what}: {said:?}");
        assert_eq!(
            said.json()["type"],
            "urn:convergio:error:forbidden",
            "{what}"
        );
    }

    // Without the right token: 401, in the words of the wire.
    let secret = &open.secret;
    let mut other = secret.clone();
    let last = other.pop().expect("a token");
    other.push(if last == 'A' { 'B' } else { 'A' });
    let wrong = format!("Authorization: Bearer {other}");
    let short = format!("Authorization: Bearer {}", &secret[..secret.len() - 1]);
    let differs = format!("x-api-key: {other}");
    for (what, path, headers) in [
        ("none", "/v1/models", vec![]),
        ("wrong", "/v1/models", vec![wrong.as_str()]),
        ("cut", "/v1/models", vec![short.as_str()]),
        (
            "basic",
            "/v1/models",
            vec!["Authorization: Basic Zm9vOmJhcg=="],
        ),
        ("empty", "/v1/models", vec!["Authorization: Bearer "]),
        (
            "two that differ",
            "/v1/models",
            vec![bearer.as_str(), differs.as_str()],
        ),
        ("unknown path", "/v1/nothing", vec![]),
        ("root", "/", vec![]),
    ] {
        let said = open.get(path, &headers);
        assert_eq!(said.status, 401, "{what}: {said:?}");
        assert!(
            said.head.contains("www-authenticate: bearer"),
            "{what}: {said:?}"
        );
    }
    for query in [
        format!("?key={secret}"),
        format!("?x={secret}"),
        "?access_token=1".to_owned(),
    ] {
        for headers in [vec![], vec![bearer.as_str()]] {
            let said = open.get(&format!("/v1/models{query}"), &headers);
            assert_eq!(said.status, 401, "{query}: {said:?}");
            assert!(!said.body.contains(secret), "{said:?}");
        }
    }
    let anthropic = open.get("/v1/models", &["anthropic-version: 2023-06-01"]);
    assert_eq!(anthropic.json()["error"]["type"], "authentication_error");
    assert_eq!(open.get("/v1/nothing", &[&bearer]).status, 404);
    assert_eq!(open.house.provider.calls().len(), 0);
}

#[test]
fn a_token_that_was_taken_back_or_has_expired_opens_nothing() {
    let open = Open::new(Script::always(Reply::text("x")));
    let mut wire = Wire::open(&open.house.home);
    let brief = token(&mut wire, json!({"name": "brief", "expires_in_ms": 1}));
    let listed = |wire: &mut Wire| wire.result("token.list", json!({}));
    // Its time is over when the daemon's clock says so.
    while listed(&mut wire)["tokens"][0]["state"] == "good"
        && listed(&mut wire)["tokens"][0]["name"] == "brief"
    {}
    let expired = open.get("/v1/models", &[&format!("x-api-key: {brief}")]);
    assert_eq!(expired.status, 401, "{expired:?}");
    let bearer = format!("x-api-key: {}", open.secret);
    assert_eq!(open.get("/v1/models", &[&bearer]).status, 200);
    wire.result("token.revoke", json!({"name": "tool"}));
    assert_eq!(open.get("/v1/models", &[&bearer]).status, 401);
    // Its name stands in the books: nobody else gets it.
    let again = wire.call(
        "token.create",
        json!({"name": "tool", "keys": {"MOCK_KEY": ""}}),
    );
    assert_eq!(again["error"]["data"]["slug"], "conflict", "{again}");
}

#[test]
fn it_listens_on_this_machines_own_addresses_and_only_while_it_should() {
    let open = Open::new(Script::always(Reply::text("x")));
    for address in ["0.0.0.0", "::", "192.168.0.1", "localhost.evil.example"] {
        let ran = open
            .house
            .cv(&["config", "set", "gateway.address", address]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("127.0.0.1"), "{ran:?}");
    }
    if let Ok(table) = fs::read_to_string("/proc/net/tcp") {
        let port: u16 = open.port().parse().expect("a port");
        let port = format!(":{port:04X}");
        let listening: Vec<&str> = table
            .lines()
            .filter_map(|line| {
                let mut fields = line.split_whitespace().skip(1);
                let local = fields.next()?;
                let state = fields.nth(1)?;
                (local.ends_with(&port) && state == "0A").then_some(local)
            })
            .collect();
        assert_eq!(listening, [format!("0100007F{port}")], "{table}");
    }
    let ran = open
        .house
        .cv(&["config", "set", "gateway.enabled", "false"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // Its last accept may still be on its way.
    let begun = std::time::Instant::now();
    while std::net::TcpStream::connect(open.host()).is_ok() {
        assert!(begun.elapsed() < crate::harness::process::LIMIT);
    }
    let told = open.house.cv(&["gateway"]);
    assert!(told.out.contains("gateway.enabled true"), "{told:?}");
}

#[test]
fn what_is_too_large_or_no_request_is_refused_before_anybody_is_asked() {
    let open = Open::new(Script::always(Reply::text("x")));
    let host = open.host();
    let head = |more: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             x-api-key: {}\r\n{more}\r\n\r\n",
            open.secret
        )
    };
    let large = open.speak(head("Content-Length: 33554433").as_bytes());
    assert_eq!(large.status, 413, "{large:?}");
    let packed = open.speak(head("Content-Encoding: gzip\r\nContent-Length: 0").as_bytes());
    assert_eq!(packed.status, 400, "{packed:?}");
    let many = "x-filler: 1\r\n".repeat(200);
    let many = open.speak(head(&format!("{many}Content-Length: 0")).as_bytes());
    assert_eq!(many.status, 431, "{many:?}");
    let long = format!("x-filler: {}\r\nContent-Length: 0", "a".repeat(65_600));
    let long = open.speak(head(&long).as_bytes());
    assert_eq!(long.status, 431, "{long:?}");
    let mut wrong = question(false);
    wrong["n"] = json!(2);
    let wrong = open.speak(&open.post("/v1/chat/completions", &wrong));
    assert_eq!(
        (wrong.status, &wrong.json()["error"]["param"]),
        (400, &json!("n"))
    );
    assert_eq!(open.house.provider.calls().len(), 0);
}

#[test]
fn a_page_that_is_allowed_asks_and_is_answered_and_no_other_one_is() {
    let open = Open::new(Script::always(Reply::text("x")));
    let set = [
        "config",
        "set",
        "gateway.allowed_origins",
        "https://app.example",
    ];
    let ran = open.house.cv(&set);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // Its port may be another one now.
    let mut wire = Wire::open(&open.house.home);
    let status = wire.result("gateway.status", json!({}));
    let base = status["url"].as_str().expect("it listens").to_owned();
    let open = Open { base, ..open };
    let host = open.host();
    let from = |origin: &str, method: &str, more: &str| {
        open.speak(
            format!(
                "{method} /v1/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
                 Origin: {origin}\r\n{more}\r\n"
            )
            .as_bytes(),
        )
    };
    let asked = "Access-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: authorization\r\n";
    let preflight = from("https://app.example", "OPTIONS", asked);
    assert_eq!(preflight.status, 204, "{preflight:?}");
    for line in [
        "access-control-allow-origin: https://app.example",
        "access-control-allow-methods: get, post",
        "vary: origin",
    ] {
        assert!(preflight.head.contains(line), "{line}: {preflight:?}");
    }
    assert!(
        preflight.head.contains("authorization") && !preflight.head.contains("credentials"),
        "{preflight:?}"
    );
    let bearer = format!("Authorization: Bearer {}\r\n", open.secret);
    let read = from("https://app.example", "GET", &bearer);
    assert_eq!(read.status, 200, "{read:?}");
    assert!(
        read.head
            .contains("access-control-allow-origin: https://app.example"),
        "{read:?}"
    );
    // Allowed is not let in.
    assert_eq!(from("https://app.example", "GET", "").status, 401);
    for other in ["https://app.example.evil", "http://app.example", "null"] {
        for method in ["OPTIONS", "GET"] {
            let said = from(other, method, &bearer);
            assert_eq!(said.status, 403, "{other}: {said:?}");
            assert!(!said.head.contains("access-control"), "{said:?}");
        }
    }
}

#[test]
fn a_token_that_was_taken_back_stays_so_whatever_is_undone() {
    let open = Open::new(Script::always(Reply::text("x")));
    let house = &open.house;
    let revoked = house.cv(&["token", "revoke", "tool"]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    assert!(
        revoked.out.contains("nothing brings it back"),
        "{revoked:?}"
    );
    let list = house.cv(&["undo", "--list"]);
    assert!(!list.out.contains("token"), "{list:?}");
    let state = || {
        let listed = Wire::open(&house.home).result("token.list", json!({}));
        listed["tokens"][0]["state"].clone()
    };
    assert_eq!(state(), "revoked");
    // What it takes back is the change of the settings before.
    house.cv(&["undo"]);
    assert_eq!(state(), "revoked");
}
