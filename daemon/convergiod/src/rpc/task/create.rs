//! New tasks: sentences taken apart, written down.

use convergio_contract::{
    RpcError,
    health::StartedBy,
    task::{
        TaskCreate, TaskCreateParams, TaskCreateResponse, TaskFields, TaskNotice, TaskPreview,
        TaskPreviewParams, TaskPreviewResponse, TaskReading,
    },
};
use convergio_tasks::{
    book::{self, Created, NewTask, TaskRow},
    when::{self, Answer, Language, When},
};
use convergio_transport::Endpoint;
use sha2::{Digest, Sha256};

use super::{
    Understood, WriteError,
    place::{self, Place},
    understand, undo, wire, with_time,
};
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
};

/// Reads a new task.
fn understand_new(params: &TaskCreateParams, place: &Place) -> Result<Understood, RpcError> {
    if let Some(text) = &params.text {
        one_line(text)?;
    }
    let understood = match (&params.text, &params.fields.title) {
        (Some(_), Some(_)) => {
            return Err(failure::invalid(
                "`text` and `fields.title` exclude each other",
            ));
        }
        (None, None) => return Err(failure::invalid("a task takes a title")),
        (None, Some(title)) => understand(&params.fields, place, title)?,
        // With a time said apart the sentence is the title, whole: nothing of it is lost.
        (Some(text), None) if params.fields.when.is_some() => {
            let title = text.trim().to_owned();
            let fields = TaskFields {
                title: Some(title.clone()),
                ..params.fields.clone()
            };
            understand(&fields, place, &title)?
        }
        (Some(text), None) => {
            let sentence =
                when::extract(text, &place.here).map_err(|error| place::not_understood(&error))?;
            has_title(&sentence.title)?;
            let mut fields = wire::fields(&params.fields)?;
            fields.title = Some(sentence.title.clone());
            match sentence.answer {
                Answer::One(found) => with_time(fields, found, place),
                Answer::Several(readings) => Understood::Several(
                    readings
                        .iter()
                        .map(|reading| place.reading(&sentence.title, &reading.when))
                        .collect(),
                ),
                Answer::Nothing => Understood::One(Box::new(fields), None),
            }
        }
    };
    if let Understood::One(fields, _) = &understood
        && params.needs_time
        && !matches!(fields.times, Some(Some(_)))
    {
        return Err(failure::invalid("it says no time at which to remind")
            .why("nothing was created")
            .hint("cv remind \"call Mario tomorrow at 9\""));
    }
    Ok(understood)
}

fn has_title(title: &str) -> Result<(), RpcError> {
    if title.trim().is_empty() {
        return Err(failure::invalid("nothing is left as a title")
            .why("all of it says when")
            .hint("cv remind \"call Mario tomorrow at 9\""));
    }
    Ok(())
}

/// A sentence is typed on one line; what drives a terminal is no part of one.
fn one_line(text: &str) -> Result<(), RpcError> {
    let wrong = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(wrong) {
        return Err(failure::invalid(
            "a sentence takes one line without control characters",
        ));
    }
    Ok(())
}

impl Daemon {
    /// Whether an installed service would be this daemon: not where its place is named.
    fn takes_a_service(&self) -> bool {
        Endpoint::resolve(&self.surroundings.transport).is_ok_and(|endpoint| !endpoint.explicit)
    }

    /// What a person should know of a time.
    pub(super) fn notices(
        &self,
        found: Option<&When>,
        task: &TaskRow,
        place: &Place,
    ) -> Vec<TaskNotice> {
        let italian = place.language() == Language::Italian;
        let mut notices: Vec<TaskNotice> = found
            .and_then(|found| place.clock_notice(found))
            .into_iter()
            .collect();
        let mut add = |kind: &str, text: String, hint: Option<&str>| {
            notices.push(TaskNotice {
                kind: kind.to_owned(),
                text,
                hint: hint.map(str::to_owned),
            });
        };
        if task.next.is_some() && self.started_by != StartedBy::Service {
            add(
                "daemon_not_installed",
                match italian {
                    false => "it fires only while the daemon runs".to_owned(),
                    true => "scatta solo mentre il servizio è in funzione".to_owned(),
                },
                self.takes_a_service().then_some("cv service install"),
            );
        }
        if task.next.is_none() && !task.remind_before_min.is_empty() && task.times.is_some() {
            add(
                "no_reminder_left",
                match italian {
                    false => "its reminders would have come before now".to_owned(),
                    true => "i suoi promemoria sarebbero già passati".to_owned(),
                },
                None,
            );
        }
        notices
    }
}

