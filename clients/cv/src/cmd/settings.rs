//! The settings that decide here, on the client's side, what is shown and how the process ends.

use convergio_contract::{config::ConfigGetResponse, finding::Severity};

/// `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Whatever is found.
    Never,
    /// Any finding.
    Nit,
    /// A small fault or worse.
    Minor,
    /// What bites in production, or worse.
    Major,
    /// Security, data loss or certain failure.
    Critical,
}

impl FailOn {
    /// The least severity that fails; none for never.
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Never => None,
            Self::Nit => Some(Severity::Nit),
            Self::Minor => Some(Severity::Minor),
            Self::Major => Some(Severity::Major),
            Self::Critical => Some(Severity::Critical),
        }
    }
}

/// What the configuration says; options beat it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `review.fail_on`.
    pub fail_on: Option<Severity>,
    /// `review.max_findings`.
    pub max_findings: Option<u32>,
}

impl Settings {
    /// Picks them out of the daemon's answer.
    pub fn of(found: &ConfigGetResponse) -> Self {
        let value = |key: &str| {
            found
                .values
                .iter()
                .find(|value| value.key == key)
                .map(|value| &value.value)
        };
        Self {
            fail_on: value("review.fail_on")
                .and_then(|value| value.as_str())
                .and_then(|name| {
                    Severity::ALL
                        .iter()
                        .copied()
                        .find(|severity| severity.as_str() == name)
                }),
            max_findings: value("review.max_findings")
                .and_then(serde_json::Value::as_u64)
                .and_then(|value| u32::try_from(value).ok()),
        }
    }
}
