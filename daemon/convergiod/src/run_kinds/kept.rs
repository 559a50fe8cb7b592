//! Answers that are kept and given again: to exactly the same request, of the same person, under
//! the same policy. Only whole ones are kept, and only where somebody asked for it.

use std::sync::Arc;

use convergio_config::{CACHE_ENABLED, CACHE_MAX_BYTES, CACHE_TTL_HOURS, Settings};
use convergio_contract::{EventBody, Uuid, model::UsageReport, run::RunOptions};
use convergio_engine::{Channel, Route, Shown};
use convergio_models_api::{ModelEvent, ModelRequest, Policy, StopReason, ToolCall};
use convergio_runs::{ANSWER_BYTES_MAX, NewAnswer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    calls::{Acceptance, Answer, Calls, Wanted},
    outgoing::outgoing,
    record::WriteError,
};
use crate::{bus::flow, daemon::now_ms};

/// Whether the answer to a request is kept and given again: asked for with the run, or by the
/// settings where the request leaves nothing to chance. Never for an ephemeral run.
pub(super) fn keeps(settings: &Settings, options: &RunOptions, request: &ModelRequest) -> bool {
    !options.ephemeral && (options.cache || by_settings(settings, request))
}

/// The same for a program's request: `said` is what it says itself, if it does.
pub(super) fn programs(settings: &Settings, said: Option<bool>, request: &ModelRequest) -> bool {
    said.unwrap_or_else(|| by_settings(settings, request))
}

fn by_settings(settings: &Settings, request: &ModelRequest) -> bool {
    settings.value(&CACHE_ENABLED) && request.temperature == Some(0.0)
}

/// An answer as it is kept.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Body {
    parts: Vec<String>,
    tool_calls: Vec<ToolCall>,
    stop: StopReason,
}

