//! The texts inside of JSON: what a reader of it sees, however it was escaped.

use serde_json::Value;

/// What a search of the raw text may miss: behind a backslash a text looks otherwise.
pub(super) fn may_hide(raw: &str) -> bool {
    raw.contains('\\')
}

/// The texts of a value and the keys of its objects, each in a fixed order.
pub(super) fn texts(value: &Value) -> (Vec<String>, Vec<String>) {
    let (mut leaves, mut keys) = (Vec::new(), Vec::new());
    walk(value, &mut leaves, &mut keys);
    (leaves, keys)
}

fn walk(value: &Value, leaves: &mut Vec<String>, keys: &mut Vec<String>) {
    match value {
        Value::String(text) => leaves.push(text.clone()),
        Value::Array(items) => {
            for item in items {
                walk(item, leaves, keys);
            }
        }
        Value::Object(object) => {
            for (key, item) in object {
                keys.push(key.clone());
                walk(item, leaves, keys);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Puts other texts into a value, in the order of [`texts`].
fn put(value: &mut Value, leaves: &mut std::vec::IntoIter<String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = leaves.next() {
                *text = other;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put(item, leaves)),
        Value::Object(object) => object.values_mut().for_each(|item| put(item, leaves)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// JSON without its secrets. `raw` is what masking made of the whole text of `before`, and
/// `masked` what it made of each of its texts, where they were searched. `None` where it would not
/// be the same JSON but for its texts.
pub(super) fn without(before: &Value, raw: &str, masked: Option<&[String]>) -> Option<Value> {
    let mut after: Value = serde_json::from_str(raw).ok()?;
    let ((was, keys), (is, keys_after)) = (texts(before), texts(&after));
    if keys != keys_after || was.len() != is.len() {
        return None;
    }
    let Some(masked) = masked else {
        return Some(after);
    };
    let mut leaves = Vec::with_capacity(is.len());
    for ((was, is), masked) in was.iter().zip(is).zip(masked) {
        let own = masked == was || *masked == is;
        leaves.push(match own {
            true => is,
            false if is == *was => masked.clone(),
            // Both found something, and not the same.
            false => return None,
        });
    }
    put(&mut after, &mut leaves.into_iter());
    Some(after)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_texts_change() {
        let before = json!({"a": "one", "b": ["two", 3]});
        let own = |texts: &[&str]| {
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>()
        };
        let found = |raw: &str, texts: &[&str]| without(&before, raw, Some(&own(texts)));
        let same = before.to_string();
        assert_eq!(found(&same, &["one", "two"]), Some(before.clone()));
        assert_eq!(
            found(&same, &["one", "*"]),
            Some(json!({"a": "one", "b": ["*", 3]}))
        );
        let masked = r#"{"a":"*","b":["two",3]}"#;
        assert_eq!(
            found(masked, &["*", "two"]),
            serde_json::from_str(masked).ok()
        );
        assert_eq!(
            found(masked, &["one", "two"]),
            serde_json::from_str(masked).ok()
        );
        assert_eq!(found(masked, &["o*", "two"]), None);
        assert_eq!(found(r#"{"*":"one","b":["two",3]}"#, &["one", "two"]), None);
        assert_eq!(found(r#"{"a":*"#, &["one", "two"]), None);
    }
}
