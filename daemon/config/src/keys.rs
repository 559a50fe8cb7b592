//! The table of settings: each key is declared here and nowhere else.

use crate::forms::Form;
use crate::value::Value;

/// What values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number within these bounds, both included.
    Integer {
        /// The least allowed value.
        min: i64,
        /// The greatest allowed value.
        max: i64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A table from rule ids to `"on"` or `"off"`; each id is a key of its own
    /// (`review.rules.ID`) and is on unless a layer says otherwise.
    Switches,
    /// A table from names to lists of texts of this form; each name is a key of its own. The names
    /// are these, or any of lower-case letters, digits and `-` where none are given.
    Lists(Form, &'static [&'static str]),
    /// Text of this form.
    Text(Form),
    /// A list of texts of this form; written as one text, they are parted by
    /// commas.
    List(Form),
}

/// A key of the table, without its Rust type.
#[derive(Debug)]
pub struct KeySpec {
    /// The TOML table that holds it.
    pub section: &'static str,
    /// Its name within the table; a unit comes last.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// One line for people.
    pub doc: &'static str,
    default: Fallback,
}

#[derive(Debug, Clone, Copy)]
enum Fallback {
    Boolean(bool),
    Integer(i64),
    Word(&'static str),
    EmptyList,
    Unset,
}

impl KeySpec {
    /// A key without a built-in value.
    pub(crate) const fn optional(
        section: &'static str,
        name: &'static str,
        kind: Kind,
        doc: &'static str,
    ) -> Self {
        Self {
            section,
            name,
            kind,
            doc,
            default: Fallback::Unset,
        }
    }

    const fn text(
        section: &'static str,
        name: &'static str,
        form: Form,
        fallback: &'static str,
        doc: &'static str,
    ) -> Self {
        Self {
            section,
            name,
            kind: Kind::Text(form),
            doc,
            default: Fallback::Word(fallback),
        }
    }

    const fn list(
        section: &'static str,
        name: &'static str,
        form: Form,
        doc: &'static str,
    ) -> Self {
        Self {
            section,
            name,
            kind: Kind::List(form),
            doc,
            default: Fallback::EmptyList,
        }
    }

    const fn lists(
        section: &'static str,
        name: &'static str,
        (form, names): (Form, &'static [&'static str]),
        doc: &'static str,
    ) -> Self {
        Self {
            section,
            name,
            kind: Kind::Lists(form, names),
            doc,
            default: Fallback::EmptyList,
        }
    }

    /// A table whose entries are keys of their own.
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self.kind, Kind::Switches | Kind::Lists(..))
    }

    /// `section.name`.
    pub fn dotted(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The variable that sets it, for instance `CONVERGIO_REVIEW_STRICT`. For
    /// switches this is a prefix, followed by `_` and the id in capitals.
    pub fn variable(&self) -> String {
        format!(
            "CONVERGIO_{}_{}",
            self.section.to_ascii_uppercase(),
            self.name.to_ascii_uppercase()
        )
    }

    /// The built-in value; for switches that of each single one.
    pub fn default_value(&self) -> Value {
        match self.default {
            Fallback::Boolean(value) => Value::Boolean(value),
            Fallback::Integer(value) => Value::Integer(value),
            Fallback::Word(value) => Value::Word(value.to_owned()),
            Fallback::EmptyList => Value::List(Vec::new()),
            Fallback::Unset => Value::Unset,
        }
    }

    /// A value that the key takes, as a person types it: the built-in one
    /// where there is one.
    pub fn example(&self) -> String {
        match (self.default_value(), self.kind) {
            (
                Value::Unset | Value::List(_),
                Kind::Text(form) | Kind::List(form) | Kind::Lists(form, _),
            ) => form.example().to_owned(),
            (Value::Unset, Kind::Boolean) => "true".to_owned(),
            (Value::Unset, Kind::Integer { min, max }) => (max / 2).max(min).to_string(),
            (Value::Unset, Kind::Choice(words)) => {
                words.first().copied().unwrap_or_default().to_owned()
            }
            (value, _) => value.to_string(),
        }
    }

    /// [`Self::example`] as one word of a shell.
    pub(crate) fn typed_example(&self) -> String {
        let example = self.example();
        match example.contains(' ') && !example.starts_with(['\'', '"']) {
            true => format!("'{example}'"),
            false => example,
        }
    }

    /// The allowed values, for people.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Boolean => "true or false".to_owned(),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Choice(words) => quoted_words(words),
            Kind::Switches => quoted_words(&SWITCH_WORDS),
            Kind::Text(form) => form.describe().to_owned(),
            Kind::List(form) | Kind::Lists(form, _) => {
                format!("a list parted by commas, each {}", form.describe())
            }
        }
    }
}

