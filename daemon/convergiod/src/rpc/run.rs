//! Runs: their state, their events, their end.

use std::sync::Arc;

use convergio_contract::{
    ErrorCode, EventBody, RpcError, RunEvent, Uuid,
    event::{RUN_CLOSED, RunClosed},
    limits::PAGE_MAX,
    run::{
        RunCancel, RunCancelParams, RunGet, RunGetParams, RunInfo, RunList, RunListParams,
        RunListResponse, RunState, RunSubscribe, RunSubscribeParams, RunSubscribeResponse,
    },
};
use convergio_runs::{Event, ListFilter, Run, RunCursor, RunKind, RunsError, Tenant};
use convergio_transport::message;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    bus::{
        flow::Place,
        run::{EventLine, LiveRun, Next, Reader, event_line},
    },
    conn::{Conn, Subscribed},
    daemon::{Daemon, now_ms},
    dispatch::{Call, Handle},
    failure,
    lanes::StreamEnd,
    run_kinds::record::keeps,
};

/// Events that are read from the database at once.
const PAGE_EVENTS: usize = 256;
/// Rows where no limit is given.
const ROWS_DEFAULT: u32 = 50;
/// What a run is said to have failed with when its daemon ended before it.
const INTERRUPTED: &str = "interrupted";

/// The terminal event of a run that its daemon did not live to end.
pub(crate) fn interrupted_payload(id: Uuid, kind: RunKind) -> Box<RawValue> {
    let hint = match kind {
        RunKind::Review => "cv review".to_owned(),
        RunKind::Chat => format!("cv runs resume {id}"),
        RunKind::Gateway => format!("cv usage why {id}"),
    };
    let mut error = RpcError::new(ErrorCode::Internal, "the daemon ended before the run")
        .why("it was killed, or the machine went down")
        .hint(hint);
    if let Some(data) = &mut error.data {
        INTERRUPTED.clone_into(&mut data.slug);
    }
    payload(&EventBody::Failed { error })
}

/// An event's content as it is stored.
pub(crate) fn payload(body: &EventBody) -> Box<RawValue> {
    serde_json::value::to_raw_value(body).unwrap_or_else(|error| {
        // Strings, numbers and lists always serialize.
        tracing::error!(%error, "an event could not be written");
        RawValue::NULL.to_owned()
    })
}

/// An error of the runs' tables.
pub(crate) fn error(error: RunsError) -> RpcError {
    let code = match &error {
        RunsError::Store(inner) => return failure::store(inner),
        RunsError::NotFound {
            what: "session", ..
        } => {
            return RpcError::new(ErrorCode::NotFound, error.to_string())
                .why("it never was, or it was removed")
                .hint("cv sessions list --all");
        }
        RunsError::NotFound { .. } => ErrorCode::NotFound,
        RunsError::Conflict { .. }
        | RunsError::Ended { .. }
        | RunsError::StillRunning { .. }
        | RunsError::UndoSpent { .. } => ErrorCode::Conflict,
        RunsError::TooLarge { .. } => ErrorCode::TooLarge,
        RunsError::Invalid { .. } => ErrorCode::InvalidParams,
        _ => ErrorCode::Internal,
    };
    RpcError::new(code, error.to_string())
}

/// What of a terminal event goes into [`RunInfo`].
#[derive(Deserialize)]
struct Terminal {
    #[serde(default)]
    summary: Option<Counted>,
    #[serde(default)]
    error: Option<Failed>,
}

#[derive(Deserialize)]
struct Counted {
    findings: u32,
}

#[derive(Deserialize)]
struct Failed {
    #[serde(default)]
    data: Option<Slug>,
}

#[derive(Deserialize)]
struct Slug {
    slug: String,
}

