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
    convergio_contract::model::ModelList,
    convergio_contract::provider::ProviderList,
    convergio_contract::provider::ProviderAdd,
    convergio_contract::provider::ProviderSetKey,
    convergio_contract::provider::ProviderTest,
    convergio_contract::provider::ProviderRemove,
    convergio_contract::usage::UsageQuery,
    convergio_contract::usage::BudgetList,
    convergio_contract::usage::BudgetSet,
    convergio_contract::privacy::PrivacyEgress,
    convergio_contract::template::TemplateSave,
    convergio_contract::template::TemplateList,
    convergio_contract::template::TemplateRemove,
}
