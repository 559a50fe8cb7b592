//! What of a question another machine may read: all but its secrets. A model on this machine gets
//! it whole, and so does the conversation that is kept here.

use std::borrow::Cow;

use convergio_config::secrets::Redactor;
use convergio_contract::{ErrorCode, RpcError};
use convergio_models_api::ModelRequest;

use crate::failure::internal;

/// Less text than this is searched where it stands: a thread of its own costs more.
const SEARCHED_AT_ONCE_MAX_BYTES: u64 = 16 << 10;

/// A request as it may leave this machine.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// Without the secrets.
    pub(crate) request: ModelRequest,
    /// Distinct secrets that were masked.
    pub(crate) redactions: u32,
}

/// The request without its secrets: those whose form the review knows, and this machine's own
/// keys.
///
/// # Errors
/// What cannot be searched is not sent.
pub(crate) async fn outgoing(
    request: ModelRequest,
    redactor: Redactor,
) -> Result<Outgoing, RpcError> {
    if request.text_bytes() <= SEARCHED_AT_ONCE_MAX_BYTES {
        return mask(request, &redactor);
    }
    let masking = tokio::task::spawn_blocking(move || mask(request, &redactor));
    masking.await.unwrap_or_else(|error| {
        Err(internal(
            "the question could not be searched for secrets",
            error.to_string(),
        ))
    })
}

/// The schemas that the model reads, in a fixed order.
fn schemas(request: &mut ModelRequest) -> Vec<&mut serde_json::Value> {
    let shape = request.output_schema.iter_mut();
    let tools = request.tools.iter_mut();
    shape
        .map(|shape| &mut shape.schema)
        .chain(tools.map(|tool| &mut tool.input_schema))
        .collect()
}

fn mask(mut request: ModelRequest, redactor: &Redactor) -> Result<Outgoing, RpcError> {
    let shapes: Vec<String> = schemas(&mut request)
        .into_iter()
        .map(|schema| schema.to_string())
        .collect();
    let written: Vec<String> = request
        .texts_mut()
        .into_iter()
        .map(|text| text.clone())
        .collect();
    let mut texts: Vec<&str> = written.iter().map(String::as_str).collect();
    texts.extend(shapes.iter().map(String::as_str));
    let masked = convergio_review::mask_secrets(&texts).map_err(|error| {
        internal(
            "the question could not be searched for secrets",
            format!("{error}; nothing was sent"),
        )
    })?;
    let mut redactions = masked.count;
    let mut changed = masked.texts.into_iter().map(|text| {
        // Keys of this machine have no form that a rule would know.
        match redactor.redact(&text) {
            Cow::Owned(without) => {
                redactions = redactions.saturating_add(1);
                Some(without)
            }
            Cow::Borrowed(_) => match text {
                Cow::Owned(without) => Some(without),
                Cow::Borrowed(_) => None,
            },
        }
    });
    for text in request.texts_mut() {
        if let Some(without) = changed.next().flatten() {
            *text = without;
        }
    }
    for schema in schemas(&mut request) {
        if let Some(without) = changed.next().flatten() {
            *schema = serde_json::from_str(&without).map_err(|_| {
                RpcError::new(ErrorCode::InvalidParams, "a schema holds a secret")
                    .why("it cannot be masked there; nothing was sent")
                    .hint("cv ask --help")
            })?;
        }
    }
    drop(changed);
    Ok(Outgoing {
        request,
        redactions,
    })
}
