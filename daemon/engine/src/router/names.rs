//! Names and words of the router.

use std::fmt;

use convergio_models_api::Capabilities;

use super::Unfit;
use crate::machine::words;

/// A model by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The provider's configured name.
    pub provider: String,
    /// The model's id as that provider knows it.
    pub model: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// What a request may need that not every model can do, and nothing makes up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// It calls tools.
    Tools,
    /// It sees pictures.
    Vision,
    /// It can be told how much to reason.
    Reasoning,
}

impl Need {
    /// The name in settings and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Reasoning => "reasoning",
        }
    }

    /// What is needed and not there. A model that cannot be held to JSON is told to write it, so
    /// that is never missing.
    pub(super) fn missing(has: Capabilities, needed: Capabilities) -> Vec<Self> {
        [
            (Self::Tools, has.tools, needed.tools),
            (Self::Vision, has.vision, needed.vision),
            (Self::Reasoning, has.reasoning, needed.reasoning),
        ]
        .into_iter()
        .filter(|(_, has, needs)| *needs && !has)
        .map(|(need, ..)| need)
        .collect()
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tools => "it calls no tools",
            Self::Vision => "it sees no pictures",
            Self::Reasoning => "it cannot be told how much to reason",
        })
    }
}

/// For a person: so many seconds or minutes, rounded up.
pub fn wait(ms: u64) -> String {
    match ms.div_ceil(1_000) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3_600)),
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLocal => f.write_str("it does not run on this machine"),
            Self::Missing(missing) => {
                for (place, need) in missing.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}{need}")?;
                }
                Ok(())
            }
            Self::TooLong { tokens, context } => write!(
                f,
                "the question has more than {tokens} tokens, and it reads {context}"
            ),
            Self::NoPrice => f.write_str("nobody says what it costs"),
            Self::Cooling(cooling) => {
                let so_long = wait(cooling.for_ms);
                match cooling.failures {
                    0 => write!(f, "{} wants to be left alone for {so_long}", cooling.who),
                    times => write!(
                        f,
                        "{} failed {times} times in a row ({}); it is asked again in {so_long}",
                        cooling.who,
                        words(cooling.class)
                    ),
                }
            }
            Self::NoProvider => f.write_str("there is no such provider"),
            Self::NotAsked => f.write_str("another one comes before it"),
        }
    }
}
