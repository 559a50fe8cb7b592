//! Limits of a part of what is spent, as they stand in the settings.

use std::fmt;

use crate::forms::{is_provider_name, nano_usd};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$row:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$row])* $variant,)+
        }

        impl $name {
            /// As it stands in the settings.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one of this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// Whose spending is limited.
    LimitScope {
        /// Everybody's.
        All = "all",
        /// What a provider is paid.
        Provider = "provider",
        /// An agent's.
        Agent = "agent",
        /// A plugin's.
        Plugin = "plugin",
    }
}

words! {
    /// The stretch that a limit is for.
    LimitWindow {
        /// A day of the calendar.
        Daily = "daily",
        /// A month of the calendar.
        Monthly = "monthly",
        /// Each run.
        Run = "run",
        /// Each conversation.
        Session = "session",
        /// For ever.
        Total = "total",
    }
}

/// A limit of a part of what is spent: `provider:mock monthly 5.00`, `agent:rex run 0.50 warn`,
/// `all session 2.00`. What everybody together may spend in a day is not among them: that is
/// `budget.daily_usd`, and always stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedLimit {
    /// Whose.
    pub scope: LimitScope,
    /// Which provider, agent or plugin; empty for everybody.
    pub name: String,
    /// In which stretch.
    pub window: LimitWindow,
    /// Nano-USD.
    pub limit_nano_usd: i64,
    /// It is said and goes on, instead of stopping.
    pub warns: bool,
}

impl ScopedLimit {
    /// The limit of this text; `None` for any other text.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let first = words.next()?;
        let (scope, name) = first.split_once(':').unwrap_or((first, ""));
        let scope = LimitScope::from_word(scope)?;
        let everybody = scope == LimitScope::All;
        if everybody && first != LimitScope::All.as_str() || !everybody && !is_provider_name(name) {
            return None;
        }
        let window = LimitWindow::from_word(words.next()?)?;
        let limit_nano_usd = nano_usd(words.next()?)?;
        let warns = match words.next() {
            None => false,
            Some("warn") => true,
            Some(_) => return None,
        };
        let whole = words.next().is_none();
        let elsewhere = everybody && window == LimitWindow::Daily;
        (whole && !elsewhere).then(|| Self {
            scope,
            name: name.to_owned(),
            window,
            limit_nano_usd,
            warns,
        })
    }

    /// They limit the same, whatever their amounts.
    pub fn same_place(&self, other: &Self) -> bool {
        (self.scope, &self.name, self.window) == (other.scope, &other.name, other.window)
    }
}

impl fmt::Display for ScopedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scope.as_str())?;
        if self.scope != LimitScope::All {
            write!(f, ":{}", self.name)?;
        }
        let (whole, part) = (
            self.limit_nano_usd / 1_000_000_000,
            self.limit_nano_usd % 1_000_000_000,
        );
        let decimals = format!("{part:09}");
        let decimals = match decimals.trim_end_matches('0') {
            short if short.len() < 2 => &decimals[..2],
            long => long,
        };
        write!(f, " {} {whole}.{decimals}", self.window.as_str())?;
        f.write_str(if self.warns { " warn" } else { "" })
    }
}

/// The limits of these texts, the first of each place; what is no limit is left out, and was refused
/// when the settings were read.
pub(crate) fn limits<'a>(
    monthly_nano_usd: Option<i64>,
    texts: impl Iterator<Item = &'a str>,
) -> Vec<ScopedLimit> {
    let monthly = monthly_nano_usd.map(|limit_nano_usd| ScopedLimit {
        scope: LimitScope::All,
        name: String::new(),
        window: LimitWindow::Monthly,
        limit_nano_usd,
        warns: false,
    });
    let mut all: Vec<ScopedLimit> = monthly.into_iter().collect();
    for limit in texts.filter_map(ScopedLimit::read) {
        if !all.iter().any(|known| known.same_place(&limit)) {
            all.push(limit);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written_alike() {
        for text in [
            "provider:mock monthly 5.00",
            "agent:rex daily 1.00 warn",
            "plugin:lint total 0.000000001",
            "all monthly 20.50 warn",
            "all run 0.25",
            "all session 1000000.00",
        ] {
            assert_eq!(ScopedLimit::read(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "all",
            "all daily 1.00",
            "provider monthly 5.00",
            "provider: monthly 5.00",
            "token:claude total 5.00",
            "provider:mock weekly 5.00",
            "provider:mock monthly five",
            "provider:mock monthly 5.00 stop",
            "provider:mock monthly 5.00 warn now",
            "provider:m/x monthly 5.00",
            "all:x monthly 5.00",
            "everything monthly 5.00",
            "everything:x monthly 5.00",
        ] {
            assert_eq!(ScopedLimit::read(text), None, "{text}");
        }
    }

    #[test]
    fn one_place_has_one_limit() {
        let texts = [
            "all monthly 9.00 warn",
            "agent:rex run 1.00",
            "agent:rex run 2.00",
        ];
        let all = limits(Some(1), texts.into_iter());
        let shown: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["all monthly 0.000000001", "agent:rex run 1.00"]);
    }
}
