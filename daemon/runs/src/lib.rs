//! Runs and what hangs on them: the durable event log, conversations, what left the machine,
//! templates, undo entries, silenced findings.
//!
//! Two layers. The functions that take a [`convergio_store::Tx`] or a connection are the SQL; an
//! adapter composes several of them (and other crates') into one commit. [`Runs`] is the async
//! facade for everyone who needs just one.
//!
//! What holds, whatever the order of calls:
//!
//! - A run's `seq` starts at 1 and has no gap.
//! - A run has at most one terminal event, it is the last, and the run's state says the same.
//! - A repeated `run_id` or idempotency key with the same request hash replays; with another hash
//!   it is [`RunsError::Conflict`].
//!
//! Payloads are JSON that this crate never looks into.

mod accept;
mod answer;
mod egress;
mod error;
mod event;
mod facade;
mod log;
mod query;
mod recovery;
mod retention;
mod run;
mod session;
mod silence;
mod template;
mod token;
mod undo;

pub use accept::{Accepted, NewRun, accept, by_key};
pub use answer::{
    ANSWER_BYTES_MAX, NewAnswer, answers_given_again, keep_answer, kept_answer, use_answer,
};
pub use egress::{
    Egress, EgressCursor, EgressFilter, EgressPage, EgressTotals, NewEgress, egress_by_destination,
    egress_of_run, egress_totals, list_egress, record_egress,
};
pub use error::RunsError;
pub use event::{Event, EventPage, EventType};
pub use facade::Runs;
pub use log::{
    Ending, NewEvent, PAGE_BYTES_MAX, PAGE_EVENTS_MAX, PAYLOAD_BYTES_MAX, RUN_EVENTS_MAX, append,
    events, finish,
};
pub use query::{FINDINGS_MAX, ListFilter, RunCursor, RunPage, get, latest_review, list};
pub use recovery::recover;
pub use retention::{Pruned, Retention, delete, prune};
pub use run::{Run, RunKind, RunState, Tenant, local_profile, local_tenant};
pub use session::{
    MESSAGE_BYTES_MAX, Message, MessageRole, NewMessage, NewSession, SESSION_MESSAGES_MAX, Session,
    SessionCursor, SessionFilter, SessionPage, append_message, create_session, delete_session,
    get_session, latest_session, list_sessions, messages,
};
pub use silence::{
    NewSilence, SILENCES_MAX, Silence, add as add_silence, list as list_silences,
    remove as remove_silence,
};
pub use template::{
    NewTemplate, TEMPLATE_BYTES_MAX, TEMPLATES_BYTES_MAX, TEMPLATES_MAX, Template, get_template,
    list_templates, remove_template, save_template,
};
pub use token::{
    NewToken, TOKENS_MAX, Token, create_token, find_token, list_tokens, revoke_bound_tokens,
    revoke_token, touch_token,
};
pub use undo::{
    IMAGE_BYTES_MAX, NewUndo, Undo, UndoEntry, UndoState, get as get_undo, latest as latest_undo,
    list as list_undo, put as put_undo, set_state as set_undo_state,
};
