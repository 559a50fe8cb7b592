//! What is said about an answer on stderr: what it cost, what was less than wanted.

use convergio_contract::{budget::BudgetInfo, model::Attempt};

use super::Reply;
use crate::{
    money,
    output::{escape, layout::Piece, paint::Role},
    render::words::{duration, grouped},
};

/// `claude-… · 1,204 in, 310 out · $0.0083 · 2.1 s`. Empty where no model was asked.
pub fn cost(reply: &Reply, took_ms: u64) -> Vec<Piece> {
    let Some(model) = reply.model() else {
        return Vec::new();
    };
    let mut parts = vec![escape::line(model).into_owned()];
    let (input, output) = reply.tokens();
    let counted = |tokens: Option<u64>, way: &str| tokens.map(|n| format!("{} {way}", grouped(n)));
    let tokens: Vec<String> = [counted(input, "in"), counted(output, "out")]
        .into_iter()
        .flatten()
        .collect();
    if !tokens.is_empty() {
        parts.push(tokens.join(", "));
    }
    if reply.summary.as_ref().is_some_and(|summary| summary.cached) {
        parts.extend(["cached".to_owned(), "free".to_owned()]);
    } else if reply.is_local() {
        parts.extend(["on this machine".to_owned(), "free".to_owned()]);
    } else {
        parts.push(match (reply.amount_nano_usd(), reply.run_id) {
            (Some(nano), _) => amount(nano, reply.is_estimated()),
            (None, Some(run_id)) => format!("cost: cv usage --run {run_id}"),
            (None, None) => "cost not known yet".to_owned(),
        });
    }
    parts.push(duration(took_ms));
    if reply.summary.as_ref().is_some_and(|summary| !summary.saved) {
        parts.push("not saved".to_owned());
    }
    line(parts)
}

/// `$0.0083`, or `at most $0.0083` where a provider did not say: what was counted here is a bound.
pub fn amount(nano_usd: i64, estimated: bool) -> String {
    let shown = money::shown(nano_usd);
    if estimated && nano_usd > 0 {
        format!("at most {shown}")
    } else {
        shown
    }
}

/// Parts with points between them, all of them quiet.
pub fn line(parts: Vec<String>) -> Vec<Piece> {
    parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| Piece::new(if i == 0 { "" } else { " · " }, part, Role::Dim))
        .collect()
}

/// What else a person should know: budgets, and what was less than wanted.
pub fn remarks(reply: &Reply) -> Vec<String> {
    // A model for a model was said when it was asked.
    let of_models = |from: &str| from.contains('/');
    let mut remarks: Vec<String> = reply
        .downgraded
        .iter()
        .filter(|(from, ..)| !of_models(from))
        .map(|(from, to, why)| downgraded(from, to, why))
        .collect();
    remarks.extend(reply.budget.as_ref().map(nearly_used));
    for (from, to) in &reply.gaps {
        remarks.push(format!(
            "events {from} to {to} of this run are no longer kept"
        ));
    }
    remarks
}

/// Less was asked for than wanted.
pub fn downgraded(from: &str, to: &str, why: &str) -> String {
    format!(
        "{} instead of {}: {}",
        escape::line(to),
        escape::line(from),
        escape::line(why)
    )
}

/// Another model is asked than the one before: `a/x: overloaded; b/y: no key; asking c/z instead`.
pub fn instead(attempt: &Attempt) -> Option<String> {
    let first = attempt.instead_of.as_ref()?;
    let mut line = String::new();
    for left in std::iter::once(first).chain(&attempt.passed_over) {
        line.push_str(&format!(
            "{}: {}; ",
            escape::line(&left.model),
            escape::line(&left.why)
        ));
    }
    line.push_str(&format!(
        "asking {}/{} instead",
        escape::line(&attempt.provider),
        escape::line(&attempt.model)
    ));
    Some(line)
}

/// A budget is nearly used up.
pub fn nearly_used(budget: &BudgetInfo) -> String {
    format!(
        "{}: {} of {} used",
        crate::cmd::budget::title(budget),
        money::shown(
            budget
                .posted_nano_usd
                .saturating_add(budget.pending_nano_usd)
        ),
        money::shown(budget.limit_nano_usd),
    )
}

/// The least that a budget of everybody's leaves, and for how long.
fn tightest(budgets: &[BudgetInfo]) -> Option<(i64, &'static str)> {
    let left = |budget: &BudgetInfo| {
        let used = budget
            .posted_nano_usd
            .saturating_add(budget.pending_nano_usd);
        budget.limit_nano_usd.saturating_sub(used).max(0)
    };
    budgets
        .iter()
        .filter(|budget| budget.scope == "tenant" && !budget.warns && !budget.frozen)
        .filter_map(|budget| match budget.window.as_str() {
            "day" => Some((left(budget), "today")),
            "month" => Some((left(budget), "this month")),
            _ => None,
        })
        .min_by_key(|(left, _)| *left)
}

/// What is left of the day's budget, or of the month's where that is less.
pub fn left(budgets: &[BudgetInfo]) -> Option<String> {
    let (left, until) = tightest(budgets)?;
    Some(format!("{} left {until}", money::shown(left)))
}

/// That a preview's most is more than the budgets leave.
pub fn beyond(budgets: &[BudgetInfo], most_nano_usd: i64) -> Option<String> {
    let (left, until) = tightest(budgets)?;
    (most_nano_usd > left).then(|| {
        format!(
            "It may cost more than the {} left {until}: what no longer fits is not asked then. \
             Limits: cv budget list",
            money::shown(left)
        )
    })
}

