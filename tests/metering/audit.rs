//! The books looked at afterwards, with `cv usage`: why, verify, export, reconcile, dispute.

use std::fs;

use convergio_fake_provider::{Reply, Script};
use convergio_store::Connection;
use serde_json::Value;

use crate::{
    ask::{House, json_of, lines_of, three_lines},
    harness::books::Books,
};

/// A house where three questions were answered, for $0.0045 each.
fn three_answers() -> House {
    let house = House::new(Script::always(Reply::text("Hello.").usage(1_000, 100)));
    for _ in 0..3 {
        assert_eq!(house.cv(&["ask", "hi"]).code, Some(0));
    }
    house.last_run();
    house
}

/// Today, as a provider in UTC counts it.
fn today(house: &House) -> String {
    let ran = house.cv(&["usage", "export", "--format", "csv"]);
    let row = ran.out.lines().nth(1).expect("a row").to_owned();
    let moment = row.split(',').nth(3).expect("a time").to_owned();
    moment[..10].to_owned()
}

fn nano(value: &Value) -> i64 {
    value
        .as_i64()
        .unwrap_or_else(|| panic!("no amount: {value}"))
}

#[test]
fn a_cost_is_explained_to_the_last_digit() {
    let house = three_answers();
    let why = json_of(&house.cv(&["usage", "why", "--format", "json"]));
    assert_eq!(why["amount_nano_usd"], 4_500_000, "{why}");
    let attempt = &why["attempts"][0];
    assert_eq!(attempt["reason"].as_str().map(str::is_empty), Some(false));
    let mut sum = 0;
    for line in attempt["lines"].as_array().expect("lines") {
        let steps = line["steps"].as_array().expect("steps");
        let of_steps: i64 = steps
            .iter()
            .map(|step| nano(&step["quantity"]) * nano(&step["nano_usd_per_million"]) / 1_000_000)
            .sum();
        assert_eq!(of_steps, nano(&line["amount_nano_usd"]), "{line}");
        sum += of_steps;
    }
    assert_eq!(sum, 4_500_000, "{why}");
    assert_eq!(attempt["transfers"].as_array().map(Vec::len), Some(2));
    assert_eq!(attempt["egress"]["redactions"], 0, "{why}");
    assert!(attempt["prices"]["source"].is_string(), "{why}");
    let run_id = why["run_id"].as_str().expect("a run");
    let short = &run_id[run_id.len() - 8..];
    let ran = house.cv(&["usage", "why", short]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for said in [
        "1,000 in_uncached: 1,000 × $3.00 a million = $0.003",
        "100 out_text: 100 × $15.00 a million = $0.0015",
        "$0.0045 · as the provider reported",
        "the daily budget (limit now $2.00)",
        "(this machine), 0 secrets masked, allowed by",
        "prices",
        "#5 pending",
        "#6 post $0.0045",
    ] {
        assert!(ran.out.contains(said), "{said}: {ran:?}");
    }
    for wrong in ["0123456789ab", "xyz!"] {
        three_lines(&house.cv(&["usage", "why", wrong]), 2);
    }
    let empty = House::new(Script::always(Reply::text("never")));
    three_lines(&empty.cv(&["usage", "why"]), 2);
}

#[test]
fn one_changed_byte_is_named_and_is_exit_70() {
    let house = three_answers();
    let ran = house.cv(&["usage", "verify"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("sound: 6 rows"), "{ran:?}");
    let sound = json_of(&house.cv(&["usage", "verify", "--format", "json"]));
    assert_eq!((&sound["sound"], &sound["rows"]), (&true.into(), &6.into()));
    assert_eq!(house.cv(&["stop"]).code, Some(0));
    let file = house.home.convergio().join("data/core.db");
    Connection::open(file)
        .and_then(|conn| {
            conn.execute_batch(
                "DROP TRIGGER transfer_is_never_changed; \
                 UPDATE transfer SET amount = amount - 1 WHERE seq = 4",
            )
        })
        .expect("it is changed");
    let ran = house.cv(&["usage", "verify"]);
    three_lines(&ran, 70);
    assert!(
        ran.out
            .contains("row 4: its content is not what was written"),
        "{ran:?}"
    );
    let ran = house.cv(&["usage", "verify", "--format", "json"]);
    assert_eq!(ran.code, Some(70), "{ran:?}");
    let found = json_of(&ran);
    assert_eq!(
        (&found["sound"], &found["first_bad_seq"]),
        (&false.into(), &4.into())
    );
}

#[test]
fn an_export_is_whole_and_safe_in_a_spreadsheet() {
    let house = three_answers();
    let ran = house.cv(&["usage", "export"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<&str> = ran.out.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4, "{ran:?}");
    assert!(
        lines[0].starts_with("attempt_id,run_id,n,started_utc,"),
        "{ran:?}"
    );
    assert!(lines[1].contains(",4500000,0.0045,1000,"), "{ran:?}");
    let json = json_of(&house.cv(&["usage", "export", "--format", "json"]));
    assert_eq!(
        (&json["rows_total"], &json["complete"]),
        (&3.into(), &true.into())
    );
    assert_eq!(json["rows"].as_array().map(Vec::len), Some(3));
    let transfers = [
        "usage",
        "export",
        "--what",
        "transfers",
        "--format",
        "ndjson",
    ];
    let transfers = lines_of(&house.cv(&transfers));
    assert_eq!(transfers.len(), 7);
    assert_eq!(transfers[1]["prev_hash"], transfers[0]["hash"]);
    // A file appears when it is whole, and is not written over unasked.
    let to_file = ["usage", "export", "-o", "books.csv"];
    assert_eq!(house.cv(&to_file).code, Some(0));
    let written = fs::read_to_string(house.folder.join("books.csv")).expect("a file");
    assert_eq!(written, ran.out);
    three_lines(&house.cv(&to_file), 2);
    let over = ["usage", "export", "--force", "-o", "books.csv"];
    assert_eq!(house.cv(&over).code, Some(0));
    three_lines(&house.cv(&["usage", "export", "-o", "."]), 2);
    three_lines(
        &house.cv(&["usage", "export", "-o", "nowhere/books.csv"]),
        2,
    );
    let left: Vec<_> = fs::read_dir(&house.folder).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let later = [
        "usage",
        "export",
        "--since",
        "2099-01-01",
        "--format",
        "json",
    ];
    assert_eq!(json_of(&house.cv(&later))["rows_total"], 0);
}

#[test]
fn an_invoice_is_compared_and_corrects_only_what_somebody_agreed_to() {
    let house = House::new(Script::always(Reply::text("Hello.").usage(10, 3_000)));
    for _ in 0..8 {
        assert_eq!(house.cv(&["ask", "hi"]).code, Some(0));
    }
    house.last_run();
    let day = today(&house);
    let invoice = |name: &str, usd: &str| {
        let text = format!(
            "day,provider,model,resource,quantity,amount_usd\n{day},mock,gpt-test,,,{usd}\n"
        );
        fs::write(house.folder.join(name), text).expect("a file");
    };
    invoice("same.csv", "0.36024");
    let ran = house.cv(&["usage", "reconcile", "same.csv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("The books agree on 1 day"), "{ran:?}");
    invoice("more.csv", "0.3710472");
    let before = Books::open(&house.home).rows("SELECT * FROM transfer ORDER BY seq");
    let ran = house.cv(&["usage", "reconcile", "more.csv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.contains("price_drift") && ran.out.contains("+$0.0108072"),
        "{ran:?}"
    );
    let json = json_of(&house.cv(&["usage", "reconcile", "more.csv", "--format", "json"]));
    assert_eq!(json["differences"][0]["drift"], "price_drift", "{json}");
    assert_eq!(json["adjusted"].as_array().map(Vec::len), Some(0));
    // Nobody is asked about a day that is not over.
    three_lines(&house.cv(&["usage", "reconcile", "more.csv", "--apply"]), 2);
    let after = Books::open(&house.home).rows("SELECT * FROM transfer ORDER BY seq");
    assert_eq!(before, after, "nothing was changed");
    // Nor is a day corrected that is not over, whoever says yes.
    let running = ["usage", "reconcile", "more.csv", "--apply", "--yes"];
    three_lines(&house.cv(&running), 2);
    let after = Books::open(&house.home).rows("SELECT * FROM transfer ORDER BY seq");
    assert_eq!(before, after, "nothing was changed");
    let over = "day,provider,model,resource,quantity,amount_usd\n\
                2026-11-01,mock,gpt-test,,,0.0108072\n";
    fs::write(house.folder.join("over.csv"), over).expect("a file");
    let agreed = ["usage", "reconcile", "over.csv", "--apply", "--yes"];
    let ran = house.cv(&agreed);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out
            .contains("Corrected the books by +$0.0108072 in 1 added row"),
        "{ran:?}"
    );
    let ran = house.cv(&agreed);
    assert!(ran.out.contains("The books agree on 1 day"), "{ran:?}");
    let verified = json_of(&house.cv(&["usage", "verify", "--format", "json"]));
    assert_eq!(
        (&verified["sound"], &verified["rows"]),
        (&true.into(), &17.into())
    );
    Books::open(&house.home).hold_the_invariants("after a correction");
    let usage = house.usage();
    assert_eq!(usage["total"]["amount_nano_usd"], 360_240_000, "{usage}");
    // What cannot be read names its line, and changes nothing.
    let bad = "day,model,amount_usd\n2026-11-20,m,lots\n";
    fs::write(house.folder.join("bad.csv"), bad).expect("a file");
    let ran = house.cv(&["usage", "reconcile", "bad.csv", "--provider", "mock"]);
    three_lines(&ran, 2);
    assert!(ran.err.contains("line 2"), "{ran:?}");
    three_lines(&house.cv(&["usage", "reconcile", "."]), 2);
    three_lines(&house.cv(&["usage", "reconcile", "nothing.csv"]), 2);
    three_lines(&house.cv(&["usage", "reconcile", "/dev/zero"]), 2);
}

#[test]
fn a_dispute_is_marked_listed_and_taken_back() {
    let house = three_answers();
    let run = json_of(&house.cv(&["usage", "why", "--format", "json"]));
    let id = run["attempts"][0]["attempt"]["attempt_id"]
        .as_str()
        .expect("an id");
    let mark = ["usage", "dispute", id, "--note", "billed twice"];
    let ran = house.cv(&[&mark[..], &["--format", "json"]].concat());
    let marked = json_of(&ran);
    assert_eq!(marked["dispute"]["note"], "billed twice", "{marked}");
    let evidence = &marked["evidence"];
    for part in ["attempt", "transfers", "prices", "egress", "lines", "hold"] {
        assert!(!evidence[part].is_null(), "{part}: {marked}");
    }
    assert!(!ran.out.contains("Hello."), "no answer is in the evidence");
    let listed = house.cv(&["usage", "dispute", "--list"]);
    assert!(listed.out.contains("billed twice"), "{listed:?}");
    let ran = house.cv(&["usage", "dispute", &id[id.len() - 10..], "--withdraw"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let listed = house.cv(&["usage", "dispute", "--list"]);
    assert!(listed.out.contains("withdrawn"), "{listed:?}");
    three_lines(&house.cv(&["usage", "dispute", "00000000"]), 2);
    assert_eq!(house.cv(&["usage", "verify"]).code, Some(0));
}

#[test]
fn sums_are_had_by_every_side_and_in_a_picture() {
    let house = three_answers();
    for by in [
        "day", "model", "provider", "agent", "client", "cwd", "token", "run",
    ] {
        let json = json_of(&house.cv(&["usage", "--by", by, "--format", "json"]));
        let rows = json["rows"].as_array().expect("rows");
        let sum: i64 = rows.iter().map(|row| nano(&row["amount_nano_usd"])).sum();
        assert_eq!(sum, 13_500_000, "{by}: {json}");
    }
    let long_ago = ["--since", "2019-01-01", "--until", "2020-01-01"];
    let ran = house.cv(&[&["usage", "--format", "json"][..], &long_ago].concat());
    assert_eq!(json_of(&ran)["rows"].as_array().map(Vec::len), Some(0));
    // Bars where somebody looks, or asks for them; never into a pipe unasked.
    let ran = house.cv(&["usage"]);
    assert!(!ran.out.contains('█'), "{ran:?}");
    let ran = house.cv(&["usage", "--plot"]);
    assert!(
        ran.out.contains('█') && !ran.out.contains('\u{1b}'),
        "{ran:?}"
    );
}

#[test]
fn a_template_that_was_saved_or_removed_is_taken_back_by_undo() {
    let house = House::new(Script::always(Reply::text("never")));
    let save = |text: &str| house.cv(&["template", "save", "tldr", text]);
    let shown = || house.cv(&["template", "list", "--format", "json"]).out;
    assert_eq!(house.cv(&["budget", "set", "daily", "50.00"]).code, Some(0));
    assert_eq!(save("Short: {{input}}").code, Some(0));
    assert_eq!(save("Shorter: {{input}}").code, Some(0));
    let undo = house.cv(&["undo"]);
    assert!(
        undo.out.contains("Took back cv template save tldr"),
        "{undo:?}"
    );
    assert!(shown().contains("Short: "), "{}", shown());
    assert_eq!(house.cv(&["template", "remove", "tldr"]).code, Some(0));
    assert_eq!(house.cv(&["undo"]).code, Some(0));
    assert!(shown().contains("Short: "), "{}", shown());
    // Somebody else's change since is not lost: its own entry is the one that goes first.
    assert_eq!(house.cv(&["undo"]).code, Some(0));
    assert!(!shown().contains("tldr"), "{}", shown());
    let undo = house.cv(&["undo"]);
    assert!(
        undo.out.contains("Took back cv budget set daily 50.00"),
        "{undo:?}"
    );
}
