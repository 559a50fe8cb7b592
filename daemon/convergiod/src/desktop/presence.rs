//! Who we are to others on the session bus: `org.convergio.Daemon1`. A thin adapter: what can be
//! done is on the socket, and this says where that is.

use std::sync::{Arc, Weak};

use convergio_contract::RpcError;
use convergio_store::StoreError;
use convergio_tasks::{book, filter::fold};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use zbus::{
    Connection, fdo,
    fdo::{RequestNameFlags, RequestNameReply},
    interface,
};

use crate::{
    daemon::Daemon,
    failure,
    menu::{Language, inert, moment},
    version,
};

const NAME: &str = "org.convergio.Daemon1";
const PATH: &str = "/org/convergio/Daemon1";
/// The longest question, in bytes.
const QUERY_MAX_BYTES: usize = 1024;
/// Results of one search.
const RESULTS_MAX: usize = 10;

struct Presence {
    daemon: Weak<Daemon>,
    socket: String,
}

#[interface(name = "org.convergio.Daemon1")]
impl Presence {
    /// Tasks that fit the words: id, title, and when it is due in words. Ten at most; nothing
    /// leaves the machine, and no model is asked.
    async fn search(&self, query: String) -> fdo::Result<Vec<(String, String, String)>> {
        if query.len() > QUERY_MAX_BYTES {
            let why = format!("a search has {QUERY_MAX_BYTES} bytes at most");
            return Err(fdo::Error::InvalidArgs(why));
        }
        let daemon = self.daemon.upgrade();
        let daemon = daemon.ok_or_else(|| fdo::Error::Failed("the daemon is ending".to_owned()))?;
        daemon
            .search_tasks(query)
            .await
            .map_err(|error| fdo::Error::Failed(error.message))
    }

    /// Shows the launcher's window. There is none yet, and this says so.
    fn show_launcher(&self) -> fdo::Result<()> {
        Err(fdo::Error::NotSupported(
            "no launcher is installed; `cv pick` offers the same to rofi and dmenu".to_owned(),
        ))
    }

    /// Where JSON-RPC is spoken.
    #[zbus(property(emits_changed_signal = "const"))]
    fn socket_path(&self) -> &str {
        &self.socket
    }

    /// The daemon's version.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &str {
        version::OURS
    }
}

/// Serves it, under the well-known name as soon as nobody else has that.
pub(super) async fn offer(bus: &Connection, daemon: &Arc<Daemon>) -> zbus::Result<String> {
    let presence = Presence {
        daemon: Arc::downgrade(daemon),
        socket: daemon.shown.socket.clone(),
    };
    bus.object_server().at(PATH, presence).await?;
    // No flag at all: where a daemon with another home has the name, ours waits in its queue.
    let flags = RequestNameFlags::AllowReplacement & RequestNameFlags::DoNotQueue;
    let reply = bus.request_name_with_flags::<&str>(NAME, flags).await?;
    Ok(match reply {
        RequestNameReply::InQueue => {
            format!("another daemon is {NAME} on the session bus; this one follows it")
        }
        RequestNameReply::PrimaryOwner
        | RequestNameReply::AlreadyOwner
        | RequestNameReply::Exists => format!("others find us as {NAME} on the session bus"),
    })
}

/// A task as others list it: id, title, when it is due.
type Found = (String, String, String);

/// The unfinished tasks that hold all words of `query`, whatever their case and accents, the next
/// due first.
fn search(
    connection: &convergio_store::Connection,
    tenant: convergio_contract::Uuid,
    query: &str,
    now: &Zoned,
    language: Language,
) -> Result<Vec<Found>, StoreError> {
    let query = fold(query);
    let words: Vec<&str> = query.split_whitespace().collect();
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let mut tasks = book::every(connection, tenant, false, false)?;
    tasks.retain(|task| {
        let project = task.project.as_deref().unwrap_or_default();
        let text = fold(&format!("{} {project} {}", task.title, task.tags.join(" ")));
        words.iter().all(|word| text.contains(word))
    });
    tasks.sort_by_key(|task| {
        let due_ms = task.times.as_ref().map_or(i64::MAX, |times| times.due_ms);
        (due_ms, task.number)
    });
    tasks.truncate(RESULTS_MAX);
    let found = tasks.into_iter().map(|task| {
        let said = task.times.as_ref().map_or_else(String::new, |times| {
            let at = Timestamp::from_millisecond(times.due_ms).unwrap_or_default();
            let at = at.to_zoned(now.time_zone().clone());
            moment(&at, now, times.all_day, language)
        });
        (format!("task:{}", task.number), inert(&task.title), said)
    });
    Ok(found.collect())
}

impl Daemon {
    async fn search_tasks(&self, query: String) -> Result<Vec<Found>, RpcError> {
        let tenant = self.runs().tenant().id();
        let now = Timestamp::from_millisecond(self.reminders.clock.now_ms()).unwrap_or_default();
        let now = now.to_zoned(TimeZone::system());
        let language = self.language(None);
        let read = self.store.read("search tasks", move |conn| {
            search(conn, tenant, &query, &now, language)
        });
        read.await.map_err(|error| failure::store(&error))
    }
}
