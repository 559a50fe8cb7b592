//! Golden texts and the promises that every format keeps.

use clap::ValueEnum;
use convergio_contract::{
    ErrorCode, RpcError,
    finding::{Finding, Severity},
};
use serde_json::Value;

use super::{Detail, Report, ReviewFormat, renderer, samples, text};
use crate::{
    error::Failure,
    output::{
        escape,
        layout::{Layout, columns},
    },
};

fn at(width: usize) -> Layout {
    Layout {
        width: Some(width),
        color: false,
    }
}

fn shown(width: usize) -> String {
    let golden = samples::golden();
    let mut all = samples::rendered(ReviewFormat::Text, Detail::default(), at(width), &golden);
    all.push_str(&at(width).pieces(&text::hints(&samples::report()), 0));
    all
}

#[test]
fn the_golden_session_at_80_columns() {
    assert_eq!(
        shown(80),
        "\
pay/client.py:5  critical  TLS verification turned off
  5 │ return session.post(URL, json=order, verify=False)
    │                                      ^^^^^^^^^^^^
pay/client.py:6  major  Every error is swallowed
2 findings · 3/3 files · 14 ms · rules only · 0 bytes left this machine
Fix: cv fix 1 · Silence: cv allow 2 \"why\" · More: cv review --help
"
    );
}

#[test]
fn the_golden_session_at_40_columns() {
    assert_eq!(
        shown(40),
        "\
pay/client.py:5  critical
  TLS verification turned off
  5 │ …(URL, json=order, verify=False)
    │                    ^^^^^^^^^^^^
pay/client.py:6  major
  Every error is swallowed
2 findings · 3/3 files · 14 ms
rules only · 0 bytes left this machine
Fix: cv fix 1
Silence: cv allow 2 \"why\"
More: cv review --help
"
    );
}

#[test]
fn the_golden_session_at_20_columns() {
    assert_eq!(
        shown(20),
        "\
pay/client.py:5
  critical
  TLS verification
  turned off
  5 │ …verify=False)
    │  ^^^^^^^^^^^^
pay/client.py:6
  major
  Every error is
  swallowed
2 findings
3/3 files · 14 ms
rules only
0 bytes left this
machine
Fix: cv fix 1
Silence: cv allow 2
\"why\"
More: cv review
--help
"
    );
}

#[test]
fn colour_adds_escapes_and_changes_no_letter() {
    let color = Layout {
        width: Some(80),
        color: true,
    };
    let golden = samples::golden();
    let colored = samples::rendered(ReviewFormat::Text, Detail::default(), color, &golden);
    assert!(colored.contains("\u{1b}["));
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        let end = rest[start..].find('m').expect("an escape ends") + start + 1;
        rest = &rest[end..];
    }
    plain.push_str(rest);
    assert_eq!(
        plain,
        samples::rendered(ReviewFormat::Text, Detail::default(), at(80), &golden)
    );
}

