//! `convergiod doctor --offline`

use convergio_contract::{
    RpcError,
    health::{CheckState, HealthDoctorResponse},
};

use super::{EXIT_FAULTS, Outcome};
use crate::{
    Surroundings,
    doctor::{Subject, examine},
};

pub(super) fn run(surroundings: &Surroundings) -> Result<Outcome, RpcError> {
    let subject = Subject {
        surroundings: surroundings.clone(),
        within: false,
    };
    let checks = examine(&subject, None);
    let mut text = String::new();
    let mut bad = 0;
    for check in &checks {
        let word = match check.state {
            CheckState::Ok => "ok",
            CheckState::Warning => "note",
            CheckState::Error => "fault",
        };
        text.push_str(&format!("{word}  {}\n", check.what));
        if check.state != CheckState::Ok {
            bad += 1;
            text.push_str(&format!("  why: {}\n  fix: {}\n", check.why, check.fix));
        }
    }
    let told = match bad {
        0 => "nothing to mend".to_owned(),
        bad => format!("{bad} to look at"),
    };
    text.push_str(&format!("{} checks, {told}\n", checks.len()));
    let faults = checks.iter().any(|check| check.state == CheckState::Error);
    let mut outcome = Outcome::new(text, &HealthDoctorResponse { checks });
    outcome.exit = if faults { EXIT_FAULTS } else { 0 };
    Ok(outcome)
}
