//! Leave to send what is not a call of a model: the row that tells of it is committed first.

use convergio_contract::{RpcError, Uuid};
use convergio_egress::{EgressPermit, Origin, Url};
use convergio_models_api::Policy;
use convergio_runs::{NewEgress, RunsError};

use crate::{
    daemon::{Daemon, now_ms},
    failure::invalid,
    rpc::runs_error,
};

/// Whether a recorded destination is this machine itself. What cannot be read is not.
pub(crate) fn is_loopback(destination: &str) -> bool {
    let origin = Url::parse(destination)
        .ok()
        .and_then(|url| Origin::of(&url));
    origin.is_some_and(|origin| origin.is_loopback())
}

/// What is about to leave.
pub(crate) struct Leaving {
    /// Where to.
    pub(crate) url: Url,
    /// How many bytes of content.
    pub(crate) bytes: u64,
    /// What for, for a person.
    pub(crate) purpose: String,
    /// The policy in force.
    pub(crate) policy: Policy,
    /// `provider/model`, where it is about one.
    pub(crate) model: Option<String>,
    /// The run that it belongs to.
    pub(crate) run_id: Option<Uuid>,
}

impl Daemon {
    /// Under `local-only` nothing leaves this machine, and nobody is called who passes it on:
    /// a program at a loopback address that is not said to be `local` may stand for a cloud.
    pub(crate) fn refuse_elsewhere(
        &self,
        policy: Policy,
        url: &Url,
        local: bool,
    ) -> Result<(), RpcError> {
        let origin = Origin::of(url).filter(|origin| !(local && origin.is_loopback()));
        match origin {
            Some(origin) if policy == Policy::LocalOnly => Err(RpcError::new(
                convergio_contract::ErrorCode::EgressDenied,
                format!("{origin} was not called"),
            )
            .why("the policy is local-only")
            .hint("cv config explain models.policy")),
            _ => Ok(()),
        }
    }

    /// Commits the row and gives leave for one request. Under `local-only` nothing leaves.
    pub(crate) async fn permit(&self, leaving: Leaving) -> Result<EgressPermit, RpcError> {
        let Some(origin) = Origin::of(&leaving.url) else {
            return Err(invalid("the address is neither http nor https"));
        };
        self.refuse_elsewhere(leaving.policy, &leaving.url, true)?;
        let id = Uuid::now_v7();
        let row = NewEgress {
            id,
            run_id: leaving.run_id,
            attempt_id: None,
            destination: origin.to_string(),
            bytes: leaving.bytes,
            purpose: leaving.purpose.clone(),
            redactions: 0,
            policy: leaving.policy.as_str().to_owned(),
            model: leaving.model,
        };
        let tenant = self.runs().tenant();
        self.store
            .write("record what leaves", move |tx| {
                convergio_runs::record_egress(tx, tenant, &row, now_ms())?;
                Ok::<_, RunsError>(())
            })
            .await
            .map_err(runs_error)?;
        #[expect(clippy::disallowed_methods, reason = "the row is committed")]
        let permit = EgressPermit::granted_after_commit(id.to_string(), origin, leaving.purpose);
        Ok(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for here in [
            "http://127.0.0.1:11434",
            "http://localhost:80",
            "http://[::1]:1",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["https://api.openai.com", "http://10.0.0.1", "nonsense", ""] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
