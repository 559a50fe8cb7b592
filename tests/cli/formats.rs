//! Every format is what it says it is.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{
    diffs,
    home::{Home, Ran},
    root, skip,
};

/// The schemas of others lie beside the repository, not in it.
fn schema(name: &str) -> Option<Value> {
    let folder: PathBuf = root().parent()?.join("shared/testdata/schemas");
    let Ok(text) = std::fs::read(folder.join(name)) else {
        skip::loudly(
            &format!("validation against {name}"),
            "schemas of others beside the repository",
        );
        return None;
    };
    Some(serde_json::from_slice(&text).expect("a schema is JSON"))
}

fn validate(schema: &Value, document: &Value) {
    let validator = jsonschema::options().build(schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// A diff with several severities, a suggestion, a path with a space and one that is left out.
fn diff() -> String {
    format!(
        "{}diff --git \"a/src/a b.py\" \"b/src/a b.py\"\n--- \"a/src/a b.py\"\n+++ \"b/src/a b.py\"\n\
         @@ -1 +1,2 @@\n x = 1\n+eval(input())\n\
         diff --git a/Cargo.lock b/Cargo.lock\n--- a/Cargo.lock\n+++ b/Cargo.lock\n@@ -1 +1,2 @@\n a\n+b\n",
        diffs::SMALL
    )
}

fn review(home: &Home, arguments: &[&str]) -> Ran {
    let folder = home.folder("w");
    let mut all = vec!["review"];
    all.extend_from_slice(arguments);
    home.cv_with_input(&folder, &all, diff().as_bytes())
}

fn documents(ran: &Ran) -> Vec<Value> {
    ran.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn json_is_one_document_sorted_by_severity() {
    let home = Home::new();
    let ran = review(&home, &["--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(document["v"], 1);
    assert_eq!(document["complete"], true);
    let findings = document["findings"].as_array().expect("findings");
    assert!(findings.len() >= 3, "{document}");
    let rank = |finding: &Value| {
        let order = ["critical", "major", "minor", "nit"];
        order
            .iter()
            .position(|name| finding["severity"] == *name)
            .expect("a severity")
    };
    assert!(findings.is_sorted_by_key(rank), "{document}");
    assert_eq!(document["summary"]["findings"], findings.len());
    assert_eq!(document["coverage"]["files_total"], 3);
    assert_eq!(document["coverage"]["left_out"][0]["path"], "Cargo.lock");
    assert_eq!(document["summary"]["bytes_sent"], 0);
}

#[test]
fn ndjson_lines_have_a_version_and_end_once() {
    let home = Home::new();
    let ran = review(&home, &["--format", "ndjson"]);
    let lines = documents(&ran);
    assert!(lines.iter().all(|line| line["v"] == 1), "{ran:?}");
    let terminal = |line: &&Value| {
        ["completed", "failed", "cancelled"].contains(&line["type"].as_str().unwrap_or_default())
    };
    assert_eq!(lines.iter().filter(terminal).count(), 1, "{ran:?}");
    assert_eq!(lines.last().expect("lines")["type"], "completed");
    assert!(
        lines
            .iter()
            .filter(|line| line["type"] == "finding")
            .count()
            >= 3
    );

    let folder = home.folder("w");
    let failed = home.cv(&folder, &["review", "--format", "ndjson"]);
    assert_eq!(failed.code, Some(2), "{failed:?}");
    let lines = documents(&failed);
    assert_eq!(lines.len(), 1, "{failed:?}");
    assert_eq!(
        (&lines[0]["v"], &lines[0]["type"]),
        (&json!(1), &json!("failed"))
    );

    let empty = home.cv_with_input(&folder, &["review", "--format", "ndjson"], b"");
    let lines = documents(&empty);
    assert_eq!(
        lines.last().expect("an end")["type"],
        "completed",
        "{empty:?}"
    );
}

#[test]
fn sarif_is_valid() {
    let home = Home::new();
    let ran = review(&home, &["--format", "sarif"]);
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    let results = document["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() >= 3, "{document}");
    let Some(schema) = schema("sarif-schema-2.1.0.json") else {
        return;
    };
    validate(&schema, &document);
    let empty = home.cv_with_input(&home.folder("w"), &["review", "--format", "sarif"], b"");
    validate(&schema, &serde_json::from_str(&empty.out).expect("JSON"));
}

#[test]
fn rdjson_is_valid_whole_and_in_lines() {
    let home = Home::new();
    let whole = review(&home, &["--format", "rdjson"]);
    let document: Value = serde_json::from_str(&whole.out).expect("JSON");
    let lines = documents(&review(&home, &["--format", "rdjsonl"]));
    assert_eq!(
        document["diagnostics"].as_array().map(Vec::len),
        Some(lines.len())
    );
    assert!(lines.len() >= 3);
    let (Some(of_whole), Some(of_line)) = (
        schema("rdf/DiagnosticResult.json"),
        schema("rdf/Diagnostic.json"),
    ) else {
        return;
    };
    validate(&of_whole, &document);
    for line in &lines {
        validate(&of_line, line);
    }
}

#[test]
fn the_wire_is_described_as_openrpc_has_it() {
    let Some(mut schema) = schema("openrpc-meta-schema.json") else {
        return;
    };
    // Its JSON Schemas are of draft 7, whose meta-schema is at hand under another name.
    fn at_hand(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get_mut("$ref")
                    && target.starts_with("https://meta.json-schema.tools")
                {
                    *target = "http://json-schema.org/draft-07/schema#".to_owned();
                }
                map.values_mut().for_each(at_hand);
            }
            Value::Array(items) => items.iter_mut().for_each(at_hand),
            _ => {}
        }
    }
    at_hand(&mut schema);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    let text = std::fs::read(root().join("docs/openrpc.json")).expect("the document");
    let committed: Value = serde_json::from_slice(&text).expect("JSON");
    validate(&schema, &committed);

    let home = Home::new();
    let _daemon = crate::harness::daemon::Daemon::start(&home);
    let told = crate::harness::wire::Wire::open(&home).result("rpc.discover", json!({}));
    assert_eq!(told, committed, "rpc.discover is another document");
}

#[test]
fn annotations_and_error_lists_have_their_shape() {
    let home = Home::new();
    let github = review(&home, &["--format", "github"]);
    let annotations: Vec<&str> = github
        .out
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    assert!(annotations.len() >= 3, "{github:?}");
    for line in &annotations {
        let rest = line
            .strip_prefix("::error ")
            .or_else(|| line.strip_prefix("::warning "))
            .or_else(|| line.strip_prefix("::notice "));
        let rest = rest.unwrap_or_else(|| panic!("{line}"));
        assert!(
            rest.contains("file=") && rest.contains(",line=") && rest.contains("::"),
            "{line}"
        );
    }
    let vim = review(&home, &["--format", "vim"]);
    assert!(vim.out.lines().count() >= 3);
    for line in vim.out.lines() {
        let mut parts = line.splitn(4, ':');
        let path = parts.next().expect("a path");
        assert!(path.ends_with(".py"), "{line}");
        for _ in 0..2 {
            let number = parts.next().unwrap_or_default();
            assert!(number.parse::<u32>().is_ok(), "{line}");
        }
    }
    let md = review(&home, &["--format", "md"]);
    assert!(
        md.out.contains("pay/client.py") && md.out.contains("TLS verification"),
        "{md:?}"
    );
}

#[test]
fn fail_on_decides_the_exit_code() {
    let home = Home::new();
    for (severity, code) in [("critical", 1), ("major", 1), ("nit", 1)] {
        assert_eq!(review(&home, &["--fail-on", severity]).code, Some(code));
    }
    let folder = home.folder("w");
    let major = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,6 @@\n import os\n+try:\n+    os.remove(\"a\")\n+except Exception:\n+    pass\n x = 1\n";
    for (severity, code) in [("critical", 0), ("major", 1)] {
        let ran = home.cv_with_input(
            &folder,
            &["review", "--fail-on", severity],
            major.as_bytes(),
        );
        assert!(ran.out.contains("major"), "{ran:?}");
        assert_eq!(ran.code, Some(code), "{ran:?}");
    }
    assert_eq!(
        home.cv(&folder, &["config", "set", "review.fail_on", "major"])
            .code,
        Some(0)
    );
    let ran = home.cv_with_input(&folder, &["review"], major.as_bytes());
    assert_eq!(ran.code, Some(1), "the setting counts: {ran:?}");
    let ran = home.cv_with_input(
        &folder,
        &["review", "--fail-on", "critical"],
        major.as_bytes(),
    );
    assert_eq!(ran.code, Some(0), "the option beats the setting: {ran:?}");
}

#[test]
fn replay_prints_the_last_result_again() {
    let home = Home::new();
    let folder = home.folder("w");
    let nothing = home.cv(&folder, &["review", "--replay"]);
    super::three_lines(&nothing, 2);
    let first = review(&home, &["--format", "json"]);
    let again = review(&home, &["--replay", "--format", "json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let parse = |ran: &Ran| -> Value { serde_json::from_str(&ran.out).expect("JSON") };
    assert_eq!(parse(&first)["findings"], parse(&again)["findings"]);
    assert_eq!(parse(&first)["run_id"], parse(&again)["run_id"]);
    assert_eq!(
        review(&home, &["--replay", "--fail-on", "critical"]).code,
        Some(1)
    );
    let runs = home.cv(&folder, &["runs", "--format", "json"]);
    assert_eq!(
        parse(&runs)["runs"].as_array().map(Vec::len),
        Some(1),
        "{runs:?}"
    );
}
