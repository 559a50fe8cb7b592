//! The typed client: connect to the daemon or start it, agree on a version, call, cancel by
//! dropping, read a run's events across lost connections.
//!
//! Own code instead of a JSON-RPC client library, because the contract asks for what those hide:
//! a dropped call must name its id in `$/cancel`, the handshake and the first calls travel in
//! one write, and a lagging reader must resubscribe instead of failing.

mod arrival;
mod connection;
mod error;
mod events;
mod incoming;
mod spawn;
mod topics;

use std::{path::PathBuf, sync::Arc};

pub use connection::Pending;
pub use convergio_transport::{
    endpoint::{Endpoint, EndpointError, Environment},
    lock::Owner,
};
pub use error::ClientError;
pub use events::RunEvents;
pub use spawn::{SpawnNotice, running_owner};
pub use topics::{TopicNews, Topics};

use connection::Connection;
use convergio_contract::{
    Method, Uuid,
    daemon::{ClientCapabilities, ClientEnv, ClientInfo, InitializeParams, InitializeResponse},
};

/// How to reach the daemon, and as whom.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The daemon's binary, to start it where it does not run; none to connect only.
    pub daemon: Option<PathBuf>,
    /// Name and version of this client.
    pub client: ClientInfo,
    /// What this client can do.
    pub capabilities: ClientCapabilities,
    /// Its surroundings.
    pub env: ClientEnv,
}

/// A connection to the daemon. Cheap to clone; made for a current-thread runtime.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Arc<Connection>,
    options: Arc<ClientOptions>,
    notice: Option<SpawnNotice>,
}

impl Client {
    /// Connects, starting the daemon where that is allowed and needed. The handshake is queued
    /// and goes out with the first call.
    pub async fn connect(options: ClientOptions) -> Result<Self, ClientError> {
        let options = Arc::new(options);
        let (stream, notice) = spawn::connect_or_start(&options).await?;
        let handshake = InitializeParams {
            protocol_versions: convergio_contract::PROTOCOL_VERSIONS
                .iter()
                .map(|version| (*version).to_owned())
                .collect(),
            client: options.client.clone(),
            capabilities: options.capabilities.clone(),
            env: options.env.clone(),
        };
        let connection = Connection::open(stream, &handshake, Arc::clone(&options))?;
        Ok(Self {
            connection,
            options,
            notice,
        })
    }

    /// What a person should know about how the daemon was started, if anything.
    pub fn notice(&self) -> Option<SpawnNotice> {
        self.notice
    }

    /// The daemon's answer to the handshake.
    pub async fn server(&self) -> Result<InitializeResponse, ClientError> {
        self.connection.flush().await?;
        self.connection.initialized().await
    }

    /// Calls and waits at most the method's own timeout. Dropping the future sends `$/cancel`.
    pub async fn call<M: Method>(&self, params: &M::Params) -> Result<M::Response, ClientError> {
        let pending = self.queue::<M>(params)?;
        self.flush().await?;
        pending.response().await
    }

    /// Queues a call; [`Client::flush`] sends everything queued in one write.
    pub fn queue<M: Method>(&self, params: &M::Params) -> Result<Pending<M>, ClientError> {
        Connection::queue::<M>(&self.connection, params)
    }

    /// Sends what is queued.
    pub async fn flush(&self) -> Result<(), ClientError> {
        self.connection.flush().await
    }

    /// Opens a run's event stream behind what is queued, so that a run can be started and read
    /// in one write. Events after `after_seq` follow; a lost connection is resumed silently.
    pub fn subscribe(&self, run_id: Uuid, after_seq: u64) -> Result<RunEvents, ClientError> {
        RunEvents::open(self.clone(), run_id, after_seq)
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn options(&self) -> &ClientOptions {
        &self.options
    }
}
