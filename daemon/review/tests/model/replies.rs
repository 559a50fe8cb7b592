//! Answers as models write them.

use convergio_review::{
    Severity,
    model::{findings_schema, parse_reply, parse_verdicts, verdicts_schema},
};
use proptest::prelude::*;
use serde_json::Value;

use super::{claim, reply};

fn two() -> String {
    reply(&[
        claim("a.rs", 3, "let x = 1;", "First"),
        claim("b.rs", 7, "let y = 2;", "Second"),
    ])
}

fn titles(text: &str) -> Vec<String> {
    let reply = parse_reply(text);
    assert!(reply.understood, "{text}");
    reply.findings.into_iter().map(|f| f.title).collect()
}

#[test]
fn wrappings_are_seen_through() {
    let two = two();
    let list = &two[two.find('[').unwrap()..=two.rfind(']').unwrap()];
    let mut pretty: Value = serde_json::from_str(&two).unwrap();
    let pretty_text = serde_json::to_string_pretty(&pretty).unwrap();
    for text in [
        two.clone(),
        pretty_text,
        format!("```json\n{two}\n```"),
        format!("```\n{list}\n```"),
        list.to_owned(),
        format!("Here is what I found [see below]:\n\n{two}\n\nHope {{this}} helps."),
        format!("<think>{{\"findings\":[]}} no, wait</think>{two}"),
        format!("\u{feff}  {two}"),
        two.replace('}', ",}").replace(']', ",]"),
    ] {
        assert_eq!(titles(&text), ["First", "Second"], "{text}");
        assert!(!parse_reply(&text).truncated, "{text}");
    }
    let one = pretty["findings"][0].take().to_string();
    assert_eq!(titles(&format!("The fault: {one}")), ["First"]);
}

#[test]
fn raw_line_ends_in_strings_are_read() {
    let text = "{\"findings\":[{\"path\":\"a\",\"line\":\"4\",\"quote\":\"one\n\ttwo\",\"title\":\"T\",\
                \"severity\":\"HIGH\",\"confidence\":85}]}";
    let reply = parse_reply(text);
    assert_eq!(reply.findings[0].quote, "one\n\ttwo");
    assert_eq!(
        (reply.findings[0].line_start, reply.findings[0].line_end),
        (4, 4)
    );
    assert_eq!(reply.findings[0].severity, Severity::Major);
    assert!((reply.findings[0].confidence - 0.85).abs() < 1e-6);
}

#[test]
fn of_an_answer_that_breaks_off_what_is_complete_is_kept() {
    let two = two();
    let second = two
        .rfind("{\"body\"")
        .or_else(|| two[20..].find("{\"path\"").map(|at| at + 20));
    let second = second.unwrap();
    for end in 0..two.len() {
        let reply = parse_reply(&two[..end]);
        let expected = match end {
            // The list has begun behind `{"findings":[`.
            0..13 => {
                assert!(!reply.understood, "{end}");
                0
            }
            end if end < second => usize::from(end + 1 >= second),
            end if end + 2 < two.len() => 1,
            _ => 2,
        };
        assert_eq!(reply.findings.len(), expected, "{}", &two[..end]);
        if reply.understood && end + 1 < two.len() {
            assert!(reply.truncated, "{}", &two[..end]);
        }
    }
}

#[test]
fn nothing_found_is_not_the_same_as_nothing_understood() {
    for text in [
        "{\"findings\":[]}",
        "[]",
        "```json\n[]\n```",
        "{\"findings\": [ ] }",
    ] {
        let reply = parse_reply(text);
        assert!(
            reply.understood && reply.findings.is_empty() && !reply.truncated,
            "{text}"
        );
    }
    for text in [
        "",
        "LGTM!",
        "I can't help with that.",
        "{}",
        "{'findings': []}",
        "an array[] in prose",
        "{\"error\":\"overloaded\"}",
        "[1,2,3]",
    ] {
        let reply = parse_reply(text);
        assert!(!reply.understood, "{text}");
        assert!(!reply.problems.is_empty(), "{text}");
    }
}

