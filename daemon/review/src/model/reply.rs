//! Reading what a model answered: JSON as asked for, or as models write it: fenced, with prose
//! around, with trailing commas, cut off. What is complete is kept, the rest is said.

use serde_json::{Map, Value};

use crate::finding::Severity;

/// A longer answer is read so far.
const REPLY_MAX_BYTES: usize = 1 << 20;
/// More elements are counted, not read.
const ELEMENTS_MAX: usize = 200;
/// Deeper nesting is no answer to what was asked.
const DEPTH_MAX: u32 = 32;
/// Places at which a list is sought.
const STARTS_MAX: usize = 64;
/// Longer strings are cut; a quote or a remedy that long is no use.
const STRING_MAX_BYTES: usize = 16 * 1024;
const PROBLEMS_MAX: usize = 16;

/// A finding as the model stated it; nothing of it has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct RawFinding {
    /// The file, as the model names it.
    pub path: String,
    /// First line in the new file.
    pub line_start: u32,
    /// Last line in the new file.
    pub line_end: u32,
    /// What it quotes.
    pub quote: String,
    /// How bad; [`Severity::Minor`] where the word is unknown.
    pub severity: Severity,
    /// 0 to 1.
    pub confidence: f32,
    /// Names the fault.
    pub title: String,
    /// Why it is one.
    pub body: String,
    /// When it bites.
    pub trigger: String,
    /// A remedy.
    pub suggestion: Option<RawSuggestion>,
}

/// A remedy as the model stated it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSuggestion {
    /// First line that it replaces.
    pub line_start: u32,
    /// Last line that it replaces.
    pub line_end: u32,
    /// What stands there, as the model says.
    pub original: String,
    /// What should stand there; `None` removes the lines.
    pub replacement: Option<String>,
}

/// An answer of the first pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Findings that were complete.
    pub findings: Vec<RawFinding>,
    /// What could not be read, at most 16.
    pub problems: Vec<String>,
    /// The answer breaks off.
    pub truncated: bool,
    /// A list of findings was found, be it empty. Where it is false nothing is known.
    pub understood: bool,
}

/// What the second pass says of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The finding's number, from 1.
    pub n: u32,
    /// Whether it stands.
    pub stands: bool,
    /// Why.
    pub reason: String,
}

/// An answer of the second pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Verdicts that were complete.
    pub verdicts: Vec<Verdict>,
    /// What could not be read, at most 16.
    pub problems: Vec<String>,
    /// The answer breaks off.
    pub truncated: bool,
    /// A list of verdicts was found, be it empty.
    pub understood: bool,
}

/// Reads an answer of the first pass. Never fails: what was not read is said.
pub fn parse_reply(text: &str) -> Reply {
    let read = elements(text, "findings", is_finding);
    let mut reply = Reply {
        truncated: read.truncated,
        understood: read.understood,
        problems: read.problems,
        ..Reply::default()
    };
    for (index, object) in read.objects.iter().enumerate() {
        match finding(object) {
            Some(finding) => reply.findings.push(finding),
            None => note(
                &mut reply.problems,
                format!("finding {} lacks its path, line, quote or title", index + 1),
            ),
        }
    }
    reply
}

/// Reads an answer of the second pass. Never fails: what was not read is said.
pub fn parse_verdicts(text: &str) -> Verdicts {
    let read = elements(text, "verdicts", |object| {
        object.contains_key("n") && object.contains_key("stands")
    });
    let mut verdicts = Verdicts {
        truncated: read.truncated,
        understood: read.understood,
        problems: read.problems,
        ..Verdicts::default()
    };
    for (index, object) in read.objects.iter().enumerate() {
        match verdict(object) {
            Some(verdict) => verdicts.verdicts.push(verdict),
            None => note(
                &mut verdicts.problems,
                format!("verdict {} lacks its number or its word", index + 1),
            ),
        }
    }
    verdicts
}

fn note(problems: &mut Vec<String>, problem: String) {
    if problems.len() < PROBLEMS_MAX {
        problems.push(problem);
    }
}

fn is_finding(object: &Map<String, Value>) -> bool {
    object.contains_key("title") && (object.contains_key("path") || object.contains_key("quote"))
}

