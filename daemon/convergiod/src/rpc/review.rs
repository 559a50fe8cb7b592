//! Reviews.

use std::{collections::BTreeMap, ffi::OsString, path::Path, sync::Arc};

use convergio_config::{REVIEW_MIN_SEVERITY, REVIEW_STRICT, Settings};
use convergio_contract::{
    ErrorCode, EventBody, RpcError,
    finding::{Coverage, ReviewSummary, Severity},
    limits::PAGE_MAX,
    method::Empty,
    model::Preview,
    review::{
        RecordedSilence, ReviewAllow, ReviewAllowParams, ReviewLatest, ReviewLatestParams,
        ReviewLatestResponse, ReviewPreview, ReviewSilences, ReviewSilencesParams,
        ReviewSilencesResponse, ReviewStart, ReviewStartParams, ReviewUnallow, ReviewUnallowParams,
        ReviewUnallowResponse,
    },
    run::{RunAccepted, RunInfo, RunState},
};
use convergio_runs::{NewSilence, RunsError};
use tokio::sync::oneshot;

use super::{run_info, runs_error};
use crate::{
    bus::run::LiveRun,
    conn::Conn,
    daemon::{Daemon, Phase, now_ms},
    dispatch::{Call, Handle},
    failure,
    run_kinds::{record::keeps, request, review, review_route::Asked},
};

/// The longest folder or selection that is kept, in bytes.
const TEXT_MAX_BYTES: usize = 4096;

impl Conn {
    /// The settings among the client's variables.
    pub(crate) fn variables(&self) -> BTreeMap<String, OsString> {
        let variables = self.client().map(|client| client.env.variables.iter());
        let owned = |(name, value): (&String, &String)| (name.clone(), OsString::from(value));
        variables.into_iter().flatten().map(owned).collect()
    }
}

pub(crate) fn absolute(root: &str) -> Result<(), RpcError> {
    if Path::new(root).is_absolute() && root.len() <= TEXT_MAX_BYTES {
        return Ok(());
    }
    Err(failure::invalid(format!(
        "`root` takes an absolute path of at most {TEXT_MAX_BYTES} bytes"
    )))
}

/// How many pairs of letters of a rule's id a text shares with it, less what is foreign to it.
fn likeness(id: &str, text: &str) -> i64 {
    let shares = |text: &str, pair: &[u8]| text.as_bytes().windows(2).any(|two| two == pair);
    let count = |of: &str, shared: bool, other: &str| {
        let pairs = of.as_bytes().windows(2);
        pairs.filter(|pair| shares(other, pair) == shared).count() as i64
    };
    2 * count(id, true, text) - count(id, false, text)
}

impl Daemon {
    pub(super) fn rules(settings: &Settings, params: &ReviewStartParams) -> review::Rules {
        let configured = settings.value(&REVIEW_MIN_SEVERITY);
        let configured = Severity::ALL
            .iter()
            .copied()
            .find(|severity| severity.as_str() == configured);
        let off = settings.rules().into_iter().filter(|(_, on)| !on);
        review::Rules {
            strict: params.strict.unwrap_or(settings.value(&REVIEW_STRICT)),
            off: off.map(|(rule, _)| rule).collect(),
            min_severity: params.min_severity.or(configured).unwrap_or(Severity::Nit),
        }
    }

    pub(super) fn check_start(&self, params: &ReviewStartParams) -> Result<(), RpcError> {
        if self.phase() != Phase::Serving {
            return Err(
                RpcError::new(ErrorCode::Overloaded, "the daemon takes no new runs")
                    .why("it is ending")
                    .hint("cv review"),
            );
        }
        request::run_id_v7(params.run_id)?;
        absolute(&params.root)?;
        if params.selection.len() > TEXT_MAX_BYTES {
            return Err(failure::invalid(format!(
                "`selection` takes at most {TEXT_MAX_BYTES} bytes"
            )));
        }
        let options = &params.options;
        if options.max_output == Some(0) {
            return Err(failure::invalid("`max_output` takes at least 1"));
        }
        if options.max_cost_nano_usd.is_some_and(|cost| cost < 0) {
            return Err(failure::invalid(
                "`max_cost_nano_usd` takes no negative amount",
            ));
        }
        let rules = convergio_review::rules::RULES;
        match params
            .rules
            .iter()
            .find(|id| !rules.iter().any(|rule| rule.id == *id))
        {
            None => Ok(()),
            Some(unknown) => {
                let ids: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
                let nearest = ids.iter().max_by_key(|id| likeness(id, unknown));
                let hint = nearest.map(|id| format!("cv review --rules {id}"));
                Err(RpcError::new(
                    ErrorCode::NotFound,
                    format!("there is no review rule {unknown:?}"),
                )
                .why(format!("the rules are {}", ids.join(", ")))
                .hint(hint.unwrap_or_default()))
            }
        }
    }