#[test]
fn incomplete_findings_are_counted_not_invented() {
    let reply = parse_reply(
        "{\"findings\":[{\"title\":\"x\"},{\"path\":\"a\",\"title\":\"x\",\"quote\":\"q\"},{}]}",
    );
    assert!(reply.understood && reply.findings.is_empty());
    assert_eq!(reply.problems.len(), 3);
}

#[test]
fn answers_are_bounded() {
    let many: Vec<String> = (0..500)
        .map(|_| "{\"path\":\"a\",\"line\":1,\"quote\":\"q\",\"title\":\"t\"}".to_owned())
        .collect();
    let reply = parse_reply(&format!("{{\"findings\":[{}]}}", many.join(",")));
    assert_eq!(reply.findings.len(), 200);
    assert!(reply.truncated);
    let long = format!(
        "{{\"findings\":[{{\"path\":\"a\",\"line\":1,\"quote\":\"q\",\"title\":\"{}\"}}]}}",
        "t".repeat(100_000)
    );
    assert!(parse_reply(&long).findings[0].title.len() <= 16 * 1024);
    let deep = format!("{{\"findings\":[{}", "{\"a\":[".repeat(100_000));
    assert!(parse_reply(&deep).findings.is_empty());
    let huge = format!("{{\"findings\":[]}}{}", " ".repeat(2 << 20));
    assert!(parse_reply(&huge).truncated);
}

#[test]
fn verdicts_are_read_the_same_way() {
    let verdicts = parse_verdicts(
        "Sure:\n```json\n{\"verdicts\":[{\"n\":1,\"reason\":\"r\",\"stands\":true},\
         {\"n\":\"2\",\"stands\":\"no\",\"reason\":\"\"},{\"n\":3},]}\n```",
    );
    assert!(verdicts.understood && !verdicts.truncated);
    assert_eq!(verdicts.verdicts.len(), 2);
    assert!(verdicts.verdicts[0].stands && !verdicts.verdicts[1].stands);
    assert_eq!(verdicts.problems.len(), 1);
    assert!(!parse_verdicts("all fine").understood);
}

/// Every object closed, every property required: what strict modes ask for.
fn is_strict(schema: &Value) {
    if schema["type"] == "object" {
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        let properties = schema["properties"].as_object().unwrap();
        let required = schema["required"].as_array().unwrap();
        assert_eq!(properties.len(), required.len(), "{schema}");
        for name in required {
            is_strict(&properties[name.as_str().unwrap()]);
        }
    }
    for part in ["items"] {
        if let Some(part) = schema.get(part) {
            is_strict(part);
        }
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        is_strict(choice);
    }
}

#[test]
fn schemas_are_strict() {
    is_strict(&findings_schema());
    is_strict(&verdicts_schema());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,400}") {
        parse_reply(&text);
        parse_verdicts(&text);
    }

    #[test]
    fn no_json_like_text_makes_the_parsers_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\"findings\"", "\"verdicts\"", "\"path\":\"a\"",
            "\"line\":1", "\"n\":1", "\"stands\":true", "\"title\":\"t\"", "\"quote\":\"q\"", "null", "1e999",
            "-1", "\n", "```json", "é", "\\u12", " ", "\"suggestion\":{\"line_start\":1}",
        ]), 0..80),
    ) {
        let text = pieces.concat();
        let reply = parse_reply(&text);
        prop_assert!(reply.findings.len() <= 200 && reply.problems.len() <= 16);
        prop_assert!(reply.findings.iter().all(|f| (0.0..=1.0).contains(&f.confidence)));
        prop_assert!(reply.findings.iter().all(|f| f.line_start <= f.line_end));
        parse_verdicts(&text);
    }

    #[test]
    fn whatever_cuts_and_replaces_a_reply_is_survived(at in 0_usize..600, by in ".{0,6}") {
        let two = two();
        let at = at.min(two.len());
        let text = format!("{}{by}{}", &two[..at], &two[at..]);
        prop_assert!(parse_reply(&text).findings.len() <= 4);
    }
}
