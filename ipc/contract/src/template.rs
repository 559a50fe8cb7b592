//! Saved prompts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Empty, method};

method!(
    /// Saves a template, or replaces the one of that name.
    TemplateSave, "template.save", Template => TemplateSaveResponse, 10_000
);
method!(
    /// The templates, by name.
    TemplateList, "template.list", Empty => TemplateListResponse, 10_000
);
method!(
    /// Removes a template.
    TemplateRemove, "template.remove", TemplateRemoveParams => TemplateRemoveResponse, 10_000
);

/// A saved prompt. `{{name}}` stands for a variable, `{{input}}` for what is asked with it; without
/// `{{input}}` that follows behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Template {
    /// Letters, digits, `-`, `_` and `.`, 64 at most.
    pub name: String,
    /// The prompt.
    pub prompt: String,
    /// Standing instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The model it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateSaveResponse {
    /// The one it replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Template>,
}

/// The templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateListResponse {
    /// By name, 500 at most.
    pub templates: Vec<Template>,
}

/// Which template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateRemoveParams {
    /// Its name.
    pub name: String,
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateRemoveResponse {
    /// None if there was none of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Template>,
}
