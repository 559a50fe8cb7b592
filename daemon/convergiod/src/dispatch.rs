//! From a method's name to its body.
//!
//! Our own table instead of jsonrpsee's: a call needs its connection (peer, client, lanes), its
//! request id for `$/cancel`, and something to do behind its response (`run.subscribe`); all
//! three would be smuggled through jsonrpsee's extensions. The types of the wire are jsonrpsee's.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use convergio_contract::{ErrorCode, Method, RpcError, for_each_method};
use convergio_transport::message;
use jsonrpsee_types::Id;
use serde_json::value::RawValue;

use crate::{conn::Conn, daemon::Daemon};

/// Most responses fit into this.
const LINE_BYTES: usize = 512;

/// The body of one method.
pub(crate) trait Handle<M: Method> {
    /// Answers one call. Dropped where the call is cancelled or its connection ends.
    fn handle(
        &self,
        call: Call,
        params: M::Params,
    ) -> impl Future<Output = Result<M::Response, RpcError>> + Send;
}

/// A future without a name.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One call, as its body sees it.
#[derive(Clone)]
pub(crate) struct Call {
    /// Where it came from.
    pub(crate) conn: Arc<Conn>,
    then: Arc<Mutex<Option<Boxed<()>>>>,
}

impl Call {
    pub(crate) fn new(conn: Arc<Conn>) -> Self {
        Self {
            conn,
            then: Arc::default(),
        }
    }

    /// Lets `task` run as soon as the response is queued, until the connection ends.
    pub(crate) fn then(&self, task: impl Future<Output = ()> + Send + 'static) {
        *self.then.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(task));
    }

    /// What [`Self::then`] left.
    pub(crate) fn take_then(&self) -> Option<Boxed<()>> {
        self.then
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// The response line, or what went wrong.
pub(crate) type Answer = Result<Vec<u8>, RpcError>;

type Start =
    fn(Arc<Daemon>, Call, Id<'static>, Option<&RawValue>) -> Result<Boxed<Answer>, RpcError>;

/// One row of the table.
pub(crate) struct Entry {
    /// On the wire.
    pub(crate) name: &'static str,
    /// May be called before `initialize` was answered.
    pub(crate) before_initialize: bool,
    /// Reads the parameters and gives the body, not yet run.
    pub(crate) start: Start,
}

macro_rules! table {
    ($($method:path,)+) => {
        /// Every method of the contract; one without a body does not compile.
        static TABLE: &[Entry] = &[$(
            Entry {
                name: <$method as Method>::NAME,
                before_initialize: <$method as Method>::BEFORE_INITIALIZE,
                start: start::<$method>,
            },
        )+];
    };
}
for_each_method!(table);

/// The row of `name`.
pub(crate) fn find(name: &str) -> Result<&'static Entry, RpcError> {
    TABLE
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| {
            let shown: String = name.chars().take(60).collect();
            RpcError::new(
                ErrorCode::MethodNotFound,
                format!("there is no method {shown:?}"),
            )
        })
}

fn start<M: Method>(
    daemon: Arc<Daemon>,
    call: Call,
    id: Id<'static>,
    params: Option<&RawValue>,
) -> Result<Boxed<Answer>, RpcError>
where
    Daemon: Handle<M>,
{
    let params: M::Params = decode(M::NAME, params)?;
    let body = async move {
        let listens = *call.conn.topics.borrow() > 0;
        let _calling = listens.then(|| daemon.connections.calls(call.conn.number));
        let response = Handle::<M>::handle(&*daemon, call, params).await?;
        let mut line = Vec::with_capacity(LINE_BYTES);
        message::append_result(&mut line, &id, &response).map_err(|error| {
            RpcError::new(ErrorCode::Internal, "the response could not be written")
                .why(error.to_string())
        })?;
        Ok(line)
    };
    Ok(Box::pin(guarded(M::NAME, body)))
}

fn decode<P: serde::de::DeserializeOwned>(
    name: &str,
    params: Option<&RawValue>,
) -> Result<P, RpcError> {
    let text = params.map_or("{}", RawValue::get);
    if !text.starts_with('{') {
        return Err(RpcError::new(
            ErrorCode::InvalidParams,
            format!("{name} takes its parameters by name, as an object"),
        ));
    }
    serde_json::from_str(text).map_err(|error| {
        RpcError::new(
            ErrorCode::InvalidParams,
            format!("{name} was called wrongly"),
        )
        .why(error.to_string())
    })
}

/// A body whose panic is an error of its call alone.
async fn guarded(name: &'static str, body: impl Future<Output = Answer>) -> Answer {
    let mut body = pin!(body);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(context))) {
            Ok(polled) => polled,
            Err(panic) => Poll::Ready(Err(panicked(name, &*panic))),
        },
    )
    .await
}

fn panicked(name: &str, panic: &(dyn Any + Send)) -> RpcError {
    let why = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(method = name, why, "a method's body panicked");
    RpcError::new(
        ErrorCode::Internal,
        format!("{name} failed inside the daemon"),
    )
    .why("this is a fault of the daemon; its log says more")
    .hint("cv logs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Sample {
        #[serde(default)]
        n: u32,
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn parameters_come_by_name_or_not_at_all() {
        assert_eq!(decode::<Sample>("m", None).unwrap().n, 0);
        assert_eq!(
            decode::<Sample>("m", Some(&raw(r#"{"n":3}"#))).unwrap().n,
            3
        );
        for wrong in ["[3]", "3", "null", r#"{"n":"x"}"#] {
            let error = decode::<Sample>("m", Some(&raw(wrong))).unwrap_err();
            assert_eq!(error.kind(), Some(ErrorCode::InvalidParams), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_panic_in_a_body_is_an_internal_error() {
        let body = async { panic!("on purpose") };
        let error = guarded("m", body).await.unwrap_err();
        assert_eq!(error.kind(), Some(ErrorCode::Internal));
    }

    #[test]
    fn every_method_is_found_by_its_name() {
        for entry in TABLE {
            assert!(find(entry.name).is_ok_and(|found| std::ptr::eq(found, entry)));
        }
        assert_eq!(
            find("no.such").err().and_then(|error| error.kind()),
            Some(ErrorCode::MethodNotFound)
        );
    }
}
