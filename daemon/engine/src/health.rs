//! Who answers at the moment: breakers per provider and per model. Pure: the clock is passed in.
//!
//! What does not let us connect is the provider's affair; what it answers (rate limits, overload,
//! failures of its own) is the model's. Models on this machine have no breaker: they are back as
//! soon as somebody starts them.

use std::collections::BTreeMap;

use convergio_models_api::{ErrorClass, Phase};

use crate::router::Target;

/// Bounds of the breakers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerLimits {
    /// So many failures in a row open a model's breaker; 0 never does.
    pub failures: u32,
    /// But only once they have gone on for so long: many calls at once may fail together, and quick
    /// failures come before slow answers.
    pub streak_ms: u64,
    /// So many failed connections in a row open a provider's; 0 never does.
    pub connect_failures: u32,
    /// The first cooldown; doubled with each probe that fails.
    pub cooldown_ms: u64,
    /// No cooldown is longer.
    pub cooldown_max_ms: u64,
    /// A provider that asks for more patience than this is left alone for as long as it asks.
    pub patience_ms: u64,
    /// But never longer than this.
    pub patience_max_ms: u64,
    /// A failure this long ago counts no more.
    pub forget_ms: u64,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            failures: 5,
            streak_ms: 2_000,
            connect_failures: 3,
            cooldown_ms: 5_000,
            cooldown_max_ms: 60_000,
            patience_ms: 60_000,
            patience_max_ms: 600_000,
            forget_ms: 120_000,
        }
    }
}

/// Breakers that are kept at most; those that were quiet longest go first.
const BREAKERS_MAX: usize = 512;

/// Left alone for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooling {
    /// The provider, or `provider/model`.
    pub who: String,
    /// So long from now.
    pub for_ms: u64,
    /// What it failed with last.
    pub class: ErrorClass,
    /// How often in a row; 0 where it asked for patience itself.
    pub failures: u32,
}

/// How a provider or a model is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing is known against it.
    #[default]
    Ready,
    /// Its cooldown is over: one call may try whether it answers again.
    Probing,
    /// It is not asked.
    Cooling(Cooling),
}

#[derive(Clone, Debug, Default)]
struct Breaker {
    failures: u32,
    /// Times that it opened without an answer in between.
    opened: u32,
    /// When the first of them was, and the last.
    first_ms: u64,
    last_ms: u64,
    class: Option<ErrorClass>,
    /// Not asked before.
    until_ms: Option<u64>,
    /// It asked for patience.
    patience: bool,
    /// A probe is on its way.
    probing: bool,
}

impl Breaker {
    fn state(&self, who: &str, now_ms: u64) -> State {
        let (Some(until), Some(class)) = (self.until_ms, self.class) else {
            return State::Ready;
        };
        let for_ms = until.saturating_sub(now_ms);
        if for_ms == 0 && !self.probing {
            return State::Probing;
        }
        State::Cooling(Cooling {
            who: who.to_owned(),
            // Who comes beside a probe waits for what it finds.
            for_ms: for_ms.max(1_000),
            class,
            failures: if self.patience { 0 } else { self.failures },
        })
    }

    fn failed(
        &mut self,
        class: ErrorClass,
        now_ms: u64,
        retry_after_ms: Option<u64>,
        (threshold, streak_ms): (u32, u64),
        limits: &BreakerLimits,
    ) {
        if now_ms.saturating_sub(self.last_ms) > limits.forget_ms && self.until_ms.is_none() {
            self.failures = 0;
            self.opened = 0;
        }
        if self.failures == 0 {
            self.first_ms = now_ms;
        }
        self.failures = self.failures.saturating_add(1);
        self.last_ms = now_ms;
        self.class = Some(class);
        let probed = std::mem::take(&mut self.probing);
        let patience = retry_after_ms.filter(|asked| *asked > limits.patience_ms);
        if let Some(asked) = patience {
            self.patience = true;
            self.until_ms = Some(now_ms + asked.min(limits.patience_max_ms));
        } else if threshold > 0
            && (probed
                || self.failures >= threshold && now_ms.saturating_sub(self.first_ms) >= streak_ms)
        {
            // Calls that were on their way when it opened do not open it again.
            let is_open = self.until_ms.is_some_and(|until| until > now_ms);
            if probed || !is_open {
                let cooldown = limits
                    .cooldown_ms
                    .saturating_mul(1 << self.opened.min(16))
                    .min(limits.cooldown_max_ms);
                self.opened = self.opened.saturating_add(1);
                self.patience = false;
                self.until_ms = Some(now_ms + cooldown);
            }
        }
    }
}

/// How a call ended, as far as it says something of who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Answered,
    /// It did not.
    Failed {
        /// How.
        class: ErrorClass,
        /// The patience that it asked for.
        retry_after_ms: Option<u64>,
    },
    /// Somebody ended the call: that says nothing.
    Unknown,
}

/// All breakers.
#[derive(Clone, Debug, Default)]
pub struct Health {
    breakers: BTreeMap<String, Breaker>,
    /// When somebody last said something.
    heard_ms: Option<u64>,
}