    /// The same run id again, while the first one is in progress or held in memory.
    async fn again(
        &self,
        run: Arc<LiveRun>,
        mut params: ReviewStartParams,
    ) -> Result<RunAccepted, RpcError> {
        if !run.accepted().await {
            return Err(
                RpcError::new(ErrorCode::Conflict, "this run was refused a moment ago")
                    .hint("cv review"),
            );
        }
        let id = params.run_id;
        let hash = self
            .background
            .run("compare a request", move || {
                let blob = std::mem::replace(
                    &mut params.diff,
                    convergio_contract::review::Blob {
                        encoding: convergio_contract::review::Encoding::Utf8,
                        data: String::new(),
                    },
                );
                request::decode(blob).map(|diff| request::request_hash(&params, &diff))
            })
            .await??;
        if run.request_hash.get() != Some(&request::hex(&hash)) {
            return Err(runs_error(RunsError::Conflict { what: "run id", id }));
        }
        Ok(RunAccepted {
            run_id: id,
            replayed: true,
            saved: run.info().saved,
            session_id: None,
        })
    }
}

impl Handle<ReviewStart> for Daemon {
    async fn handle(&self, call: Call, params: ReviewStartParams) -> Result<RunAccepted, RpcError> {
        // Nothing is waited for before the run is registered: a subscription that comes behind
        // in the same write finds it.
        self.check_start(&params)?;
        let settings = self.configuration.settings(&call.conn.variables())?;
        let rules = Self::rules(&settings, &params);
        let client = call.conn.client().map(|client| client.client.name.clone());
        let asked = Asked::new(settings, client, &params);
        let info = RunInfo {
            run_id: params.run_id,
            kind: "review".to_owned(),
            state: RunState::Running,
            root: params.root.clone(),
            selection: params.selection.clone(),
            started_ms: now_ms(),
            ended_ms: None,
            findings: None,
            last_seq: 0,
            saved: true,
            error: None,
        };
        let place = match self.live.register(info) {
            Ok(place) => place,
            Err(run) => return self.again(run, params).await,
        };
        let (answer, answered) = oneshot::channel();
        let daemon = self.shared()?;
        // Its own task: once accepted it outlives this call and its connection.
        tokio::spawn(review::supervise(
            daemon, place, params, rules, asked, answer,
        ));
        answered.await.unwrap_or_else(|_| {
            Err(failure::internal(
                "the review failed inside the daemon",
                "its task ended",
            ))
        })
    }
}

impl Handle<ReviewPreview> for Daemon {
    async fn handle(&self, call: Call, params: ReviewStartParams) -> Result<Preview, RpcError> {
        self.review_preview(&call, params).await
    }
}

