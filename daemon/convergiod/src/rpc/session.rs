//! Conversations.

use convergio_contract::{
    RpcError,
    limits::PAGE_MAX,
    session::{
        SessionDelete, SessionDeleteParams, SessionDeleteResponse, SessionGet, SessionGetParams,
        SessionGetResponse, SessionInfo, SessionList, SessionListParams, SessionListResponse,
        SessionMessage,
    },
};
use convergio_runs::{MessageRole, RunsError, Session, SessionCursor, SessionFilter};

use super::{absolute, runs_error};
use crate::{
    daemon::{Daemon, now_ms},
    dispatch::{Call, Handle},
    failure,
    run_kinds::record::WriteError,
};

/// Rows where no limit is given.
const ROWS_DEFAULT: u32 = 50;
/// Messages that are read of one conversation.
const MESSAGES_MAX: usize = 1_000;
/// Bytes of messages in one answer: a line of the wire must hold them, however they are escaped.
const MESSAGES_MAX_BYTES: usize = 1 << 20;

fn info(session: Session) -> SessionInfo {
    SessionInfo {
        session_id: session.id,
        root: session.root.unwrap_or_default(),
        title: session.title.unwrap_or_default(),
        messages: u32::try_from(session.messages).unwrap_or(u32::MAX),
        created_ms: session.created_ms,
        updated_ms: session.active_ms,
    }
}

fn told(error: RunsError) -> RpcError {
    match error {
        RunsError::StillRunning { id } => runs_error(error).hint(format!("cv runs cancel {id}")),
        other => runs_error(other),
    }
}

impl Handle<SessionList> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: SessionListParams,
    ) -> Result<SessionListResponse, RpcError> {
        let limit = params.limit.unwrap_or(ROWS_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {PAGE_MAX}, not {limit}"
            )));
        }
        if let Some(root) = &params.root {
            absolute(root)?;
        }
        let cursor = match &params.cursor {
            Some(cursor) => Some(cursor.parse::<SessionCursor>().map_err(runs_error)?),
            None => None,
        };
        let filter = SessionFilter {
            root: params.root,
            cursor,
            limit: limit as usize,
        };
        let tenant = self.runs().tenant();
        let read = self.store.read("list conversations", move |conn| {
            convergio_runs::list_sessions(conn, tenant, &filter)
        });
        let page = read.await.map_err(runs_error)?;
        Ok(SessionListResponse {
            sessions: page.sessions.into_iter().map(info).collect(),
            cursor: page.next.map(|cursor| cursor.to_string()),
        })
    }
}

impl Handle<SessionGet> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: SessionGetParams,
    ) -> Result<SessionGetResponse, RpcError> {
        let tenant = self.runs().tenant();
        let read = self.store.read("read a conversation", move |conn| {
            let session = convergio_runs::get_session(conn, tenant, params.session_id)?;
            let messages = convergio_runs::messages(conn, tenant, params.session_id, MESSAGES_MAX)?;
            Ok::<_, RunsError>((session, messages))
        });
        let (session, mut messages) = read.await.map_err(told)?;
        let total = session.messages;
        let mut bytes = 0;
        let fits = messages.iter().rev().take_while(|message| {
            bytes += message.body.len();
            bytes <= MESSAGES_MAX_BYTES
        });
        // The last one is always told, however long.
        let kept = fits.count().max(1).min(messages.len());
        messages.drain(..messages.len() - kept);
        let more = total.saturating_sub(kept as u64);
        Ok(SessionGetResponse {
            session: info(session),
            messages: messages
                .into_iter()
                .map(|message| SessionMessage {
                    seq: message.seq,
                    role: match message.role {
                        MessageRole::System => "system",
                        MessageRole::User => "user",
                        MessageRole::Assistant => "assistant",
                    }
                    .to_owned(),
                    text: message.body,
                    model: message.model,
                    run_id: message.run_id,
                    created_ms: message.created_ms,
                })
                .collect(),
            messages_more: u32::try_from(more).unwrap_or(u32::MAX),
        })
    }
}

impl Handle<SessionDelete> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: SessionDeleteParams,
    ) -> Result<SessionDeleteResponse, RpcError> {
        let tenant = self.runs().tenant();
        let write = self.store.write("remove a conversation", move |tx| {
            let session = convergio_runs::get_session(tx, tenant, params.session_id)?;
            let runs = convergio_runs::delete_session(tx, tenant, params.session_id, now_ms())?;
            for run in runs {
                convergio_ledger::forget_details(tx, tenant.id(), run)?;
            }
            Ok::<_, WriteError>(session.messages)
        });
        let messages = write.await.map_err(|error| match error {
            WriteError::Runs(error) => told(error),
            other => other.told(),
        })?;
        Ok(SessionDeleteResponse {
            messages: u32::try_from(messages).unwrap_or(u32::MAX),
        })
    }
}
