//! Lists of models, as OpenAI and as Anthropic write them.

use serde_json::{Value, json};

/// A model that may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What a request names.
    pub id: String,
    /// Its provider's name.
    pub provider: String,
}

/// OpenAI's form.
pub fn openai(models: &[Listed]) -> Value {
    let data: Vec<Value> = models.iter().map(openai_one).collect();
    json!({"object": "list", "data": data})
}

/// One model, in OpenAI's form. Nobody knows when it was made: 0.
pub fn openai_one(model: &Listed) -> Value {
    json!({"id": model.id, "object": "model", "created": 0, "owned_by": model.provider})
}

/// Anthropic's form, in one page.
pub fn anthropic(models: &[Listed]) -> Value {
    let data: Vec<Value> = models.iter().map(anthropic_one).collect();
    let id = |model: Option<&Listed>| model.map(|model| model.id.clone());
    json!({
        "data": data, "has_more": false,
        "first_id": id(models.first()), "last_id": id(models.last()),
    })
}

/// One model, in Anthropic's form. Nobody knows when it was made: 1970.
pub fn anthropic_one(model: &Listed) -> Value {
    json!({
        "type": "model", "id": model.id, "display_name": model.id,
        "created_at": "1970-01-01T00:00:00Z",
    })
}