#[test]
fn no_width_panics_or_overflows_where_words_fit() {
    for events in [samples::golden(), samples::full()] {
        for width in 1..130 {
            for verbose in [false, true] {
                let detail = Detail {
                    verbose,
                    ..Detail::default()
                };
                let text = samples::rendered(ReviewFormat::Text, detail, at(width), &events);
                if width >= 60 {
                    for line in text.lines() {
                        assert!(columns(line) <= width, "{width}: {line}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_left_out_silenced_resolved_and_unsaved_is_said() {
    let text = samples::rendered(
        ReviewFormat::Text,
        Detail::default(),
        at(100),
        &samples::full(),
    );
    for said in [
        "3 of 5 files; 1 left out: lock file; 1 part not reviewed",
        "not reviewed: big.py: longer than the limit",
        "silenced by this change: 1",
        "2 more of kinds listed above",
        "1 resolved, 1 remains, 1 new",
        "· not saved",
    ] {
        assert!(text.contains(said), "{said:?} is missing in:\n{text}");
    }
}

#[test]
fn after_ten_findings_nit_and_minor_wait_and_are_counted() {
    let many: Vec<Finding> = (1..=14)
        .map(|n| Finding {
            n,
            severity: if n == 13 {
                Severity::Major
            } else {
                Severity::Minor
            },
            title: format!("Fault {n}"),
            ..samples::swallowed()
        })
        .collect();
    let events = samples::events(&many, samples::coverage(), samples::summary(&many));
    let text = samples::rendered(ReviewFormat::Text, Detail::default(), at(100), &events);
    assert!(text.contains("Fault 10\n") && text.contains("Fault 13\n"));
    assert!(!text.contains("Fault 11\n") && !text.contains("Fault 14\n"));
    assert!(text.contains("3 minor and nit held back"), "{text}");
    let all = Detail {
        max_findings: 0,
        ..Detail::default()
    };
    let text = samples::rendered(ReviewFormat::Text, all, at(100), &events);
    assert!(text.contains("Fault 14\n") && !text.contains("held back"));
}

#[test]
fn no_format_lets_text_of_others_drive_the_terminal() {
    for &format in ReviewFormat::value_variants() {
        for verbose in [false, true] {
            let detail = Detail {
                verbose,
                ..Detail::default()
            };
            let text = samples::rendered(format, detail, at(80), &samples::full());
            let bad = text.chars().find(|&c| c != '\n' && escape::is_unsafe(c));
            assert_eq!(bad, None, "{format:?}: {text}");
        }
    }
}

#[test]
fn a_hostile_path_cannot_start_a_workflow_command() {
    let text = samples::rendered(
        ReviewFormat::Github,
        Detail::default(),
        at(80),
        &samples::full(),
    );
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(commands.len(), 3, "{text}");
    let first = commands[0];
    assert!(first.starts_with("::notice file=a b/"), "{first}");
    let properties = first.trim_start_matches("::notice ").split("::").next();
    assert_eq!(
        properties.expect("properties").matches(',').count(),
        5,
        "{first}"
    );
    assert!(first.contains("one%0A::error::two"), "{first}");
}

#[test]
fn one_line_a_finding_for_an_editor() {
    let golden = samples::golden();
    let text = samples::rendered(ReviewFormat::Vim, Detail::default(), at(80), &golden);
    assert_eq!(
        text,
        "pay/client.py:5:46: critical: TLS verification turned off [tls-verify-off]\n\
         pay/client.py:6:1: major: Every error is swallowed [swallowed-error]\n"
    );
}

fn json(format: ReviewFormat, events: &[convergio_contract::RunEvent]) -> Value {
    let text = samples::rendered(format, Detail::default(), at(80), events);
    serde_json::from_str(&text).expect("one document")
}

#[test]
fn json_is_sorted_by_severity_and_says_whether_it_is_complete() {
    let document = json(ReviewFormat::Json, &samples::golden());
    assert_eq!(document["v"], 1);
    assert_eq!(document["complete"], true);
    assert_eq!(document["findings"][0]["rule"], "tls-verify-off");
    assert_eq!(document["coverage"]["files_reviewed"], 3);
    assert_eq!(document["summary"]["findings"], 2);
    assert_eq!(document["findings"][0]["confidence"], 0.95);

    let document = json(ReviewFormat::Json, &samples::full());
    assert_eq!(document["complete"], false);
    assert_eq!(document["findings"][0]["severity"], "critical");
    assert_eq!(document["findings"][1]["severity"], "nit");
    assert_eq!(document["findings"][1]["path"], samples::hostile().path);
    assert_eq!(document["resolved"][0]["rule"], "swallowed-error");
}

#[test]
fn a_failure_is_one_terminal_event_and_an_incomplete_document() {
    let failure = Failure::from(RpcError::new(ErrorCode::StorageError, "Disk full"));
    for (format, started) in [
        (ReviewFormat::Ndjson, true),
        (ReviewFormat::Ndjson, false),
        (ReviewFormat::Json, true),
    ] {
        let shared = samples::Shared::default();
        let mut answer = shared.answer(at(80));
        let mut renderer = renderer(format, Detail::default());
        let mut report = Report::default();
        if started {
            let event = &samples::golden()[1];
            report.take(event);
            renderer.event(event, &mut answer).expect("writes");
        }
        renderer
            .failed(&report, &failure, &mut answer)
            .expect("writes");
        renderer
            .failed(&report, &failure, &mut answer)
            .expect("writes");
        let text = shared.text();
        if format == ReviewFormat::Ndjson {
            let terminal: Vec<Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .inspect(|line: &Value| assert_eq!(line["v"], 1))
                .filter(|line| line["type"] == "failed")
                .collect();
            assert_eq!(terminal.len(), 1, "{text}");
            assert_eq!(terminal[0]["error"]["slug"], "storage_error");
        } else {
            let document: Value =
                serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
            assert_eq!(document["complete"], false);
            assert_eq!(document["findings"][0]["n"], 1);
            assert_eq!(document["error"]["exit_code"], 70);
        }
    }
}

#[test]
fn every_line_of_ndjson_is_versioned_and_the_last_is_terminal() {
    let text = samples::rendered(
        ReviewFormat::Ndjson,
        Detail::default(),
        at(80),
        &samples::full(),
    );
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(lines.iter().all(|line| line["v"] == 1));
    let terminal = |line: &Value| {
        ["completed", "failed", "cancelled"].contains(&line["type"].as_str().unwrap_or(""))
    };
    assert_eq!(lines.iter().filter(|line| terminal(line)).count(), 1);
    assert!(terminal(lines.last().expect("lines")));
}

#[test]
fn sarif_keeps_its_own_invariants() {
    let log = json(ReviewFormat::Sarif, &samples::full());
    let run = &log["runs"][0];
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in run["results"].as_array().expect("results") {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .expect("a path");
        assert!(
            uri.is_ascii() && !uri.starts_with('/') && !uri.contains(' '),
            "{uri}"
        );
        assert!(result["partialFingerprints"]["convergio/v1"].is_string());
    }
    assert_eq!(run["results"][0]["level"], "error");
    assert_eq!(run["results"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_ephemeral_review_names_no_numbers_that_belong_to_another() {
    for &format in ReviewFormat::value_variants() {
        let detail = Detail {
            verbose: true,
            ephemeral: true,
            ..Detail::default()
        };
        let text = samples::rendered(format, detail, at(80), &samples::full());
        assert!(
            !text.contains("cv fix") && !text.contains("cv allow"),
            "{format:?}: {text}"
        );
    }
}
