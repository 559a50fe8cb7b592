//! How the store is doing, in four words.

/// The store's state, as the last attempts showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes work, and what was written stays.
    Ok,
    /// Reads work; the last write found no space or no permission. A write that works ends this.
    ReadOnly {
        /// For a person.
        why: String,
    },
    /// Everything lives in memory and is gone at the end of the process. Lasts until it.
    Unsaved {
        /// For a person.
        why: String,
    },
    /// The disk returned errors. A write that works ends this.
    Failing {
        /// For a person.
        why: String,
    },
}

impl Health {
    /// Whether all is well.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }

    /// The reason, where there is one.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::ReadOnly { why } | Self::Unsaved { why } | Self::Failing { why } => Some(why),
        }
    }
}
