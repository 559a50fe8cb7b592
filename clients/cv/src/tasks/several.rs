//! The same change of one task or of several: each is told, and what failed decides how the
//! command ends.

use convergio_client::{Client, ClientError};
use convergio_contract::{Method, task::TaskChanged};
use serde_json::{Value, json};

use super::{
    Here,
    changed::{self, Change, Deed},
};
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    table::Format,
};

/// Makes one call after the other on one connection. What fails stops nothing but itself, unless
/// the connection is gone.
pub fn each<M: Method>(
    params: Vec<M::Params>,
    activity: &str,
    context: &mut Context,
) -> Result<Vec<Result<M::Response, Failure>>, Failure> {
    let answers = daemon::call(
        context,
        Start::IfNeeded,
        activity,
        |client: Client| async move {
            let mut answers = Vec::with_capacity(params.len());
            for params in &params {
                let answer = client.call::<M>(params).await;
                let gone = matches!(answer, Err(ClientError::Disconnected { .. }));
                answers.push(answer);
                if gone {
                    break;
                }
            }
            Ok(answers)
        },
    )?;
    let failed = |answer: Result<M::Response, ClientError>| answer.map_err(daemon::failure);
    Ok(answers.into_iter().map(failed).collect())
}

/// What became of one of them.
#[derive(Debug)]
pub struct Outcome {
    /// As it was asked for: `3`, `line 2`.
    pub asked: String,
    /// What came of it.
    pub result: Result<Told, Failure>,
}

/// An answer of the daemon, and the change in it.
#[derive(Clone, Debug)]
pub enum Told {
    /// Of a task that was there.
    Changed(TaskChanged),
    /// Of a new one.
    Created(convergio_contract::task::TaskCreateResponse),
}

impl Told {
    fn change(&self) -> Option<Change<'_>> {
        match self {
            Self::Created(response) => Change::created(response),
            Self::Changed(TaskChanged::Ambiguous { .. }) => None,
            Self::Changed(TaskChanged::Changed {
                task,
                unchanged,
                notices,
                undo_id,
                said: _,
            }) => Some(Change {
                task,
                unchanged: *unchanged,
                notices,
                undo_id: *undo_id,
            }),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Changed(changed) => json!(changed),
            Self::Created(created) => json!(created),
        }
    }
}

/// Tells of all. One that failed alone is the command's own error; of several each is told, and the
/// worst decides how the command ends.
pub fn report(
    mut outcomes: Vec<Outcome>,
    deed: Deed,
    format: Format,
    here: &Here,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let alone = outcomes.len() == 1;
    if alone && outcomes.first().is_some_and(|one| one.result.is_err()) {
        return match outcomes.remove(0).result {
            Err(failure) => Err(failure),
            Ok(_) => Ok(Exit::Ok),
        };
    }
    for outcome in &mut outcomes {
        if let Err(failure) = &mut outcome.result {
            failure.what = format!("{}: {}", outcome.asked, failure.what);
        }
    }
    match format {
        Format::Text | Format::Md => text(&outcomes, deed, alone, here, context),
        Format::Json | Format::Ndjson => document(&outcomes, alone, format, context),
    }
}

fn text(
    outcomes: &[Outcome],
    deed: Deed,
    alone: bool,
    here: &Here,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Ok;
    for outcome in outcomes {
        match &outcome.result {
            Ok(told) => {
                if let Some(change) = told.change() {
                    changed::print(change, deed, alone, here, context)?;
                }
            }
            Err(failure) => {
                context.answer.flush()?;
                context.notes.failure(failure);
                exit = exit.or(failure.exit());
            }
        }
    }
    let changes = outcomes
        .iter()
        .filter_map(|outcome| outcome.result.as_ref().ok()?.change());
    changed::notices(changes.flat_map(|change| change.notices), context)?;
    Ok(exit)
}

fn document(
    outcomes: &[Outcome],
    alone: bool,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let value = |outcome: &Outcome| match &outcome.result {
        Ok(told) => {
            let mut value = told.value();
            value["asked"] = outcome.asked.as_str().into();
            value
        }
        Err(failure) => json!({"asked": outcome.asked, "error": failure.to_json()}),
    };
    let worst = worst(outcomes);
    let exit = worst.map_or(Exit::Ok, Failure::exit);
    if alone && let Some(outcome) = outcomes.first() {
        let mut value = value(outcome);
        value["v"] = 1.into();
        value["type"] = "completed".into();
        context.answer.json(&value)?;
    } else if format == Format::Json {
        let results: Vec<Value> = outcomes.iter().map(value).collect();
        let complete = worst.is_none();
        context
            .answer
            .json(&json!({"v": 1, "results": results, "complete": complete}))?;
    } else {
        for outcome in outcomes {
            let mut value = value(outcome);
            value["v"] = 1.into();
            value["type"] = match outcome.result {
                Ok(_) => "changed".into(),
                Err(_) => "refused".into(),
            };
            context.answer.json(&value)?;
        }
        context.answer.json(&match worst {
            None => json!({"v": 1, "type": "completed"}),
            Some(failure) => json!({"v": 1, "type": "failed", "error": failure.to_json()}),
        })?;
    }
    context.answer.flush()?;
    for outcome in outcomes {
        if let Err(failure) = &outcome.result {
            context.notes.failure(failure);
        }
    }
    Ok(exit)
}

/// The failure that decides how the command ends: the first of the highest rank.
fn worst(outcomes: &[Outcome]) -> Option<&Failure> {
    let mut worst: Option<&Failure> = None;
    for failure in outcomes
        .iter()
        .filter_map(|outcome| outcome.result.as_ref().err())
    {
        let so_far = worst.map_or(Exit::Ok, Failure::exit);
        if worst.is_none() || so_far.or(failure.exit()) != so_far {
            worst = Some(failure);
        }
    }
    worst
}