/// A run of the database as it travels.
pub(crate) fn info(run: Run, terminal: Option<&Event>, saved: bool) -> RunInfo {
    let terminal: Option<Terminal> =
        terminal.and_then(|event| serde_json::from_str(event.payload.get()).ok());
    let (findings, error) = terminal.map_or((None, None), |terminal| {
        let slug = terminal.error.and_then(|error| error.data);
        (
            terminal.summary.map(|summary| summary.findings),
            slug.map(|slug| slug.slug),
        )
    });
    let failed = run.state == convergio_runs::RunState::Failed;
    RunInfo {
        run_id: run.id,
        kind: run.kind.as_str().to_owned(),
        state: state(run.state),
        root: run.root.unwrap_or_default(),
        selection: run.selection.unwrap_or_default(),
        started_ms: run.started_ms,
        ended_ms: run.ended_ms,
        findings,
        last_seq: run.last_seq,
        saved,
        // The events may be gone; the outcome stays with the row.
        error: error.or(if failed { run.outcome } else { None }),
    }
}

fn state(state: convergio_runs::RunState) -> RunState {
    match state {
        convergio_runs::RunState::Running => RunState::Running,
        convergio_runs::RunState::Completed => RunState::Completed,
        convergio_runs::RunState::Failed => RunState::Failed,
        convergio_runs::RunState::Cancelled => RunState::Cancelled,
    }
}

fn wire_state(state: RunState) -> convergio_runs::RunState {
    match state {
        RunState::Running => convergio_runs::RunState::Running,
        RunState::Completed => convergio_runs::RunState::Completed,
        RunState::Failed => convergio_runs::RunState::Failed,
        RunState::Cancelled => convergio_runs::RunState::Cancelled,
    }
}

fn terminal(
    connection: &convergio_store::Connection,
    run: &Run,
) -> Result<Option<Event>, RunsError> {
    if run.ended_ms.is_none() || run.last_seq == 0 {
        return Ok(None);
    }
    let page = convergio_runs::events(connection, run.id, run.last_seq - 1, 1)?;
    Ok(page.events.into_iter().next())
}

impl Daemon {
    /// A run that is in progress, accepted, or ended and nowhere else.
    async fn live_run(&self, id: Uuid) -> Option<Arc<LiveRun>> {
        let run = self.live.find(id)?;
        run.accepted().await.then_some(run)
    }

    /// A run, wherever it is.
    pub(crate) async fn run_info(&self, id: Uuid) -> Result<RunInfo, RpcError> {
        if let Some(run) = self.live_run(id).await {
            return Ok(run.info());
        }
        let tenant = self.runs().tenant();
        let saved = keeps(&self.store);
        let read = self.store.read("get a run", move |connection| {
            let run = convergio_runs::get(connection, tenant, id)?;
            let terminal = terminal(connection, &run)?;
            Ok(info(run, terminal.as_ref(), saved))
        });
        read.await.map_err(|found| match found {
            RunsError::NotFound { .. } => failure::no_such_run(id),
            other => error(other),
        })
    }
}

impl Handle<RunGet> for Daemon {
    async fn handle(&self, _call: Call, params: RunGetParams) -> Result<RunInfo, RpcError> {
        self.run_info(params.run_id).await
    }
}

fn list_page(
    connection: &convergio_store::Connection,
    tenant: Tenant,
    filter: &ListFilter,
    saved: bool,
) -> Result<(Vec<RunInfo>, Option<RunCursor>), RunsError> {
    let page = convergio_runs::list(connection, tenant, filter)?;
    let infos = page.runs.into_iter().map(|run| {
        let terminal = terminal(connection, &run)?;
        Ok(info(run, terminal.as_ref(), saved))
    });
    Ok((infos.collect::<Result<_, RunsError>>()?, page.next))
}