fn quoted_words(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(", ")
}

/// Failures that lead on to another model, as `models.fallback_on` names them.
pub const FALLBACK_CAUSES: &[&str] = &[
    "rate_limit",
    "overload",
    "server",
    "network",
    "auth",
    "context",
    "model",
    "filter",
    "budget",
];

/// The words of a switch.
pub(crate) const SWITCH_WORDS: [&str; 2] = ["on", "off"];

/// A key with the Rust type that [`crate::Settings::value`] gives back.
#[derive(Debug)]
pub struct Key<T: 'static> {
    /// The row of the table.
    pub spec: KeySpec,
    pub(crate) fallback: T,
    pub(crate) read: fn(&KeySpec, &Value) -> Option<T>,
}

impl Key<bool> {
    const fn boolean(
        section: &'static str,
        name: &'static str,
        fallback: bool,
        doc: &'static str,
    ) -> Self {
        Self {
            spec: KeySpec {
                section,
                name,
                kind: Kind::Boolean,
                doc,
                default: Fallback::Boolean(fallback),
            },
            fallback,
            read: |_, value| match value {
                Value::Boolean(value) => Some(*value),
                _ => None,
            },
        }
    }

    const fn switches(section: &'static str, name: &'static str, doc: &'static str) -> Self {
        Self {
            spec: KeySpec {
                section,
                name,
                kind: Kind::Switches,
                doc,
                default: Fallback::Word("on"),
            },
            fallback: true,
            read: |_, value| match value {
                Value::Word(word) => Some(word == "on"),
                _ => None,
            },
        }
    }
}

impl Key<u64> {
    const fn integer(
        section: &'static str,
        name: &'static str,
        (fallback, min, max): (u32, u32, u32),
        doc: &'static str,
    ) -> Self {
        Self {
            spec: KeySpec {
                section,
                name,
                kind: Kind::Integer {
                    min: min as i64,
                    max: max as i64,
                },
                doc,
                default: Fallback::Integer(fallback as i64),
            },
            fallback: fallback as u64,
            read: |_, value| match value {
                Value::Integer(value) => u64::try_from(*value).ok(),
                _ => None,
            },
        }
    }
}

impl Key<&'static str> {
    const fn choice(
        section: &'static str,
        name: &'static str,
        fallback: &'static str,
        words: &'static [&'static str],
        doc: &'static str,
    ) -> Self {
        Self {
            spec: KeySpec {
                section,
                name,
                kind: Kind::Choice(words),
                doc,
                default: Fallback::Word(fallback),
            },
            fallback,
            read: |spec, value| match (spec.kind, value) {
                (Kind::Choice(words), Value::Word(word)) => {
                    words.iter().copied().find(|allowed| allowed == word)
                }
                _ => None,
            },
        }
    }
}

