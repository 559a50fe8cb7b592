//! Who answers at the moment, as the running daemon saw it. Kept in memory: a new daemon asks anew.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use convergio_config::{MODELS_COOLDOWN_AFTER, Settings};
use convergio_engine::{BreakerLimits, Cooling, Health, State, Target, health::Outcome};

/// The breakers with the clock that they go by.
pub(crate) struct Breakers {
    health: Mutex<Health>,
    since: Instant,
}

impl Default for Breakers {
    fn default() -> Self {
        Self {
            health: Mutex::default(),
            since: Instant::now(),
        }
    }
}

/// The bounds that the settings draw.
fn limits(settings: &Settings) -> BreakerLimits {
    let usual = BreakerLimits::default();
    let failures = settings.value(&MODELS_COOLDOWN_AFTER);
    let failures = u32::try_from(failures).unwrap_or(u32::MAX);
    BreakerLimits {
        failures,
        connect_failures: usual.connect_failures.min(failures),
        ..usual
    }
}

/// A call that began; its end is told once, at the latest where this is dropped.
pub(crate) struct Visit<'a> {
    breakers: &'a Breakers,
    target: Target,
    limits: BreakerLimits,
    told: bool,
}

impl Breakers {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a model is.
    pub(crate) fn state(&self, target: &Target) -> State {
        self.health().state(target, self.now_ms())
    }

    /// What is known against a provider and its models.
    pub(crate) fn of_provider(&self, provider: &str) -> Vec<State> {
        self.health().of_provider(provider, self.now_ms())
    }

    /// Begins a call.
    pub(crate) fn enter(&self, target: &Target, settings: &Settings) -> Result<Visit<'_>, Cooling> {
        self.health().enter(target, self.now_ms())?;
        Ok(Visit {
            breakers: self,
            target: target.clone(),
            limits: limits(settings),
            told: false,
        })
    }

    /// Nobody could be reached a moment ago.
    pub(crate) fn is_offline(&self) -> bool {
        self.health().is_offline(self.now_ms())
    }

    /// Somebody saw the provider answer.
    pub(crate) fn clear(&self, provider: &str) {
        self.health().clear(provider);
    }
}

impl Visit<'_> {
    /// How it ended.
    pub(crate) fn ended(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.told, true) {
            let now_ms = self.breakers.now_ms();
            let mut health = self.breakers.health();
            health.ended(&self.target, now_ms, outcome, &self.limits);
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.tell(Outcome::Unknown);
    }
}
