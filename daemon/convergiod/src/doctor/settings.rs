//! The settings and the organization's policy, each fault with its place.

use convergio_config::{Config, ConfigError, Health};
use convergio_contract::health::Check;

use super::{Patient, fault, fine};
use crate::configuration::catalog;

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    let settings = &patient.surroundings.settings;
    let found = Config::inspect(patient.paths, settings, &catalog());
    let mut checks = judge(
        "settings",
        "no settings file: the defaults hold",
        &found.user,
    );
    checks.extend(judge("policy", "no organization policy", &found.policy));
    checks.extend(judge(
        "variables",
        "no settings in the environment",
        &found.environment,
    ));
    checks
}

fn judge(id: &str, absent: &str, health: &Health) -> Vec<Check> {
    match health {
        Health::Absent => vec![fine(id, absent)],
        Health::Good { keys: 1 } => vec![fine(id, format!("{id}: 1 key is set"))],
        Health::Good { keys } => vec![fine(id, format!("{id}: {keys} keys are set"))],
        Health::Broken(error) => faults(id, error),
    }
}

fn faults(id: &str, error: &ConfigError) -> Vec<Check> {
    let why = match id {
        "policy" => "nothing may act until the policy can be read and trusted",
        _ => "reviews and settings answer with this error until it is mended",
    };
    error
        .faults()
        .map(|found| {
            let what = match &found.origin {
                Some(origin) => format!("{origin}: {}", found.reason),
                None => found.reason.clone(),
            };
            fault(id, what, why, &found.hint)
        })
        .collect()
}