/// Names what is asked: the request as its model reads it, who asks, behind which token, and where
/// answers may come from. Another release may ask in other words, so it has other names.
fn key(
    request: &ModelRequest,
    profile_id: Uuid,
    token: Option<&str>,
    policy: Policy,
) -> Option<[u8; 32]> {
    let request = serde_json::to_vec(request).ok()?;
    let mut hash = Sha256::new();
    for part in [
        b"answer".as_slice(),
        env!("CARGO_PKG_VERSION").as_bytes(),
        profile_id.as_bytes(),
        token.unwrap_or_default().as_bytes(),
        policy.as_str().as_bytes(),
        &request,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Some(hash.finalize().into())
}

impl Calls {
    /// What this route's model would read, named.
    async fn key(&self, wanted: &Wanted, route: &Route) -> Option<[u8; 32]> {
        let mut request = match route.local || !wanted.masks {
            true => wanted.request.clone(),
            false => {
                let redactor = self.daemon.models.secrets.redactor();
                let masked = outgoing(wanted.request.clone(), redactor).await.ok()?;
                masked.request
            }
        };
        request.provider.clone_from(&route.target.provider);
        request.model.clone_from(&route.target.model);
        let token = self.context.token.as_deref();
        key(&request, self.daemon.profile_id(), token, self.policy())
    }

    /// The kept answer of the first route, given again: shown as if it came now, and accepted with
    /// the run. None where there is none; what cannot be read is asked for anew.
    pub(super) async fn again(
        &self,
        wanted: &Wanted,
        acceptance: &mut Option<Acceptance>,
    ) -> Option<Result<Answer, WriteError>> {
        let route = self.first_route()?.clone();
        let key = self.key(wanted, &route).await?;
        let tenant = self.daemon.runs().tenant();
        let found = self.daemon.store.read("read a kept answer", move |conn| {
            convergio_runs::kept_answer(conn, tenant, &key, now_ms())
        });
        let body: Body = serde_json::from_str(&found.await.ok()??).ok()?;
        let used = EventBody::Usage(Box::new(UsageReport {
            provider: route.target.provider.clone(),
            model: route.target.model.clone(),
            source: "none".to_owned(),
            local: route.local,
            cached: true,
            ..UsageReport::default()
        }));
        let written = match acceptance.as_ref().map(|first| Arc::clone(&first.write)) {
            Some(accept) => {
                let books = self.books();
                let first = self.recorder.first(move |tx, bodies| {
                    accept(tx, &books, bodies)?;
                    convergio_runs::use_answer(tx, tenant, &key, now_ms())?;
                    bodies.push(used);
                    Ok(())
                });
                first.await
            }
            None => {
                let more = self.recorder.write(move |tx, bodies| {
                    convergio_runs::use_answer(tx, tenant, &key, now_ms())?;
                    bodies.push(used);
                    Ok(())
                });
                more.await
            }
        };
        match written {
            Ok(()) => {}
            // Nothing is spent: it is asked for anew, and a full disk costs only the saving.
            Err(error) if error.goes_on_unsaved() => return None,
            Err(error) => return Some(Err(error)),
        }
        if let Some(acceptance) = acceptance.take() {
            (acceptance.written)();
        }
        if let Some(told) = &wanted.kept {
            told();
        }
        self.replay(wanted, &body);
        Some(Ok(Answer {
            parts: body.parts,
            tool_calls: body.tool_calls,
            stop: body.stop,
            route,
            first_token: Some(std::time::Instant::now()),
            cached: true,
            keep: None,
        }))
    }

    fn replay(&self, wanted: &Wanted, body: &Body) {
        let sink = |shown: Shown| {
            if let Some(sink) = &wanted.sink {
                sink(&shown);
            }
        };
        for (part, text) in body.parts.iter().enumerate() {
            let part = u32::try_from(part).unwrap_or(u32::MAX);
            if wanted.show {
                self.run.show(flow::Channel::Text, part, text);
            }
            sink(Shown::Piece {
                channel: Channel::Text,
                part,
                text: text.clone(),
            });
        }
        for (index, call) in body.tool_calls.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            sink(Shown::Event(ModelEvent::ToolCall {
                index,
                id: call.id.clone(),
                name: call.name.clone(),
                signature: call.signature.clone(),
            }));
            sink(Shown::Event(ModelEvent::ToolArguments {
                index,
                json: call.arguments.clone(),
            }));
        }
    }

    /// The answer as it is kept with the run's end; none where it is not whole.
    pub(super) async fn to_keep(&self, wanted: &Wanted, answer: &Answer) -> Option<NewAnswer> {
        let empty = answer.parts.is_empty() && answer.tool_calls.is_empty();
        if !answer.stop.is_whole() || empty {
            return None;
        }
        let key = self.key(wanted, &answer.route).await?;
        let body = Body {
            parts: answer.parts.clone(),
            tool_calls: answer.tool_calls.clone(),
            stop: answer.stop.clone(),
        };
        let body = serde_json::to_string(&body).ok()?;
        let settings = &self.context.settings;
        let hours = settings.value(&CACHE_TTL_HOURS);
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        (body.len() <= ANSWER_BYTES_MAX).then(|| NewAnswer {
            key,
            run_id: self.run.id,
            session_id: self.context.session_id,
            body,
            ttl_ms: number(hours.saturating_mul(3_600_000)),
            total_max_bytes: number(settings.value(&CACHE_MAX_BYTES)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_everything_that_could_change_the_answer() {
        let request = ModelRequest {
            model: "m".into(),
            system: Some("be brief".into()),
            max_output: 9,
            ..ModelRequest::default()
        };
        let (me, policy) = (Uuid::nil(), Policy::LocalFirst);
        let name = key(&request, me, None, policy).unwrap();
        assert_eq!(key(&request, me, None, policy), Some(name));
        let others = [
            ModelRequest {
                max_output: 10,
                ..request.clone()
            },
            ModelRequest {
                model: "n".into(),
                ..request.clone()
            },
            ModelRequest {
                provider: "p".into(),
                ..request.clone()
            },
            ModelRequest {
                system: None,
                ..request.clone()
            },
            ModelRequest {
                top_p: Some(0.5),
                ..request.clone()
            },
        ];
        for other in others {
            assert_ne!(key(&other, me, None, policy), Some(name), "{other:?}");
        }
        assert_ne!(key(&request, me, Some("t"), policy), Some(name));
        assert_ne!(key(&request, Uuid::max(), None, policy), Some(name));
        assert_ne!(key(&request, me, None, Policy::CloudFirst), Some(name));
    }

    #[test]
    fn only_who_asks_for_it_gets_kept_answers_and_nothing_ephemeral_is_kept() {
        let (settings, request) = (Settings::defaults(), ModelRequest::default());
        let asked = |cache, ephemeral| RunOptions {
            cache,
            ephemeral,
            ..RunOptions::default()
        };
        assert!(!keeps(&settings, &asked(false, false), &request));
        assert!(keeps(&settings, &asked(true, false), &request));
        assert!(!programs(&settings, None, &request));
        assert!(programs(&settings, Some(true), &request));
        assert!(!keeps(&settings, &asked(true, true), &request));
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        let body = Body {
            parts: vec!["a".into()],
            tool_calls: vec![ToolCall {
                id: "call_1".into(),
                name: "look".into(),
                arguments: "{}".into(),
                signature: None,
            }],
            stop: StopReason::ToolUse,
        };
        let text = serde_json::to_string(&body).unwrap();
        assert_eq!(serde_json::from_str::<Body>(&text).unwrap(), body);
    }
}
