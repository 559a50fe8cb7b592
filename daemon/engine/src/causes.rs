//! Why a route is left for another one.

use std::fmt;

use convergio_models_api::ErrorClass;

/// Why a route did not answer, as far as it decides about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Too often.
    RateLimit,
    /// The provider is overloaded.
    Overload,
    /// The provider failed inside.
    Server,
    /// No connection, no trust in it, or it broke.
    Network,
    /// The key, or the account behind it.
    Auth,
    /// Longer than the model reads: only a model that reads more may follow.
    Context,
    /// No such model there.
    Model,
    /// The provider's filter.
    Filter,
    /// No budget is left for it.
    Budget,
    /// It could not be asked at all: no key, no price, not allowed, no free place.
    Unusable,
}

impl Cause {
    /// All, in a fixed order.
    pub const ALL: [Self; 10] = [
        Self::RateLimit,
        Self::Overload,
        Self::Server,
        Self::Network,
        Self::Auth,
        Self::Context,
        Self::Model,
        Self::Filter,
        Self::Budget,
        Self::Unusable,
    ];

    /// Of a failed call; none where no other model would do better.
    pub fn of(class: ErrorClass) -> Option<Self> {
        match class {
            ErrorClass::RateLimited => Some(Self::RateLimit),
            ErrorClass::Overloaded => Some(Self::Overload),
            ErrorClass::Server => Some(Self::Server),
            ErrorClass::Connect
            | ErrorClass::Tls
            | ErrorClass::Timeout(_)
            | ErrorClass::ConnectionLost
            | ErrorClass::BrokenStream
            | ErrorClass::Redirect => Some(Self::Network),
            ErrorClass::Auth | ErrorClass::Billing => Some(Self::Auth),
            ErrorClass::ContextOverflow => Some(Self::Context),
            ErrorClass::ModelNotFound => Some(Self::Model),
            ErrorClass::ContentFilter => Some(Self::Filter),
            ErrorClass::TooLarge | ErrorClass::Denied | ErrorClass::BadRequest => None,
        }
    }

    /// The name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Overload => "overload",
            Self::Server => "server",
            Self::Network => "network",
            Self::Auth => "auth",
            Self::Context => "context",
            Self::Model => "model",
            Self::Filter => "filter",
            Self::Budget => "budget",
            Self::Unusable => "unusable",
        }
    }

    /// Back from [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of causes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Causes(u16);

impl Causes {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Each of them.
    pub const ALL: Self = Self((1 << Cause::ALL.len()) - 1);

    /// One alone.
    pub const fn only(cause: Cause) -> Self {
        Self(1 << cause as u16)
    }

    /// Whether it is among them.
    pub const fn contains(self, cause: Cause) -> bool {
        self.0 & Self::only(cause).0 != 0
    }

    /// Those of both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// In the fixed order.
    pub fn iter(self) -> impl Iterator<Item = Cause> {
        Cause::ALL
            .into_iter()
            .filter(move |cause| self.contains(*cause))
    }
}

impl FromIterator<Cause> for Causes {
    fn from_iter<I: IntoIterator<Item = Cause>>(causes: I) -> Self {
        let each = causes.into_iter().map(Self::only);
        each.fold(Self::NONE, Self::and)
    }
}

impl fmt::Debug for Causes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_sets_hold_what_was_put_in() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_name(cause.as_str()), Some(cause));
            assert!(Causes::ALL.contains(cause) && !Causes::NONE.contains(cause));
            let others = Causes::ALL.without(Causes::only(cause));
            assert!(!others.contains(cause));
            assert_eq!(others.and(Causes::only(cause)), Causes::ALL);
        }
        let two: Causes = [Cause::Budget, Cause::Network].into_iter().collect();
        assert_eq!(
            two.iter().collect::<Vec<_>>(),
            [Cause::Network, Cause::Budget]
        );
    }
}
