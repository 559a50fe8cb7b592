//! What `cv setup` asks and writes.

use std::io::Write;

use convergio_contract::model::Policy;

use super::preview;
use crate::{
    context::Context,
    error::{Failure, Kind, describe},
    hint::Hint,
    money,
    output::escape,
    terminal, waiting,
};

/// Questions that are asked again when the answer does not fit.
const QUESTIONS_MAX: u32 = 3;

/// A policy as an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PolicyArg {
    /// This machine where it can do the job, else the cloud within budget.
    LocalFirst,
    /// The cloud within budget, else this machine.
    CloudFirst,
    /// This machine alone.
    LocalOnly,
    /// Whatever costs least.
    Cheapest,
}

impl PolicyArg {
    /// All.
    pub const ALL: [Self; 4] = [
        Self::LocalFirst,
        Self::CloudFirst,
        Self::LocalOnly,
        Self::Cheapest,
    ];

    /// The name in the settings.
    pub const fn name(self) -> &'static str {
        preview::policy(match self {
            Self::LocalFirst => Policy::LocalFirst,
            Self::CloudFirst => Policy::CloudFirst,
            Self::LocalOnly => Policy::LocalOnly,
            Self::Cheapest => Policy::Cheapest,
        })
    }
}

/// What will be written; none where it stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// `models.policy`.
    pub policy: Option<PolicyArg>,
    /// `budget.daily_usd`.
    pub daily_nano_usd: Option<i64>,
    /// `models.default`.
    pub default_model: Option<String>,
}

impl Plan {
    /// Nothing would be written.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The settings as lines of the file.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(policy) = self.policy {
            lines.push(format!("models.policy = \"{}\"", policy.name()));
        }
        if let Some(model) = &self.default_model {
            lines.push(format!("models.default = \"{}\"", escape::line(model)));
        }
        if let Some(nano) = self.daily_nano_usd {
            lines.push(format!("budget.daily_usd = \"{}\"", money::dollars(nano)));
        }
        lines
    }

    /// The command that writes the same.
    pub fn command(&self) -> String {
        let mut command = "cv setup".to_owned();
        if let Some(policy) = self.policy {
            command.push_str(&format!(" --policy {}", policy.name()));
        }
        if let Some(nano) = self.daily_nano_usd {
            command.push_str(&format!(" --daily-usd {}", money::dollars(nano)));
        }
        if let Some(model) = &self.default_model {
            command.push_str(&format!(" --default-model {}", escape::line(model)));
        }
        command + " --yes"
    }
}

/// What holds where the person only presses Enter.
#[derive(Clone, Debug)]
pub struct Current {
    /// The policy.
    pub policy: PolicyArg,
    /// The daily cap.
    pub cap_nano_usd: i64,
    /// The default model: proposed, or in force.
    pub model: Option<String>,
    /// The default model in force.
    pub known: Option<String>,
}

/// Asks the person. None where they don't want it written.
pub fn ask(current: Current, context: &mut Context) -> Result<Option<Plan>, Failure> {
    let Current {
        policy,
        cap_nano_usd: cap,
        model,
        known,
    } = current;
    let asking = waiting::on_thread(move || {
        let failed = |error: &std::io::Error| {
            Failure::new(
                Kind::Io,
                "The terminal cannot be asked",
                describe(error),
                Hint::SETUP,
            )
        };
        let talk = || -> std::io::Result<Option<Plan>> {
            let mut terminal = terminal::open()?;
            let question = format!(
                "Where may answers come from: local-first, cloud-first, local-only, cheapest? [{}] ",
                policy.name()
            );
            let Some(policy) = asked(&mut terminal, &question, |text| {
                if text.is_empty() {
                    return Ok(policy);
                }
                PolicyArg::ALL
                    .into_iter()
                    .find(|policy| policy.name() == text)
                    .ok_or_else(|| "one of the four, please".to_owned())
            })?
            else {
                return Ok(None);
            };
            let question = format!(
                "At most how much a day for cloud models, in US dollars? [{}] ",
                money::dollars(cap)
            );
            let Some(daily) = asked(&mut terminal, &question, |text| {
                if text.is_empty() {
                    Ok(cap)
                } else {
                    money::parse(text)
                }
            })?
            else {
                return Ok(None);
            };
            let question = format!(
                "Which model where none is named? [{}] ",
                escape::line(model.as_deref().unwrap_or("decide each time"))
            );
            let Some(model) = asked(&mut terminal, &question, |text| {
                if text.is_empty() {
                    return Ok(model.clone());
                }
                match text.split_once('/') {
                    Some((provider, id)) if !provider.is_empty() && !id.is_empty() => {
                        Ok(Some(text.to_owned()))
                    }
                    _ => Err("as provider/model, see cv models".to_owned()),
                }
            })?
            else {
                return Ok(None);
            };
            let plan = Plan {
                policy: Some(policy),
                daily_nano_usd: Some(daily),
                default_model: model.filter(|model| known.as_ref() != Some(model)),
            };
            writeln!(terminal, "This will be written:")?;
            for line in plan.lines() {
                writeln!(terminal, "  {line}")?;
            }
            let agreed = asked(&mut terminal, "Write it? [Y/n] ", |text| match text {
                "" | "y" | "Y" | "yes" => Ok(true),
                "n" | "N" | "no" => Ok(false),
                _ => Err("y or n, please".to_owned()),
            })?;
            Ok((agreed == Some(true)).then_some(plan))
        };
        talk().map_err(|error| failed(&error))
    });
    let deadline = waiting::Deadline::from_now(context.global.timeout);
    waiting::block_on(async {
        let asking = async {
            let question = terminal::Question::default();
            let answer = asking.await;
            question.answered();
            answer
        };
        deadline.guard("waiting for an answer", asking).await
    })
}

fn asked<T>(
    terminal: &mut std::fs::File,
    question: &str,
    mut read: impl FnMut(&str) -> Result<T, String>,
) -> std::io::Result<Option<T>> {
    for _ in 0..QUESTIONS_MAX {
        write!(terminal, "{question}")?;
        let Some(line) = terminal::line(terminal)? else {
            return Ok(None);
        };
        match read(line.trim()) {
            Ok(answer) => return Ok(Some(answer)),
            Err(why) => writeln!(terminal, "{why}")?,
        }
    }
    Ok(None)
}
