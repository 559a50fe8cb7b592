//! What is found, shown, counted, compared.

use serde_json::{Value, json};

use super::{CART, Desk, both, claim, fault, model, of_type, settled, titles};

#[test]
fn findings_follow_those_of_the_rules_and_are_paid_for() {
    let desk = Desk::new(model(vec![fault()], true));
    let events = desk.events(&both());
    settled(&events);
    let found = of_type(&events, "finding");
    assert_eq!(found.len(), 3, "{events:#?}");
    assert_eq!(found[2]["rule"], "model");
    assert_eq!(found[2]["n"], 3);
    assert_eq!(found[2]["status"], "new");
    let first = |kind: &str| events.iter().position(|e| e["type"] == kind).expect("one");
    assert!(
        first("finding") < first("usage"),
        "the rules wait for nobody"
    );
    let end = events.last().expect("an end");
    assert_eq!(end["type"], "completed", "{end}");
    let (summary, layer) = (&end["summary"], &end["summary"]["model"]);
    assert_eq!(summary["reviewer"], "mock/gpt-test");
    assert_eq!(summary["findings"], 3);
    // It is asked at a loopback address: that is not another machine.
    assert_eq!(summary["bytes_sent"], 0, "{end}");
    assert_eq!(layer["complete"], true, "{end}");
    assert_eq!(
        (&layer["chunks"], &layer["chunks_done"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(layer["proposed"], 1);
    let usages = of_type(&events, "usage");
    let cost: i64 = usages
        .iter()
        .map(|u| u["amount_nano_usd"].as_i64().expect("money"))
        .sum();
    assert_eq!(layer["amount_nano_usd"], cost);
    assert!(cost > 0);
    let billed = desk.provider.billed();
    assert_eq!(layer["input_tokens"], billed.input_tokens);
    assert_eq!(layer["output_tokens"], billed.output_tokens);
    assert_eq!(usages.len(), desk.provider.calls().len());
}

#[test]
fn invented_anchors_never_show_and_what_is_contradicted_falls() {
    let invented = vec![
        claim("shop/cart.py", 3, "rm -rf /", "Quotes what is not there"),
        claim(
            "shop/other.py",
            3,
            "average = sum(items) / count",
            "Names another file",
        ),
        claim(
            "shop/cart.py",
            1,
            "def total(items):",
            "Is not about the change",
        ),
        fault(),
    ];
    let desk = Desk::new(model(invented.clone(), true));
    let (ran, document) = desk.json(&[], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        titles(&document["findings"]),
        ["Division by zero for an empty cart"]
    );
    let layer = &document["summary"]["model"];
    assert_eq!(
        (&layer["proposed"], &layer["unanchored"]),
        (&json!(4), &json!(3)),
        "{layer}"
    );

    let desk = Desk::new(model(invented, false));
    let (ran, document) = desk.json(&[], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(titles(&document["findings"]).is_empty());
    let layer = &document["summary"]["model"];
    assert_eq!(
        (&layer["rejected"], &layer["complete"]),
        (&json!(1), &json!(true)),
        "{layer}"
    );
}

#[test]
fn what_a_model_found_persists_is_silenced_and_resolves_only_where_a_model_looked() {
    let desk = Desk::new(model(vec![fault()], true));
    let (_, first) = desk.json(&[], CART);
    assert_eq!(first["findings"][0]["status"], "new");
    let (_, again) = desk.json(&[], CART);
    assert_eq!(again["findings"][0]["status"], "persisting", "{again}");
    // Nobody who did not look says that it is gone.
    let (ran, blind) = desk.json(&["--no-model"], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(blind["summary"]["resolved"], 0, "{blind}");
    assert_eq!(blind["summary"]["reviewer"], "rules only");
    assert!(blind["summary"]["model"].is_null());
    let (_, back) = desk.json(&[], CART);
    assert_eq!(titles(&back["findings"]).len(), 1);
    let allowed = desk.cv(&["allow", "1", "never empty here"], "");
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
    let (_, silenced) = desk.json(&[], CART);
    assert!(titles(&silenced["findings"]).is_empty(), "{silenced}");
}

#[test]
fn a_finding_that_a_later_look_misses_is_resolved() {
    let desk = Desk::new(model(vec![fault()], true));
    let (_, first) = desk.json(&[], CART);
    assert_eq!(titles(&first["findings"]).len(), 1);
    let fixed = CART.replace("sum(items) / count", "sum(items) / max(count, 1)");
    let (_, then) = desk.json(&[], &fixed);
    assert_eq!(then["summary"]["resolved"], 1, "{then}");
}

#[test]
fn every_format_has_a_place_for_them() {
    let desk = Desk::new(model(vec![fault()], true));
    let title = "Division by zero for an empty cart";
    for format in [
        "text", "md", "json", "ndjson", "sarif", "rdjson", "rdjsonl", "github", "vim",
    ] {
        let ran = desk.cv(&["review", "--format", format], CART);
        assert_eq!(ran.code, Some(0), "{format}: {ran:?}");
        assert!(ran.out.contains(title), "{format}: {ran:?}");
    }
    let replayed = desk.cv(&["review", "--replay"], "");
    assert!(replayed.out.contains(title), "{replayed:?}");
    let sarif: Value =
        serde_json::from_str(&desk.cv(&["review", "--format", "sarif"], CART).out).expect("JSON");
    assert_eq!(
        sarif["runs"][0]["tool"]["driver"]["rules"][0]["id"],
        "model"
    );
}

#[test]
fn a_suggestion_of_the_models_is_applied_like_any_other() {
    let mut fault = fault();
    fault["suggestion"] = json!({
        "line_start": 3, "line_end": 3,
        "original": "    average = sum(items) / count",
        "replacement": "    average = sum(items) / max(count, 1)",
    });
    let desk = Desk::new(model(vec![fault], true));
    let file = desk.folder.join("shop/cart.py");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    let text = "def total(items):\n    count = len(items)\n    average = sum(items) / count\n    return average * count\n";
    std::fs::write(&file, text).expect("a file");
    let (_, document) = desk.json(&[], CART);
    assert!(
        !document["findings"][0]["suggestion"].is_null(),
        "{document}"
    );
    let ran = desk.home.cv(&desk.folder, &["fix", "1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let fixed = std::fs::read_to_string(&file).expect("a file");
    assert!(fixed.contains("max(count, 1)"), "{fixed}");
}

#[test]
fn a_dry_run_says_what_it_would_send_and_sends_nothing() {
    let desk = Desk::new(model(vec![], true));
    let secret = "+token = \"ghp_16C7e42F292c6912E7710c838347Ae178B4a\"\n";
    let diff = format!(
        "{CART}{}",
        CART.replace("cart", "till")
            .replace("+    return average * count\n", secret)
    );
    let ran = desk.cv(&["review", "--dry-run", "--format", "json"], &diff);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let preview: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(preview["model"], "mock/gpt-test");
    assert_eq!(preview["destination"], desk.provider.url());
    assert!(preview["calls"].as_u64().expect("calls") >= 2, "{preview}");
    for number in [
        "bytes",
        "input_tokens_max",
        "output_tokens_max",
        "cost_max_nano_usd",
    ] {
        assert!(
            preview[number].as_u64().is_some_and(|n| n > 0),
            "{number}: {preview}"
        );
    }
    assert_eq!(preview["redactions"], 1, "{preview}");
    assert_eq!(desk.provider.connections(), 0);
}