fn finding(object: &Map<String, Value>) -> Option<RawFinding> {
    let line_start = number(object, &["line_start", "line", "start_line"])?;
    let line_end = number(object, &["line_end", "end_line"]).unwrap_or(line_start);
    Some(RawFinding {
        path: string(object, "path").filter(|path| !path.is_empty())?,
        line_start: line_start.min(line_end),
        line_end: line_start.max(line_end),
        quote: string(object, "quote")?,
        severity: severity(object.get("severity")),
        confidence: confidence(object.get("confidence")),
        title: string(object, "title").filter(|title| !title.trim().is_empty())?,
        body: string(object, "body").unwrap_or_default(),
        trigger: string(object, "trigger").unwrap_or_default(),
        suggestion: object
            .get("suggestion")
            .and_then(Value::as_object)
            .and_then(suggestion),
    })
}

fn suggestion(object: &Map<String, Value>) -> Option<RawSuggestion> {
    let line_start = number(object, &["line_start", "line"])?;
    let replacement = match object.get("replacement")? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        _ => return None,
    };
    Some(RawSuggestion {
        line_start,
        line_end: number(object, &["line_end"]).unwrap_or(line_start),
        // Cut, it would not be what stands there; such a remedy falls.
        original: string(object, "original")?,
        replacement: replacement.filter(|text| text.len() <= STRING_MAX_BYTES),
    })
    .filter(|_| {
        object
            .get("replacement")
            .and_then(Value::as_str)
            .is_none_or(|text| text.len() <= STRING_MAX_BYTES)
    })
}

fn verdict(object: &Map<String, Value>) -> Option<Verdict> {
    let stands = match object.get("stands")? {
        Value::Bool(stands) => *stands,
        Value::String(word) => match word.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" => true,
            "false" | "no" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Verdict {
        n: number(object, &["n"])?,
        stands,
        reason: string(object, "reason").unwrap_or_default(),
    })
}

fn string(object: &Map<String, Value>, key: &str) -> Option<String> {
    let text = object.get(key)?.as_str()?;
    Some(text[..text.floor_char_boundary(STRING_MAX_BYTES)].to_owned())
}

