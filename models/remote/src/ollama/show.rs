//! What one of Ollama's models is: <https://docs.ollama.com/api/show>.

use convergio_models_api::{Capabilities, Usage};
use serde_json::Value;

use crate::decode::count;

/// Where it is asked, below the base.
pub(crate) const PATH: &[&str] = &["api", "show"];

/// What is known of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelDescription {
    /// Tokens of prompt and answer together, as its file says.
    pub context: Option<u64>,
    /// What it can do; none where an older server does not say.
    pub capabilities: Option<Capabilities>,
    /// It answers questions: models that only embed do not.
    pub answers: bool,
}

/// Reads the server's word; `None` when it is no description.
pub(crate) fn description(said: &Value) -> Option<ModelDescription> {
    let info = said["model_info"].as_object();
    if info.is_none() && said.get("details").is_none() {
        return None;
    }
    let architecture = said["model_info"]["general.architecture"].as_str();
    let mut ignored = Usage::default();
    let context = architecture
        .and_then(|name| info?.get(&format!("{name}.context_length")))
        .and_then(|length| count(Some(length), &mut ignored));
    let words = said["capabilities"].as_array();
    let has = |word: &str| words.is_some_and(|all| all.iter().any(|one| one == word));
    Some(ModelDescription {
        context,
        capabilities: words.map(|_| Capabilities {
            tools: has("tools"),
            vision: has("vision"),
            reasoning: has("thinking"),
            // It keeps the last prompt by itself, and charges nothing.
            cache: true,
            // The server holds any model to a schema.
            json: true,
        }),
        answers: words.is_none() || has("completion"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_says_of_a_model_is_read() {
        let said = json!({
            "details": {"family": "qwen3"},
            "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40_960},
            "capabilities": ["completion", "tools", "thinking"]
        });
        let read = description(&said).unwrap();
        assert_eq!(read.context, Some(40_960));
        let capabilities = read.capabilities.unwrap();
        assert!(capabilities.tools && capabilities.reasoning && !capabilities.vision);
        assert!(read.answers);
        let embeds = json!({"model_info": {}, "capabilities": ["embedding"]});
        assert!(!description(&embeds).unwrap().answers);
        let old = json!({"details": {}, "model_info": {"general.architecture": "llama"}});
        let old = description(&old).unwrap();
        assert_eq!((old.context, old.capabilities), (None, None));
        assert!(old.answers);
        assert_eq!(description(&json!({"error": "x"})), None);
    }
}
