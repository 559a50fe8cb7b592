//! The one place where an admitted model request becomes the right to send it.

use convergio_egress::EgressPermit;
use convergio_models_api::{ErrorClass, ModelError, ModelRequest, Permit, Permitted, Policy};

use crate::endpoint::Endpoint;

/// What an admission is worth: the request, the right to send it once, and whether the answer has
/// to come from this machine.
pub(crate) struct Sendable {
    pub(crate) request: ModelRequest,
    pub(crate) egress: EgressPermit,
    pub(crate) local: bool,
}

/// Uses an admission up. The permit must be for this endpoint and its row must exist; a call that
/// was admitted as local must be one.
pub(crate) fn sendable(
    admitted: Permitted<ModelRequest>,
    endpoint: &Endpoint,
) -> Result<Sendable, ModelError> {
    let (request, permit) = admitted.into_parts();
    match egress(&permit, &request, endpoint) {
        Ok(egress) => Ok(Sendable {
            request,
            egress,
            local: permit.local,
        }),
        Err(why) => Err(ModelError {
            provider: endpoint.name.clone(),
            class: ErrorClass::Denied,
            message: format!("not sent: {why}"),
            status: None,
            code: None,
            retry_after_ms: None,
            request_id: None,
        }),
    }
}

fn egress(
    permit: &Permit,
    request: &ModelRequest,
    endpoint: &Endpoint,
) -> Result<EgressPermit, &'static str> {
    if request.provider != endpoint.name {
        return Err("the request is for another provider");
    }
    let origin = endpoint
        .egress_origin()
        .ok_or("the provider's address is neither http nor https")?;
    if permit.destination != origin.to_string() {
        return Err("the permit is for another destination");
    }
    if permit.local && !endpoint.may_be_local(&request.model) {
        return Err("the permit is for a model on this machine, and this one is not");
    }
    if permit.policy == Policy::LocalOnly && !permit.local {
        return Err("the policy lets nothing leave this machine");
    }
    let id = permit
        .egress_id
        .ok_or("no row tells of the call")?
        .to_string();
    let purpose = format!("model call, attempt {}", permit.attempt_id);
    #[expect(
        clippy::disallowed_methods,
        reason = "the permit was consumed above, and its rows are committed"
    )]
    Ok(EgressPermit::granted_after_commit(id, origin, purpose))
}

/// What the daemon's adapter hands to discovery.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "stands for the row's commit")]
pub(crate) fn for_tests(endpoint: &Endpoint) -> EgressPermit {
    EgressPermit::granted_after_commit("row", endpoint.egress_origin().unwrap(), "a test")
}

#[cfg(test)]
mod tests {
    use convergio_egress::Url;
    use convergio_models_api::{Message, Role};
    use uuid::Uuid;

    use super::*;
    use crate::kind::Kind;

    fn endpoint(base: &str) -> Endpoint {
        Endpoint::new("mock", Kind::Ollama, Url::parse(base).unwrap())
    }

    fn request(model: &str) -> ModelRequest {
        ModelRequest {
            provider: "mock".to_owned(),
            model: model.to_owned(),
            system: None,
            messages: vec![Message::text(Role::User, "hi")],
            max_output: 16,
            temperature: None,
            output_schema: None,
            ..ModelRequest::default()
        }
    }

    fn permit() -> Permit {
        Permit {
            attempt_id: Uuid::nil(),
            run_id: Uuid::nil(),
            tenant_id: Uuid::nil(),
            profile_id: Uuid::nil(),
            policy: Policy::LocalFirst,
            local: false,
            destination: "http://127.0.0.1:9".to_owned(),
            egress_id: Some(Uuid::max()),
        }
    }

    #[test]
    fn a_permit_that_covers_the_call_becomes_the_right_to_send_it() {
        let endpoint = endpoint("http://127.0.0.1:9/x");
        let right = egress(&permit(), &request("m"), &endpoint).unwrap();
        assert_eq!(right.id(), Uuid::max().to_string());
        assert_eq!(right.origin().to_string(), "http://127.0.0.1:9");
    }

    #[test]
    fn whatever_does_not_cover_the_call_sends_nothing() {
        let here = endpoint("http://127.0.0.1:9");
        let far = endpoint("https://a.test");
        let far_permit = || Permit {
            destination: "https://a.test".to_owned(),
            ..permit()
        };
        let cases = [
            (permit(), request("m"), &far),
            (far_permit(), request("m"), &here),
            (
                Permit {
                    egress_id: None,
                    ..permit()
                },
                request("m"),
                &here,
            ),
            (
                Permit {
                    local: true,
                    ..far_permit()
                },
                request("m"),
                &far,
            ),
            (
                Permit {
                    local: true,
                    ..permit()
                },
                request("m:1t-cloud"),
                &here,
            ),
            (
                Permit {
                    policy: Policy::LocalOnly,
                    ..far_permit()
                },
                request("m"),
                &far,
            ),
            (
                permit(),
                ModelRequest {
                    provider: "other".to_owned(),
                    ..request("m")
                },
                &here,
            ),
        ];
        for (at, (permit, request, endpoint)) in cases.into_iter().enumerate() {
            assert!(egress(&permit, &request, endpoint).is_err(), "{at}");
        }
    }
}
