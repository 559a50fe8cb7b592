//! What models can do.

use serde::{Deserialize, Serialize};

/// What a model can do beside text, or what a request needs of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capabilities {
    /// It calls tools.
    pub tools: bool,
    /// It sees pictures.
    pub vision: bool,
    /// It reasons before it answers, and may be told how much.
    pub reasoning: bool,
    /// Its provider keeps prompts.
    pub cache: bool,
    /// It can be held to JSON of a given shape.
    pub json: bool,
}

impl Capabilities {
    /// The names of what is needed and not here, in a fixed order.
    pub fn missing(self, needed: Self) -> Vec<&'static str> {
        [
            ("tools", self.tools, needed.tools),
            ("vision", self.vision, needed.vision),
            ("reasoning", self.reasoning, needed.reasoning),
            ("cache", self.cache, needed.cache),
            ("json", self.json, needed.json),
        ]
        .into_iter()
        .filter(|(_, has, needs)| *needs && !has)
        .map(|(name, ..)| name)
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let all = Capabilities {
            tools: true,
            vision: true,
            reasoning: true,
            cache: true,
            json: true,
        };
        let none = Capabilities::default();
        assert_eq!(none.missing(all).len(), 5);
        assert!(all.missing(all).is_empty());
        let tools = Capabilities {
            tools: true,
            ..none
        };
        assert_eq!(tools.missing(all), ["vision", "reasoning", "cache", "json"]);
    }
}