impl Handle<RunList> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: RunListParams,
    ) -> Result<RunListResponse, RpcError> {
        let limit = params.limit.unwrap_or(ROWS_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {PAGE_MAX}, not {limit}"
            )));
        }
        let cursor = match &params.cursor {
            Some(cursor) => Some(cursor.parse::<RunCursor>().map_err(error)?),
            None => None,
        };
        let filter = ListFilter {
            state: params.state.map(wire_state),
            kind: None,
            cursor,
            limit: limit as usize,
        };
        let tenant = self.runs().tenant();
        let saved = keeps(&self.store);
        let read = self.store.read("list runs", move |connection| {
            list_page(connection, tenant, &filter, saved)
        });
        let (mut runs, next) = read.await.map_err(error)?;
        if params.cursor.is_none() {
            // What no database has comes first; it is few, and gone with the daemon.
            let mut unsaved = self.live.unsaved();
            unsaved.retain(|run| params.state.is_none_or(|state| run.state == state));
            runs.retain(|run| unsaved.iter().all(|other| other.run_id != run.run_id));
            unsaved.append(&mut runs);
            runs = unsaved;
        }
        Ok(RunListResponse {
            runs,
            cursor: next.map(|cursor| cursor.to_string()),
        })
    }
}

impl Handle<RunCancel> for Daemon {
    async fn handle(&self, _call: Call, params: RunCancelParams) -> Result<RunInfo, RpcError> {
        if let Some(run) = self.live.find(params.run_id) {
            // At once: what it waits for before it is accepted may take long.
            run.cancel("a client asked for it");
            if run.accepted().await {
                return Ok(run.ended().await);
            }
        }
        // Ended already: that is what was wanted.
        self.run_info(params.run_id).await
    }
}

impl Handle<RunSubscribe> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: RunSubscribeParams,
    ) -> Result<RunSubscribeResponse, RpcError> {
        let counted = call.conn.subscription()?;
        // Registered before anything is waited for, so that the run does not miss its reader.
        let reader = self.live.find(params.run_id).map(|run| run.reader());
        let accepted = match &reader {
            Some(reader) => reader.run().accepted().await,
            None => false,
        };
        let reader = reader.filter(|_| accepted);
        let last_seq = match &reader {
            Some(reader) => reader.run().info().last_seq,
            None => {
                let info = self.run_info(params.run_id).await?;
                if info.last_seq == 0 {
                    return Err(RpcError::new(
                        ErrorCode::NotFound,
                        format!("the events of run {} are no longer kept", params.run_id),
                    )
                    .hint("cv runs"));
                }
                info.last_seq
            }
        };
        let subscription = Subscription {
            runs: self.runs().clone(),
            conn: Arc::clone(&call.conn),
            run_id: params.run_id,
            place: Place::after(params.after_seq),
            last_seq,
            reader,
            _counted: counted,
        };
        let opened = call.conn.outbox.stalls();
        call.then(subscription.stream(opened));
        Ok(RunSubscribeResponse { last_seq })
    }
}

/// One reader's way through a run's events.
struct Subscription {
    runs: convergio_runs::Runs,
    conn: Arc<Conn>,
    run_id: Uuid,
    /// Sent up to here.
    place: Place,
    /// What there was when it was opened.
    last_seq: u64,
    reader: Option<Reader>,
    _counted: Subscribed,
}

/// What a look for further events gave.
enum Found {
    Events(Vec<(u64, EventLine)>),
    Text(EventLine, Place),
    Nothing,
}

impl Subscription {
    async fn stream(mut self, opened: u64) {
        loop {
            let sent = match self.next().await {
                Ok(Found::Events(events)) => self.send(events, opened).await,
                Ok(Found::Text(line, behind)) => {
                    let sent = self.conn.outbox.send_event(&line, opened).await;
                    self.place = behind;
                    sent
                }
                Ok(Found::Nothing) => return,
                Err(error) => {
                    tracing::warn!(%error, run = %self.run_id, "events could not be read");
                    return self.close();
                }
            };
            match sent {
                Ok(()) => {}
                Err(StreamEnd::Closed) => return,
                Err(StreamEnd::Stalled) => {
                    tracing::info!(conn = self.conn.number, run = %self.run_id, "a reader stalled");
                    return self.close();
                }
            }
        }
    }