/// What failed: the way there.
fn is_connection(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Connect | ErrorClass::Tls | ErrorClass::Timeout(Phase::Connect)
    )
}

/// What failed: who is there.
fn is_sickness(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::RateLimited
            | ErrorClass::Overloaded
            | ErrorClass::Server
            | ErrorClass::Timeout(_)
    )
}

impl Health {
    /// How the model is; its provider's breaker goes first.
    pub fn state(&self, target: &Target, now_ms: u64) -> State {
        let of = |who: &str| {
            let breaker = self.breakers.get(who);
            breaker.map_or(State::Ready, |breaker| breaker.state(who, now_ms))
        };
        match of(&target.provider) {
            State::Ready => of(&target.to_string()),
            provider => match of(&target.to_string()) {
                State::Cooling(model) if matches!(provider, State::Probing) => {
                    State::Cooling(model)
                }
                _ => provider,
            },
        }
    }

    /// What is known against a provider and its models.
    pub fn of_provider(&self, provider: &str, now_ms: u64) -> Vec<State> {
        let mine =
            |who: &str| who == provider || who.split_once('/').is_some_and(|it| it.0 == provider);
        let breakers = self.breakers.iter().filter(|(who, _)| mine(who));
        breakers
            .map(|(who, breaker)| breaker.state(who, now_ms))
            .filter(|state| *state != State::Ready)
            .collect()
    }

    /// Nobody can be reached: two providers at least could not a moment ago, and none was heard
    /// since.
    pub fn is_offline(&self, now_ms: u64) -> bool {
        const MOMENT_MS: u64 = 60_000;
        let unreached = self.breakers.iter().filter(|(who, breaker)| {
            !who.contains('/')
                && breaker.failures > 0
                && now_ms.saturating_sub(breaker.last_ms) <= MOMENT_MS
                && self.heard_ms.is_none_or(|heard| heard < breaker.last_ms)
        });
        unreached.count() >= 2
    }

    /// Begins a call; where the cooldown is over this one is the probe.
    ///
    /// # Errors
    /// [`Cooling`] where it is left alone. Nothing was changed.
    pub fn enter(&mut self, target: &Target, now_ms: u64) -> Result<(), Cooling> {
        if let State::Cooling(cooling) = self.state(target, now_ms) {
            return Err(cooling);
        }
        for who in [target.provider.clone(), target.to_string()] {
            if let Some(breaker) = self.breakers.get_mut(&who)
                && breaker.state(&who, now_ms) == State::Probing
            {
                breaker.probing = true;
            }
        }
        Ok(())
    }

    /// Ends a call that began.
    pub fn ended(
        &mut self,
        target: &Target,
        now_ms: u64,
        outcome: Outcome,
        limits: &BreakerLimits,
    ) {
        let (provider, model) = (target.provider.clone(), target.to_string());
        if let Outcome::Answered | Outcome::Failed { .. } = outcome
            && !matches!(outcome, Outcome::Failed { class, .. } if is_connection(class))
        {
            self.heard_ms = Some(now_ms);
        }
        match outcome {
            Outcome::Answered => {
                self.breakers.remove(&provider);
                self.breakers.remove(&model);
            }
            Outcome::Failed {
                class,
                retry_after_ms,
            } if is_connection(class) => {
                self.free(&model);
                let breaker = self.breaker(provider);
                let threshold = (limits.connect_failures, 0);
                breaker.failed(class, now_ms, retry_after_ms, threshold, limits);
            }
            Outcome::Failed {
                class,
                retry_after_ms,
            } if is_sickness(class) => {
                // Something is there and speaks.
                self.breakers.remove(&provider);
                let breaker = self.breaker(model);
                let threshold = (limits.failures, limits.streak_ms);
                breaker.failed(class, now_ms, retry_after_ms, threshold, limits);
            }
            // The request's own fault, or the answer's: it was there.
            Outcome::Failed { .. } => {
                self.breakers.remove(&provider);
                self.free(&model);
            }
            Outcome::Unknown => {
                self.free(&provider);
                self.free(&model);
            }
        }
    }

    /// Forgets what is known against a provider and its models: somebody saw it answer.
    pub fn clear(&mut self, provider: &str) {
        let prefix = format!("{provider}/");
        self.breakers
            .retain(|who, _| who != provider && !who.starts_with(&prefix));
    }

    fn free(&mut self, who: &str) {
        if let Some(breaker) = self.breakers.get_mut(who) {
            breaker.probing = false;
        }
    }

    fn breaker(&mut self, who: String) -> &mut Breaker {
        if self.breakers.len() >= BREAKERS_MAX && !self.breakers.contains_key(&who) {
            let quiet = self.breakers.iter().min_by_key(|(_, one)| one.last_ms);
            if let Some(quiet) = quiet.map(|(who, _)| who.clone()) {
                self.breakers.remove(&quiet);
            }
        }
        self.breakers.entry(who).or_default()
    }
}

#[cfg(test)]
mod tests;