impl Handle<TaskCreate> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskCreateParams,
    ) -> Result<TaskCreateResponse, RpcError> {
        wire::version_7(params.task_id)?;
        let now_ms = self.reminders.clock.now_ms();
        let place = Place::of(&params.locale, now_ms)?;
        let asked = serde_json::to_vec(&params)
            .map_err(|error| failure::internal("the task could not be read", error.to_string()))?;
        let request_hash: [u8; 32] = Sha256::digest(asked).into();
        let understood = understand_new(&params, &place);
        let (tenant, profile) = (self.runs().tenant(), self.profile_id());
        let retention = self.runs().retention();
        let id = params.task_id;
        let (here, shown) = (place.clone(), place);
        let write = self.store.write("write a task down", move |tx| {
            // The same call at another time may be read otherwise: what it made counts.
            if let Some(row) = book::created_before(tx, tenant.id(), id, Some(request_hash))? {
                let said = here.said(&row);
                let task = wire::task(tx, row, &here)?;
                return Ok(Err(TaskCreateResponse::Created {
                    task: Box::new(task),
                    said,
                    replayed: true,
                    notices: Vec::new(),
                    undo_id: None,
                }));
            }
            let (fields, found) = match understood? {
                Understood::One(fields, found) => (fields, found),
                Understood::Several(readings) => {
                    return Ok(Err(TaskCreateResponse::Ambiguous { readings }));
                }
            };
            let new = NewTask {
                id,
                request_hash: Some(request_hash),
                uid: None,
                fields: *fields,
                created_ms: None,
                completed_ms: None,
            };
            let (row, images) = match book::create(tx, tenant.id(), profile, &new, now_ms)? {
                Created::New(row, images) => (*row, images),
                Created::Replayed(row) => (*row, book::Images::default()),
            };
            let label = wire::label("add", &row);
            let undo_id = undo::keep_tasks(tx, tenant, &retention, &label, images)?;
            let task = wire::task(tx, row.clone(), &here)?;
            Ok::<_, WriteError>(Ok((row, task, found, undo_id)))
        });
        let (row, task, found, undo_id) = match write.await.map_err(WriteError::told)? {
            Ok(made) => made,
            Err(answer) => return Ok(answer),
        };
        if row.next.is_some() {
            self.tasks_changed();
        }
        Ok(TaskCreateResponse::Created {
            said: task.said.clone(),
            task: Box::new(task),
            replayed: false,
            notices: self.notices(found.as_ref(), &row, &shown),
            undo_id,
        })
    }
}

impl Handle<TaskPreview> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskPreviewParams,
    ) -> Result<TaskPreviewResponse, RpcError> {
        let place = Place::of(&params.locale, self.reminders.clock.now_ms())?;
        one_line(&params.text)?;
        let sentence = when::extract(&params.text, &place.here)
            .map_err(|error| place::not_understood(&error))?;
        // It may be the time alone that is asked about: nothing is created here.
        let title = sentence.title;
        let readings = match sentence.answer {
            Answer::One(found) => vec![place.reading(&title, &found)],
            Answer::Several(readings) => readings
                .iter()
                .map(|reading| place.reading(&title, &reading.when))
                .collect(),
            Answer::Nothing => vec![TaskReading {
                title,
                due: None,
                repeat: None,
                said: String::new(),
                when: String::new(),
                notices: Vec::new(),
            }],
        };
        Ok(TaskPreviewResponse { readings })
    }
}
