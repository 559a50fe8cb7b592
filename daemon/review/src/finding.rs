//! What a review says: one [`Finding`] per fault, with its place and its evidence.

use serde::{Deserialize, Serialize};

/// How bad a fault is. Ordered: `Critical` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look; nothing breaks.
    Nit,
    /// A small fault.
    Minor,
    /// A fault that bites in production.
    Major,
    /// Security, data loss or certain failure.
    Critical,
}

/// A complete replacement for whole lines of the new file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// First and last line replaced, 1-based, inclusive, in the new file.
    pub line_range: (u32, u32),
    /// The lines that stand there now, joined by `\n`, without a final one. Applying checks them.
    pub original: String,
    /// At most ten lines joined by `\n`, without a final one. `None` removes the lines.
    pub replacement: Option<String>,
}

/// One fault that the change introduces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's id, kebab-case.
    pub rule: String,
    /// Names the fault, at most 80 characters.
    pub title: String,
    /// One paragraph: why it is a fault and what to do.
    pub body: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure the rule is, 0 to 1.
    pub confidence: f32,
    /// Path in the new tree, `/`-separated, as the diff names it (without `a/`, `b/`).
    pub path: String,
    /// First and last line, 1-based, inclusive, in the new file.
    pub line_range: (u32, u32),
    /// Columns of the fault on its first line, 1-based characters, end exclusive,
    /// when it is a part of one line; `None` when whole lines are the fault.
    pub columns: Option<(u32, u32)>,
    /// The quoted lines, at most ten, joined by `\n`; masked where they hold a secret.
    pub evidence: String,
    /// A concrete scenario in which the fault bites.
    pub trigger: String,
    /// A remedy that can be applied mechanically.
    pub suggestion: Option<Suggestion>,
    /// Hex SHA-256 of path, rule, normalized matched text, and the ordinal among equals.
    pub fingerprint: String,
}