/// The cap that nobody chose, where money was spent under it.
pub fn unchosen_cap(budgets: &[BudgetInfo]) -> Option<String> {
    let day = budgets
        .iter()
        .find(|budget| budget.window == "day" && !budget.chosen)?;
    Some(format!(
        "daily cap {} (default): cv budget set daily 2.00",
        money::shown(day.limit_nano_usd)
    ))
}

/// That the daily budget is frozen, why, and what opens it.
pub fn frozen(budgets: &[BudgetInfo]) -> Option<String> {
    const CENT: i64 = 10_000_000;
    let day = budgets
        .iter()
        .find(|budget| budget.window == "day" && budget.frozen)?;
    let used = day.posted_nano_usd.saturating_add(day.pending_nano_usd);
    // The same sum would leave it frozen, one that is used up would open nothing.
    let mut round = (0..12_u32)
        .flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)))
        .map(|cents| cents.saturating_mul(CENT));
    let enough = round.find(|limit| *limit > used && *limit > day.limit_nano_usd)?;
    let cents = enough / CENT;
    Some(format!(
        "The daily budget is frozen: a provider billed more than was held for a call. No cloud \
         model is asked until another sum is set: cv budget set daily {}.{:02}",
        cents / 100,
        cents % 100
    ))
}

#[cfg(test)]
mod tests {
    use convergio_contract::chat::Stop;

    use super::*;
    use crate::{ask::reply::tests as samples, output::layout::Layout};

    fn shown(reply: &Reply) -> String {
        Layout::default().pieces(&cost(reply, 2_100), 0)
    }

    #[test]
    fn the_tightest_budget_says_what_is_left() {
        let budget = |window: &str, limit: i64, posted: i64| BudgetInfo {
            scope: "tenant".to_owned(),
            window: window.to_owned(),
            limit_nano_usd: limit,
            posted_nano_usd: posted,
            ..BudgetInfo::default()
        };
        let day = budget("day", 2_000_000_000, 500_000_000);
        assert_eq!(
            left(std::slice::from_ref(&day)).as_deref(),
            Some("$1.50 left today")
        );
        let month = budget("month", 5_000_000_000, 4_990_000_000);
        let told = left(&[day.clone(), month]);
        assert_eq!(told.as_deref(), Some("$0.01 left this month"));
        assert_eq!(beyond(std::slice::from_ref(&day), 1_500_000_000), None);
        let told = beyond(std::slice::from_ref(&day), 4_370_000_000).expect("a remark");
        assert!(told.contains("$1.50 left today"), "{told}");
        let frozen = BudgetInfo {
            frozen: true,
            ..day
        };
        assert_eq!(left(&[frozen]), None);
    }

    #[test]
    fn a_frozen_budget_names_a_sum_that_opens_it() {
        let mut day = BudgetInfo {
            window: "day".to_owned(),
            limit_nano_usd: 1_000_000_000,
            posted_nano_usd: 2_310_000_000,
            pending_nano_usd: 0,
            chosen: true,
            ..BudgetInfo::default()
        };
        assert_eq!(frozen(std::slice::from_ref(&day)), None);
        day.frozen = true;
        let told = frozen(&[day]).expect("frozen");
        assert!(told.ends_with("cv budget set daily 5.00"), "{told}");
    }

    #[test]
    fn the_cost_is_one_quiet_line() {
        let mut reply = Reply::default();
        assert!(cost(&reply, 1).is_empty());
        reply.take(&samples::completed(Stop::End));
        assert_eq!(
            shown(&reply),
            "gpt-test · 1,204 in, 310 out · $0.0083 · 2.1 s\n"
        );
        if let Some(summary) = &mut reply.summary {
            summary.estimated = true;
            summary.input_tokens = None;
            summary.saved = false;
        }
        assert_eq!(
            shown(&reply),
            "gpt-test · 310 out · at most $0.0083 · 2.1 s · not saved\n"
        );
        if let Some(summary) = &mut reply.summary {
            summary.local = true;
            summary.saved = true;
        }
        assert_eq!(
            shown(&reply),
            "gpt-test · 310 out · on this machine · free · 2.1 s\n"
        );
    }

    #[test]
    fn a_cost_that_no_event_told_is_looked_up_and_not_guessed() {
        let mut reply = Reply::default();
        reply.attempt = Some(convergio_contract::model::Attempt {
            attempt: 1,
            provider: "mock".to_owned(),
            model: "gpt-test".to_owned(),
            local: false,
            destination: String::new(),
            max_output: 9,
            hold_nano_usd: 5,
            purpose: "answer".to_owned(),
            reason: "configured".to_owned(),
            redactions: 0,
            instead_of: None,
            passed_over: Vec::new(),
        });
        reply.run_id = Some(convergio_contract::Uuid::nil());
        assert!(shown(&reply).contains("cost: cv usage --run 00000000-"));
        reply
            .usage
            .push(convergio_contract::model::UsageReport::default());
        assert!(shown(&reply).contains("· $0 ·"), "{}", shown(&reply));
    }

    #[test]
    fn only_a_cap_that_nobody_chose_is_told() {
        let mut budget = BudgetInfo {
            window: "day".to_owned(),
            limit_nano_usd: 1_000_000_000,
            posted_nano_usd: 1,
            pending_nano_usd: 0,
            chosen: false,
            ..BudgetInfo::default()
        };
        assert_eq!(
            unchosen_cap(std::slice::from_ref(&budget)).as_deref(),
            Some("daily cap $1.00 (default): cv budget set daily 2.00")
        );
        budget.chosen = true;
        assert_eq!(unchosen_cap(&[budget]), None);
    }
}
