//! `cv doctor`

use convergio_client::Client;
use convergio_contract::{
    health::{CheckState, HealthDoctor, HealthDoctorResponse},
    method::Empty,
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    output::{escape, paint::Role},
    render::words::count,
    table::{Format, Table, cell, show},
};

/// Checks everything; each finding comes with its fix.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Checks; without a daemon that answers, from the files.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let asked = daemon::call(
        context,
        Start::IfNeeded,
        "checking",
        |client: Client| async move { client.call::<HealthDoctor>(&Empty {}).await },
    );
    let doctor = match asked {
        Ok(doctor) => doctor,
        Err(failure) if matches!(failure.kind, Kind::Unreachable) => {
            context.notes.note(&format!(
                "{} ({}): checked without it",
                failure.what, failure.why
            ));
            let format = args.format.offline();
            return Err(daemon::offline(&[
                "doctor",
                "--offline",
                "--format",
                format,
            ]));
        }
        Err(failure) => return Err(failure),
    };
    print(&doctor, args.format, context)?;
    let failed = doctor
        .checks
        .iter()
        .any(|check| check.state == CheckState::Error);
    Ok(if failed { Exit::Findings } else { Exit::Ok })
}

fn print(
    doctor: &HealthDoctorResponse,
    format: Format,
    context: &mut Context,
) -> Result<(), Failure> {
    if format != Format::Text {
        let table = Table {
            headers: vec!["state", "check", "what", "why", "fix"],
            rows: doctor
                .checks
                .iter()
                .map(|check| {
                    vec![
                        cell(word(check.state).0),
                        cell(check.id.as_str()),
                        cell(check.what.as_str()),
                        cell(check.why.as_str()),
                        cell(check.fix.as_str()),
                    ]
                })
                .collect(),
        };
        return show(
            &mut context.answer,
            format,
            &table,
            doctor,
            Some(("checks", "check")),
        );
    }
    let layout = context.answer.layout;
    let mut bad = 0;
    for check in &doctor.checks {
        let (word, role) = word(check.state);
        let mut text = layout.labelled(&format!("{word}  "), role, &escape::line(&check.what));
        if check.state != CheckState::Ok {
            bad += 1;
            for (label, told) in [("  why: ", &check.why), ("  fix: ", &check.fix)] {
                if !told.is_empty() {
                    text.push_str(&layout.labelled(label, Role::Dim, &escape::line(told)));
                }
            }
        }
        context.answer.write(&text)?;
    }
    context.answer.say(&format!(
        "{}, {}",
        count(doctor.checks.len() as u64, "check", "checks"),
        match bad {
            0 => "nothing to mend".to_owned(),
            bad => format!("{bad} to look at"),
        }
    ))?;
    context.answer.flush()
}

const fn word(state: CheckState) -> (&'static str, Role) {
    match state {
        CheckState::Ok => ("ok", Role::Good),
        CheckState::Warning => ("note", Role::Warning),
        CheckState::Error => ("fault", Role::Bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_never_told_by_colour_alone() {
        let words: Vec<&str> = [CheckState::Ok, CheckState::Warning, CheckState::Error]
            .into_iter()
            .map(|state| word(state).0)
            .collect();
        assert_eq!(words, ["ok", "note", "fault"]);
    }
}
