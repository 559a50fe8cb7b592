//! What a launcher finds while somebody types: on this machine only, nothing is asked or changed.

use convergio_contract::{
    RpcError, Uuid,
    search::{
        QUERY_MAX_BYTES, RESULTS_MAX, SearchKind, SearchQuery, SearchQueryParams,
        SearchQueryResponse, SearchResult,
    },
};
use convergio_runs::{RunsError, SessionFilter, Tenant};
use convergio_store::Connection;
use convergio_tasks::{
    book::{self, glance},
    filter::fold,
};
use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::runs_error;
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
    menu::{Language, inert, moment},
};

/// Results where no limit is given.
const RESULTS_DEFAULT: u32 = 20;
/// Conversations that are looked through, the latest.
const SESSIONS_LOOKED_AT: usize = 200;

/// Words that must all be found.
struct Words(Vec<String>);

impl Words {
    fn new(text: &str) -> Self {
        Self(fold(text).split_whitespace().map(str::to_owned).collect())
    }

    /// Whether all of them are in `text`, by any case and accent.
    fn fit(&self, text: &str) -> bool {
        let text = fold(text);
        self.0.iter().all(|word| text.contains(word))
    }
}

/// Who looks, from where.
struct Eye {
    now: Zoned,
    language: Language,
}

impl Eye {
    fn moment(&self, at_ms: i64, all_day: bool) -> String {
        let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
        let at = at.to_zoned(self.now.time_zone().clone());
        moment(&at, &self.now, all_day, self.language)
    }
}

fn task(number: u64, kind: SearchKind, title: &str, detail: String) -> SearchResult {
    SearchResult {
        id: format!("task:{number}"),
        kind,
        title: title.to_owned(),
        detail,
    }
}

/// Reminders that wait, then open tasks, the next due first.
fn tasks(
    conn: &Connection,
    tenant: Uuid,
    words: &Words,
    eye: &Eye,
) -> Result<Vec<SearchResult>, RunsError> {
    let mut found = Vec::new();
    let (waiting, _) = glance::waiting(conn, tenant, RESULTS_MAX as usize)?;
    let mut told = Vec::new();
    for reminder in waiting {
        if words.fit(&reminder.title) && !told.contains(&reminder.number) {
            told.push(reminder.number);
            let detail = eye.moment(reminder.due_ms, reminder.all_day);
            let kind = SearchKind::Reminder;
            found.push(task(reminder.number, kind, &reminder.title, detail));
        }
    }
    let mut open = book::every(conn, tenant, false, false)?;
    open.retain(|row| {
        let project = row.project.as_deref().unwrap_or_default();
        !told.contains(&row.number)
            && words.fit(&format!("{} {project} {}", row.title, row.tags.join(" ")))
    });
    open.sort_by_key(|row| {
        let due_ms = row.times.as_ref().map_or(i64::MAX, |times| times.due_ms);
        (due_ms, row.number)
    });
    for row in open.into_iter().take(RESULTS_MAX as usize + 1) {
        let detail = match &row.times {
            Some(times) => eye.moment(times.due_ms, times.all_day),
            None => row.project.unwrap_or_default(),
        };
        found.push(task(row.number, SearchKind::Task, &row.title, detail));
    }
    Ok(found)
}

/// Conversations and templates; none where nothing was typed.
fn texts(
    conn: &Connection,
    tenant: Tenant,
    words: &Words,
    eye: &Eye,
) -> Result<Vec<SearchResult>, RunsError> {
    if words.0.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for template in convergio_runs::list_templates(conn, tenant)? {
        if words.fit(&template.name) {
            found.push(SearchResult {
                id: format!("template:{}", template.name),
                kind: SearchKind::Template,
                title: template.name,
                detail: template.model.unwrap_or_default(),
            });
        }
    }
    let latest = SessionFilter {
        root: None,
        cursor: None,
        limit: SESSIONS_LOOKED_AT,
    };
    for session in convergio_runs::list_sessions(conn, tenant, &latest)?.sessions {
        let title = session.title.unwrap_or_default();
        if words.fit(&title) {
            found.push(SearchResult {
                id: format!("session:{}", session.id),
                kind: SearchKind::Session,
                title,
                detail: eye.moment(session.active_ms, false),
            });
        }
    }
    Ok(found)
}

impl Daemon {
    /// What fits `text`, best first, one more than `limit` at most.
    pub(crate) async fn search(
        &self,
        text: &str,
        limit: u32,
        language: Language,
        zone: TimeZone,
    ) -> Result<Vec<SearchResult>, RpcError> {
        let now = Timestamp::from_millisecond(self.reminders.clock.now_ms()).unwrap_or_default();
        let eye = Eye {
            now: now.to_zoned(zone),
            language,
        };
        let words = Words::new(text);
        let tenant = self.runs().tenant();
        let read = self.store.read("search", move |conn| {
            let mut found = tasks(conn, tenant.id(), &words, &eye)?;
            found.extend(texts(conn, tenant, &words, &eye)?);
            Ok::<_, RunsError>(found)
        });
        let mut found = read.await.map_err(runs_error)?;
        found.truncate(limit as usize + 1);
        for result in &mut found {
            result.title = inert(&result.title);
            result.detail = inert(&result.detail);
        }
        Ok(found)
    }
}

impl Handle<SearchQuery> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: SearchQueryParams,
    ) -> Result<SearchQueryResponse, RpcError> {
        let limit = params.limit.unwrap_or(RESULTS_DEFAULT);
        if !(1..=RESULTS_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {RESULTS_MAX}, not {limit}"
            )));
        }
        if params.text.len() > QUERY_MAX_BYTES {
            return Err(failure::invalid(format!(
                "`text` takes {QUERY_MAX_BYTES} bytes at most"
            )));
        }
        let language = self.language(params.locale.languages.first().map(String::as_str));
        let zone = match params.locale.zone.as_deref() {
            Some(name) => TimeZone::get(name)
                .map_err(|_| failure::invalid(format!("there is no time zone {name:?}")))?,
            None => TimeZone::system(),
        };
        let mut results = self.search(&params.text, limit, language, zone).await?;
        let more = results.len() > limit as usize;
        results.truncate(limit as usize);
        Ok(SearchQueryResponse { results, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_any_case_and_accent_and_in_any_order() {
        let words = Words::new("PERCHE mario");
        assert!(words.fit("Mario, perché no"));
        assert!(!words.fit("Maria, perché no"));
        assert!(Words::new("  ").fit("anything"));
    }
}
