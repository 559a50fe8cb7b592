//! What of a question another machine may read: all but its secrets. A model on this machine gets
//! it whole, and so does the conversation that is kept here.

use std::borrow::Cow;

use convergio_config::secrets::Redactor;
use convergio_contract::{ErrorCode, RpcError};
use convergio_models_api::{ModelRequest, Part};

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

fn mask(mut request: ModelRequest, redactor: &Redactor) -> Result<Outgoing, RpcError> {
    let schema = request
        .output_schema
        .as_ref()
        .map(|schema| schema.schema.to_string());
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let mut texts: Vec<&str> = parts.map(|Part::Text { text }| text.as_str()).collect();
    texts.extend(request.system.as_deref());
    texts.extend(schema.as_deref());
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
    let changed: Vec<Option<String>> = changed.by_ref().collect();
    let mut changed = changed.into_iter();
    let parts = request
        .messages
        .iter_mut()
        .flat_map(|message| &mut message.parts);
    for Part::Text { text } in parts {
        if let Some(without) = changed.next().flatten() {
            *text = without;
        }
    }
    if let Some(system) = &mut request.system
        && let Some(without) = changed.next().flatten()
    {
        *system = without;
    }
    if let Some(schema) = &mut request.output_schema
        && let Some(without) = changed.next().flatten()
    {
        schema.schema = serde_json::from_str(&without).map_err(|_| {
            RpcError::new(ErrorCode::InvalidParams, "the schema holds a secret")
                .why("it cannot be masked there; nothing was sent")
                .hint("cv ask --help")
        })?;
    }
    Ok(Outgoing {
        request,
        redactions,
    })
}