    async fn send(&mut self, events: Vec<(u64, EventLine)>, opened: u64) -> Result<(), StreamEnd> {
        for (seq, line) in events {
            self.conn.outbox.send_event(&line, opened).await?;
            self.place.after_seq = seq;
        }
        Ok(())
    }

    /// Tells the client to subscribe again; until its connection ends it counts as a reader.
    fn close(self) {
        let closed = RunClosed {
            run_id: self.run_id,
            after_seq: self.place.after_seq,
        };
        let mut line = Vec::new();
        if message::append_notification(&mut line, RUN_CLOSED, &closed).is_ok() {
            self.conn.outbox.notice(line);
        }
        if let Some(reader) = self.reader {
            self.conn.keep_stalled(reader);
        }
    }

    async fn next(&self) -> Result<Found, RunsError> {
        let Some(reader) = &self.reader else {
            return self.stored().await;
        };
        match reader.run().next(self.place).await {
            Next::Events(events) => Ok(Found::Events(events)),
            Next::Text(line, behind) => Ok(Found::Text(line, behind)),
            Next::Ended => Ok(Found::Nothing),
            Next::Older if reader.run().info().saved => self.stored().await,
            Next::Older => Ok(self.gap(reader.run().first_kept() - 1)),
        }
    }

    async fn stored(&self) -> Result<Found, RunsError> {
        let page = self
            .runs
            .events(self.run_id, self.place.after_seq, PAGE_EVENTS)
            .await?;
        let first = page.events.first().map(|event| event.seq);
        match first {
            // Expired, all or the beginning.
            None if self.place.after_seq < self.last_seq => Ok(self.gap(self.last_seq)),
            None => Ok(Found::Nothing),
            Some(first) if first > self.place.after_seq.saturating_add(1) => {
                Ok(self.gap(first - 1))
            }
            Some(_) => Ok(Found::Events(
                page.events
                    .iter()
                    .map(|event| (event.seq, stored_line(event)))
                    .collect(),
            )),
        }
    }

    fn gap(&self, to_seq: u64) -> Found {
        let event = RunEvent {
            run_id: self.run_id,
            seq: None,
            at_ms: now_ms(),
            body: EventBody::Gap {
                from_seq: self.place.after_seq.saturating_add(1),
                to_seq,
            },
        };
        Found::Events(vec![(to_seq, event_line(&event))])
    }
}

/// A stored event as a line. What is stored is the event's own part of the line, so it is copied
/// and not read.
fn stored_line(event: &Event) -> EventLine {
    let own = event.payload.get().strip_prefix('{').unwrap_or("}");
    let line = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"run.event\",\"params\":{{\"run_id\":\"{}\",\"seq\":{},\"at_ms\":{},{own}}}\n",
        event.run_id, event.seq, event.at_ms,
    );
    line.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use convergio_runs::EventType;

    use super::*;

    #[test]
    fn a_stored_event_travels_as_a_live_one_does() {
        let body = EventBody::Started {
            kind: "review".into(),
            selection: "a \"quoted\" one".into(),
        };
        let run_id = Uuid::now_v7();
        let stored = Event {
            run_id,
            seq: 7,
            event_type: EventType::Started,
            at_ms: 12,
            payload: payload(&body),
        };
        let live = RunEvent {
            run_id,
            seq: Some(7),
            at_ms: 12,
            body,
        };
        assert_eq!(stored_line(&stored), event_line(&live));
    }

    #[test]
    fn an_interrupted_run_says_so_in_its_slug() {
        let failed = interrupted_payload(Uuid::now_v7(), RunKind::Review);
        assert!(
            failed.get().contains("\"slug\":\"interrupted\""),
            "{failed}"
        );
    }
}
