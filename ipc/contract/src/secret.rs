//! Text that nobody may print.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A key on its way to the daemon. Travels in requests only, never in a response or an event, is
/// never stored with them, and prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever must use it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Gives the text away.
    pub fn into_exposed(self) -> String {
        self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The variables with which providers' keys are commonly exported: a client sends those that are
/// set along with what needs them. The same names as the built-in catalogue's; a test compares.
pub const KEY_VARIABLES: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "OPENROUTER_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = SecretText::new("sk-canary");
        assert!(!format!("{secret:?}").contains("canary"));
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"sk-canary\"");
    }
}
