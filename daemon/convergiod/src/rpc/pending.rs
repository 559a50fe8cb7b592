//! Methods that are declared and have no body yet.

use convergio_contract::{ErrorCode, Method, RpcError};

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
};

macro_rules! pending {
    ($($method:path,)+) => {$(
        impl Handle<$method> for Daemon {
            async fn handle(
                &self,
                _call: Call,
                _params: <$method as Method>::Params,
            ) -> Result<<$method as Method>::Response, RpcError> {
                Err(RpcError::new(
                    ErrorCode::MethodNotFound,
                    concat!(stringify!($method), " has no body yet"),
                ))
            }
        }
    )+};
}

pending! {
    convergio_contract::review::ReviewPreview,
}
