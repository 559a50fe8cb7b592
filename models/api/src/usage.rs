//! What a call used, by disjoint classes: a token is in one class only.

use std::fmt;

macro_rules! resources {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A class of what is used and billed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Resource { $($(#[doc = $doc])+ $name,)+ }

        impl Resource {
            /// All, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name in the database and on the wire.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)+ } }

            /// Back from [`Self::as_str`].
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)+ _ => None }
            }
        }

        const COUNT: usize = [$(Resource::$name,)+].len();
    };
}

resources! {
    /// Input tokens that no cache had.
    InUncached = "in_uncached",
    /// Input tokens read from the provider's cache.
    InCacheRead = "in_cache_read",
    /// Input tokens written to a cache of five minutes.
    InCacheWrite5m = "in_cache_write_5m",
    /// Input tokens written to a cache of an hour.
    InCacheWrite1h = "in_cache_write_1h",
    /// Output tokens that are the answer.
    OutText = "out_text",
    /// Output tokens that are reasoning.
    OutReasoning = "out_reasoning",
    /// Tokens embedded.
    EmbedTok = "embed_tok",
    /// Calls of tools that the provider runs.
    ToolCall = "tool_call",
    /// Searches that the provider runs.
    SearchCall = "search_call",
    /// Retrieval queries.
    RetrievalQuery = "retrieval_query",
    /// Milliseconds of speech understood.
    SttMs = "stt_ms",
    /// Milliseconds of speech made.
    TtsMs = "tts_ms",
    /// Characters spoken.
    TtsChar = "tts_char",
    /// Images.
    Image = "image",
    /// Milliseconds of this machine's computing.
    LocalComputeMs = "local_compute_ms",
    /// Reviews; a quota, never money.
    Review = "review",
    /// Questions; a quota, never money.
    Question = "question",
    /// Queries; a quota, never money.
    Query = "query",
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Quantities by class. Not reported (`None`) is never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    quantities: [Option<u64>; COUNT],
    /// The provider's numbers contradict each other; the higher reading was taken.
    pub inconsistent: bool,
}

impl Usage {
    const INPUT: [Resource; 4] = [
        Resource::InUncached,
        Resource::InCacheRead,
        Resource::InCacheWrite5m,
        Resource::InCacheWrite1h,
    ];
    const OUTPUT: [Resource; 2] = [Resource::OutText, Resource::OutReasoning];

    /// What was reported for a class.
    pub fn get(&self, resource: Resource) -> Option<u64> {
        self.quantities[resource as usize]
    }

    /// Sets or forgets a class.
    pub fn set(&mut self, resource: Resource, quantity: Option<u64>) {
        self.quantities[resource as usize] = quantity;
    }

    /// As [`Self::set`], for building.
    #[must_use]
    pub fn with(mut self, resource: Resource, quantity: u64) -> Self {
        self.set(resource, Some(quantity));
        self
    }

    /// What a provider says now in place of what it said before. Its numbers are running totals: a
    /// total of the input or of the output that falls contradicts itself, and the higher reading is
    /// taken. Between the classes of a total tokens may move.
    #[must_use]
    pub fn replaced_by(self, now: Self) -> Self {
        let mut all = now;
        all.inconsistent |= self.inconsistent;
        for classes in [&Self::INPUT[..], &Self::OUTPUT] {
            let (before, after) = (self.sum(classes), now.sum(classes));
            if before > after {
                all.inconsistent |= after.is_some();
                for &class in classes {
                    all.set(class, self.get(class));
                }
            }
        }
        all
    }

    /// What was reported, in the order of the contract.
    pub fn reported(&self) -> impl Iterator<Item = (Resource, u64)> + '_ {
        Resource::ALL
            .iter()
            .filter_map(|&resource| Some((resource, self.get(resource)?)))
    }

    /// Nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.quantities.iter().all(Option::is_none)
    }

    /// Input tokens of all classes; `None` where none was reported.
    pub fn input_tokens(&self) -> Option<u64> {
        self.sum(&Self::INPUT)
    }

    /// Output tokens of all classes; `None` where none was reported.
    pub fn output_tokens(&self) -> Option<u64> {
        self.sum(&Self::OUTPUT)
    }

    fn sum(&self, classes: &[Resource]) -> Option<u64> {
        classes
            .iter()
            .filter_map(|&class| self.get(class))
            .fold(None, |sum: Option<u64>, quantity| {
                Some(sum.unwrap_or(0).saturating_add(quantity))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_reported_is_not_zero() {
        let usage = Usage::default().with(Resource::OutText, 0);
        assert_eq!(usage.output_tokens(), Some(0));
        assert_eq!(usage.input_tokens(), None);
        assert!(!usage.is_empty());
        assert!(Usage::default().is_empty());
    }

    #[test]
    fn a_running_total_never_falls() {
        let before = Usage::default()
            .with(Resource::InUncached, 7)
            .with(Resource::OutText, 500);
        let more = before.replaced_by(Usage::default().with(Resource::OutText, 501));
        assert_eq!(more.get(Resource::OutText), Some(501));
        assert_eq!(more.get(Resource::InUncached), Some(7));
        assert!(!more.inconsistent);
        let less = more.replaced_by(Usage::default().with(Resource::OutText, 1));
        assert_eq!(less.get(Resource::OutText), Some(501));
        assert!(less.inconsistent);
        let moved = Usage::default()
            .with(Resource::InUncached, 2)
            .with(Resource::InCacheRead, 5);
        let moved = more.replaced_by(moved);
        assert_eq!(moved.get(Resource::InUncached), Some(2));
        assert_eq!(moved.get(Resource::OutText), Some(501));
        assert!(!moved.inconsistent);
    }

    #[test]
    fn names_are_found_again() {
        for &resource in Resource::ALL {
            assert_eq!(Resource::from_name(resource.as_str()), Some(resource));
        }
    }
}