macro_rules! table {
    (
        $($ident:ident: $type:ty = $key:expr;)*
        ; $($text:ident = $spec:expr;)*
    ) => {
        $(
            #[doc = concat!("The key `", stringify!($ident), "`: its dotted name is in the table.")]
            pub static $ident: Key<$type> = $key;
        )*
        $(
            #[doc = concat!("The key `", stringify!($text), "`: its dotted name is in the table.")]
            pub static $text: KeySpec = $spec;
        )*
        /// Every key, in the order in which they are listed to people.
        pub static KEYS: &[&KeySpec] = &[$(&$ident.spec,)* $(&$text),*];
    };
}

table! {
    REVIEW_FAIL_ON: &'static str = Key::choice(
        "review", "fail_on", "never", &["never", "nit", "minor", "major", "critical"],
        "Exit with 1 when a finding is at least this severe",
    );
    REVIEW_MIN_SEVERITY: &'static str = Key::choice(
        "review", "min_severity", "nit", &["nit", "minor", "major", "critical"],
        "Leave out findings below this severity",
    );
    REVIEW_MAX_FINDINGS: u64 = Key::integer(
        "review", "max_findings", (10, 1, 1_000),
        "How many findings are printed as text before the lesser ones are held back",
    );
    REVIEW_STRICT: bool = Key::boolean(
        "review", "strict", false,
        "Run the opt-in rules too",
    );
    REVIEW_RULES: bool = Key::switches(
        "review", "rules",
        "Single review rules, switched on or off by their id",
    );
    DAEMON_IDLE_EXIT_MS: u64 = Key::integer(
        "daemon", "idle_exit_ms", (900_000, 100, 86_400_000),
        "How long an on-demand daemon waits without work before it exits",
    );
    LOG_LEVEL: &'static str = Key::choice(
        "log", "level", "info", &["error", "warn", "info", "debug", "trace"],
        "How much the daemon writes to its log",
    );
    LOG_MAX_BYTES: u64 = Key::integer(
        "log", "max_bytes", (10_485_760, 65_536, 1_073_741_824),
        "The log file is rotated when it would grow beyond this",
    );
    LOG_KEEP_FILES: u64 = Key::integer(
        "log", "keep_files", (3, 0, 20),
        "How many rotated log files are kept",
    );
    GATEWAY_ENABLED: bool = Key::boolean(
        "gateway", "enabled", false,
        "Serve programs that speak OpenAI's or Anthropic's wire on this machine; each needs a token",
    );
    GATEWAY_ADDRESS: &'static str = Key::choice(
        "gateway", "address", "loopback", &["loopback", "127.0.0.1", "::1"],
        "Where the gateway listens: this machine's own addresses alone; loopback is both",
    );
    GATEWAY_PORT: u64 = Key::integer(
        "gateway", "port", (4_140, 0, 65_535),
        "The gateway's port; 0 takes a free one",
    );
    RETENTION_REVIEW_DAYS: u64 = Key::integer(
        "retention", "review_days", (7, 0, 3_650),
        "How long results of reviews are kept; 0 keeps none past the next sweep",
    );
    RETENTION_EVENT_LOG_DAYS: u64 = Key::integer(
        "retention", "event_log_days", (7, 0, 3_650),
        "How long events of runs are kept; 0 keeps none past the next sweep",
    );
    RETENTION_UNDO_DAYS: u64 = Key::integer(
        "retention", "undo_days", (30, 0, 3_650),
        "How long changes can be undone; 0 keeps none past the next sweep",
    );
    MODELS_POLICY: &'static str = Key::choice(
        "models", "policy", "local-first", &["local-first", "cloud-first", "local-only", "cheapest"],
        "Which models may be asked, and in which order; local-only sends nothing off this machine",
    );
    MODELS_COOLDOWN_AFTER: u64 = Key::integer(
        "models", "cooldown_after", (5, 0, 1_000),
        "A model that fails so often in a row is left alone for a while; 0 never does that",
    );
    CACHE_ENABLED: bool = Key::boolean(
        "cache", "enabled", false,
        "Keep whole answers, and give them again to the same question at temperature 0",
    );
    CACHE_TTL_HOURS: u64 = Key::integer(
        "cache", "ttl_hours", (24, 1, 8_760),
        "How long a kept answer is given again",
    );
    CACHE_MAX_BYTES: u64 = Key::integer(
        "cache", "max_bytes", (67_108_864, 65_536, 1_073_741_824),
        "How much kept answers may take; those that were not used for longest go first",
    );
    PRIVACY_SECRETS: &'static str = Key::choice(
        "privacy", "secrets", "mask", &["mask", "refuse"],
        "What happens to a secret in what another machine's model would read: it is masked, or \
         nothing is sent",
    );
    SECRETS_FILE: bool = Key::boolean(
        "secrets", "file", false,
        "Let keys be kept in an encrypted file where there is no keychain; without a passphrase \
         that protects backups, not this machine",
    );
    NOTIFICATIONS_ENABLED: bool = Key::boolean(
        "notifications", "enabled", true,
        "Show reminders on the desktop; without it they wait in the inbox",
    );
    NOTIFICATIONS_MAX_PER_HOUR: u64 = Key::integer(
        "notifications", "max_per_hour", (30, 1, 1_000),
        "How many reminders are shown one by one in an hour; those beyond are told as a number and \
         wait in the inbox",
    );
    NOTIFICATIONS_CRITICAL: &'static str = Key::choice(
        "notifications", "critical", "never", &["never", "high"],
        "Reminders that may pass quiet hours and do-not-disturb: none, or those of high priority",
    );
    ;
    NOTIFICATIONS_QUIET_HOURS = KeySpec::optional(
        "notifications", "quiet_hours", Kind::Text(Form::Hours),
        "The part of the day in which no reminder is shown; those that fall into it come behind it",
    );
    MODELS_DEFAULT = KeySpec::optional(
        "models", "default", Kind::Text(Form::ModelOrAlias),
        "The model that is asked where a command names none, or a name for several",
    );
    MODELS_REVIEW = KeySpec::optional(
        "models", "review", Kind::Text(Form::ModelRef),
        "The model that reviews; the default one where none is set",
    );
    MODELS_FALLBACK = KeySpec::list(
        "models", "fallback", Form::ModelRef,
        "The models that are asked, in this order, when the one before can't answer",
    );
    MODELS_ALIAS = KeySpec::lists(
        "models", "alias", (Form::ModelRef, &[]),
        "Names of your own for models: the first is asked, the others stand in for it in this order",
    );
    MODELS_FALLBACK_ON = KeySpec::lists(
        "models", "fallback_on", (Form::ModelRef, FALLBACK_CAUSES),
        "The models that are asked instead of those of models.fallback after this kind of failure; \
         an empty list for none",
    );
    MODELS_ALLOWED_PROVIDERS = KeySpec::optional(
        "models", "allowed_providers", Kind::List(Form::ProviderName),
        "The only providers that may be asked; every one where none is set",
    );
    PRICES_TRUSTED_KEYS = KeySpec::list(
        "prices", "trusted_keys", Form::SigningKey,
        "The public keys of minisign whose lists of prices are taken; none is built in",
    );
    GATEWAY_ALLOWED_ORIGINS = KeySpec::list(
        "gateway", "allowed_origins", Form::Url,
        "Web pages that may use the gateway, each as https://app.example; a token is needed as well",
    );
    BUDGET_DAILY_USD = KeySpec::text(
        "budget", "daily_usd", Form::Usd, "1.00",
        "The most that models may cost in a day",
    );
    BUDGET_MONTHLY_USD = KeySpec::optional(
        "budget", "monthly_usd", Kind::Text(Form::Usd),
        "The most that models may cost in a month; no limit where none is set",
    );
    BUDGET_LIMITS = KeySpec::list(
        "budget", "limits", Form::Limit,
        "Limits of a provider, an agent or a plugin, of each run or conversation; with `warn` they \
         are only told",
    );
}

#[cfg(test)]
mod tests;