impl Handle<ReviewLatest> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: ReviewLatestParams,
    ) -> Result<ReviewLatestResponse, RpcError> {
        absolute(&params.root)?;
        let tenant = self.runs().tenant();
        let saved = keeps(&self.store);
        let root = params.root.clone();
        let read = self
            .store
            .read("find the latest review", move |connection| {
                let found = convergio_runs::latest_review(connection, tenant, &root, None)?;
                let Some((run, findings)) = found else {
                    return Ok(None);
                };
                let last =
                    convergio_runs::events(connection, run.id, run.last_seq.saturating_sub(2), 2)?;
                let info = run_info(run, last.events.last(), saved);
                let findings = review::standing(&findings);
                Ok::<_, RunsError>(Some((info, findings, last.events)))
            });
        let stored = read
            .await
            .map_err(runs_error)?
            .map(|(run, findings, last)| {
                let bodies = last
                    .iter()
                    .filter_map(|event| serde_json::from_str(event.payload.get()).ok());
                let (coverage, summary) = numbers(bodies);
                ReviewLatestResponse {
                    run,
                    findings,
                    coverage,
                    summary,
                }
            });
        let unsaved = self.live.latest_unsaved(&params.root).map(|(run, bodies)| {
            let (coverage, summary) = numbers(bodies.iter().cloned());
            ReviewLatestResponse {
                run,
                findings: review::standing_bodies(bodies),
                coverage,
                summary,
            }
        });
        let latest = match (stored, unsaved) {
            (Some(stored), Some(unsaved)) if stored.run.ended_ms > unsaved.run.ended_ms => stored,
            (_, Some(unsaved)) => unsaved,
            (Some(stored), None) => stored,
            (None, None) => {
                return Err(RpcError::new(
                    ErrorCode::NotFound,
                    format!("there is no review of {}", params.root),
                )
                .why("none ran to its end here, or its result is no longer kept")
                .hint("cv review"));
            }
        };
        Ok(latest)
    }
}

fn numbers(bodies: impl Iterator<Item = EventBody>) -> (Coverage, ReviewSummary) {
    let mut found = (Coverage::default(), ReviewSummary::default());
    for body in bodies {
        match body {
            EventBody::Coverage(coverage) => found.0 = coverage,
            EventBody::Completed {
                summary: Some(summary),
                ..
            } => found.1 = summary,
            _ => {}
        }
    }
    found
}

impl Handle<ReviewAllow> for Daemon {
    async fn handle(&self, _call: Call, params: ReviewAllowParams) -> Result<Empty, RpcError> {
        let silence = silence(params)?;
        self.runs().add_silence(silence).await.map_err(runs_error)?;
        Ok(Empty {})
    }
}

/// A silence as it is kept.
pub(super) fn silence(params: ReviewAllowParams) -> Result<NewSilence, RpcError> {
    absolute(&params.root)?;
    fingerprint(&params.fingerprint)?;
    if params.reason.trim().is_empty() {
        return Err(failure::invalid(
            "`reason` must say why it is no fault here",
        ));
    }
    Ok(NewSilence {
        root: params.root,
        fingerprint: params.fingerprint,
        rule: params.rule,
        reason: params.reason,
    })
}

fn fingerprint(text: &str) -> Result<(), RpcError> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 64 && text.bytes().all(hex) {
        return Ok(());
    }
    Err(failure::invalid(
        "`fingerprint` takes 64 hexadecimal digits",
    ))
}

impl Handle<ReviewSilences> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: ReviewSilencesParams,
    ) -> Result<ReviewSilencesResponse, RpcError> {
        absolute(&params.root)?;
        let limit = params.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {PAGE_MAX}, not {limit}"
            )));
        }
        let prefix = params.prefix.unwrap_or_default();
        let mut listed = self
            .runs()
            .silences(params.root)
            .await
            .map_err(runs_error)?;
        listed.retain(|silence| silence.fingerprint.starts_with(&prefix));
        let total = u32::try_from(listed.len()).unwrap_or(u32::MAX);
        let silences = listed.into_iter().rev().take(limit as usize);
        Ok(ReviewSilencesResponse {
            silences: silences
                .map(|silence| RecordedSilence {
                    fingerprint: silence.fingerprint,
                    rule: silence.rule,
                    reason: silence.reason,
                    created_ms: silence.created_ms,
                })
                .collect(),
            total,
        })
    }
}

impl Handle<ReviewUnallow> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: ReviewUnallowParams,
    ) -> Result<ReviewUnallowResponse, RpcError> {
        absolute(&params.root)?;
        fingerprint(&params.fingerprint)?;
        let ended = self.runs().remove_silence(params.root, params.fingerprint);
        let removed = ended.await.map_err(runs_error)?;
        Ok(ReviewUnallowResponse { removed })
    }
}
