//! An answer that must be JSON of a given shape.

use std::path::Path;

use serde_json::Value;

use super::code::unfenced;
use crate::{
    error::{Failure, Kind},
    hint::Hint,
};

/// A schema beyond this is a mistake.
const SCHEMA_MAX_BYTES: u64 = 256 * 1024;

/// A JSON Schema that answers are held against.
pub struct Schema {
    /// As it was read.
    pub value: Value,
    validator: jsonschema::Validator,
}

impl Schema {
    /// Reads it, and sees that it is one. It may refer to itself only: nothing is fetched.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let refused = |why: String| {
            Failure::new(
                Kind::Usage,
                format!("{} is no JSON Schema", path.display()),
                why,
                Hint::ASK_HELP,
            )
        };
        let text = super::input::text_file(path, SCHEMA_MAX_BYTES)?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        if !value.is_object() {
            return Err(refused("it is JSON, but no object in braces".to_owned()));
        }
        let validator =
            jsonschema::validator_for(&value).map_err(|error| refused(error.to_string()))?;
        Ok(Self { value, validator })
    }

    /// The answer's JSON, if it is JSON and fits.
    pub fn check(&self, answer: &str) -> Result<Value, String> {
        let value: Value = serde_json::from_str(&unfenced(answer))
            .map_err(|error| format!("it is no JSON: {error}"))?;
        let misfit = self.validator.iter_errors(&value).next().map(|error| {
            let place = error.instance_path().to_string();
            if place.is_empty() {
                error.to_string()
            } else {
                format!("{error} (at {place})")
            }
        });
        misfit.map_or(Ok(value), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_fits_or_is_told_where_it_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.json");
        std::fs::write(
            &path,
            r#"{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}"#,
        )
        .expect("writes");
        let schema = Schema::read(&path).expect("a schema");
        assert_eq!(
            schema.check("```json\n{\"n\": 3}\n```"),
            Ok(serde_json::json!({"n": 3}))
        );
        assert!(schema.check("{\"n\": \"x\"}").unwrap_err().contains("/n"));
        assert!(schema.check("three").unwrap_err().contains("no JSON"));
        std::fs::write(&path, r#"{"type": 3}"#).expect("writes");
        assert_eq!(Schema::read(&path).err().expect("none").kind, Kind::Usage);
    }
}