/// A line number; models write `"12"` and `12.0` too.
fn number(object: &Map<String, Value>, keys: &[&str]) -> Option<u32> {
    let value = keys.iter().find_map(|key| object.get(*key))?;
    match value {
        Value::Number(number) => match number.as_u64() {
            Some(number) => u32::try_from(number).ok(),
            None => {
                let number = number.as_f64()?;
                let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
                // In range and whole, so nothing is lost.
                whole.then_some(number as u32)
            }
        },
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn severity(value: Option<&Value>) -> Severity {
    let word = value.and_then(Value::as_str).unwrap_or_default();
    match word.trim().to_ascii_lowercase().as_str() {
        "critical" | "blocker" => Severity::Critical,
        "major" | "high" | "error" => Severity::Major,
        "nit" | "info" | "trivial" => Severity::Nit,
        _ => Severity::Minor,
    }
}

/// Clamped to 0 to 1; percentages are understood, silence is doubt.
fn confidence(value: Option<&Value>) -> f32 {
    let number = match value {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().trim_end_matches('%').parse().ok(),
        _ => None,
    };
    let number: f64 = number.filter(|n: &f64| n.is_finite()).unwrap_or(0.5);
    let share = if number > 1.0 { number / 100.0 } else { number };
    share.clamp(0.0, 1.0) as f32
}

#[derive(Default)]
struct Elements {
    objects: Vec<Map<String, Value>>,
    problems: Vec<String>,
    truncated: bool,
    understood: bool,
}

/// The objects of the list `key` in an answer, however it is wrapped.
fn elements(text: &str, key: &str, fits: fn(&Map<String, Value>) -> bool) -> Elements {
    let whole = text;
    let text = &text[..text.floor_char_boundary(REPLY_MAX_BYTES)];
    let mut read = keyed(text, key)
        .or_else(|| bare_list(text, fits))
        .or_else(|| lone_object(text, fits))
        .unwrap_or_else(|| Elements {
            problems: vec![format!("the reply holds no list of {key}")],
            ..Elements::default()
        });
    read.truncated |= whole.len() > text.len();
    read
}

/// The last list that stands behind `"key":`. Models that think aloud write drafts first.
fn keyed(text: &str, key: &str) -> Option<Elements> {
    let name = format!("\"{key}\"");
    let mut found: Option<Elements> = None;
    let mut from = 0;
    for _ in 0..STARTS_MAX {
        let Some(at) = text[from..].find(&name) else {
            break;
        };
        let behind = from + at + name.len();
        from = behind;
        let rest = text[behind..].trim_start();
        let Some(rest) = rest.strip_prefix(':') else {
            continue;
        };
        let Some(rest) = rest.trim_start().strip_prefix('[') else {
            continue;
        };
        let (read, used) = list(rest);
        from = text.len() - rest.len() + used;
        let better = found.as_ref().is_none_or(|earlier| {
            !read.objects.is_empty() || earlier.objects.is_empty() || !read.truncated
        });
        if better {
            found = Some(read);
        }
    }
    found
}

/// A list without its object around it.
fn bare_list(text: &str, fits: fn(&Map<String, Value>) -> bool) -> Option<Elements> {
    for (at, _) in text.match_indices('[').take(STARTS_MAX) {
        let rest = &text[at + 1..];
        let starts = rest.trim_start();
        if let Some(after) = starts.strip_prefix(']') {
            // `[]` is an answer where it is the whole answer; in prose it is a pair of brackets.
            if matches!(unfenced(&text[..at]), "" | "json") && unfenced(after).is_empty() {
                return Some(Elements {
                    understood: true,
                    ..Elements::default()
                });
            }
            continue;
        }
        if !starts.starts_with('{') {
            continue;
        }
        let (read, _) = list(rest);
        if read.objects.iter().any(fits) {
            return Some(read);
        }
    }
    None
}

fn unfenced(text: &str) -> &str {
    text.trim().trim_matches('`').trim()
}

/// One object where a list of one was meant.
fn lone_object(text: &str, fits: fn(&Map<String, Value>) -> bool) -> Option<Elements> {
    for (at, _) in text.match_indices('{').take(STARTS_MAX) {
        let Some(length) = balanced(&text[at..]) else {
            continue;
        };
        if let Some(object) = object(&text[at..at + length])
            && fits(&object)
        {
            return Some(Elements {
                objects: vec![object],
                understood: true,
                ..Elements::default()
            });
        }
    }
    None
}

/// Reads a list behind its `[`: its objects, and how many bytes it takes.
fn list(text: &str) -> (Elements, usize) {
    let mut read = Elements {
        understood: true,
        ..Elements::default()
    };
    let mut at = 0;
    let mut count = 0;
    loop {
        let rest = text[at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        at = text.len() - rest.len();
        match rest.as_bytes().first() {
            Some(b']') => return (read, at + 1),
            Some(b'{') => {
                let Some(length) = balanced(rest) else {
                    read.truncated = true;
                    return (read, text.len());
                };
                count += 1;
                if count > ELEMENTS_MAX {
                    note(
                        &mut read.problems,
                        format!("more than {ELEMENTS_MAX} elements"),
                    );
                    read.truncated = true;
                    return (read, at + length);
                }
                match object(&rest[..length]) {
                    Some(object) => read.objects.push(object),
                    None => note(
                        &mut read.problems,
                        format!("element {count} is no JSON object"),
                    ),
                }
                at += length;
            }
            Some(_) => {
                note(
                    &mut read.problems,
                    format!("something else than an object stands behind element {count}"),
                );
                read.truncated = true;
                return (read, at);
            }
            None => {
                read.truncated = true;
                return (read, at);
            }
        }
    }
}

/// Length of the object or list at the start of `text`; `None` where it doesn't end.
fn balanced(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return None;
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn object(text: &str) -> Option<Map<String, Value>> {
    let value = serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&mended(text)))
        .ok()?;
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Without trailing commas, and with line ends in strings written as JSON has them.
fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                '\n' => {
                    out.push_str("\\n");
                    continue;
                }
                '\r' => continue,
                '\t' => {
                    out.push_str("\\t");
                    continue;
                }
                _ => {}
            }
            out.push(c);
            continue;
        }
        let closes = c == ',' && text[at + 1..].trim_start().starts_with(['}', ']']);
        if closes {
            continue;
        }
        in_string = c == '"';
        out.push(c);
    }
    out
}
