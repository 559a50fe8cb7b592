//! What would be sent, to whom, at what cost: `--dry-run`.

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    chat::{RunPreview, RunStartParams},
    model::{Attempt, Policy, Preview},
    review::{ReviewPreview, ReviewStartParams},
};

use super::answer;
use crate::{
    ask::words,
    context::Context,
    daemon,
    error::Failure,
    exit::Exit,
    keys, money,
    output::{escape, layout::Piece, paint::Role},
    render::{
        ReviewFormat,
        words::{count, grouped},
    },
    spinner,
    table::{Format, Table, cell, show, styled},
};

/// Asks what a question would send.
pub async fn ask(
    client: &Client,
    mut params: RunStartParams,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let asking = async {
        let mut mended = false;
        loop {
            let asked = client.call::<RunPreview>(&params).await;
            if mended || !keys::add_missing(&asked, &mut params.options.keys) {
                return asked.map_err(daemon::failure);
            }
            mended = true;
        }
    };
    let asking = spinner::during(&mut context.notes, "Asking what would be sent", asking);
    let preview = asking.await?;
    tell_budget(client, &preview, context).await;
    print(&preview, format, context)
}

/// Says where the most that it may cost is more than a budget leaves.
async fn tell_budget(client: &Client, preview: &Preview, context: &mut Context) {
    let most = preview.cost_max_nano_usd.unwrap_or(0);
    if preview.local || most == 0 || preview.refusal.is_some() || context.notes.quiet {
        return;
    }
    let budgets = answer::budgets(client).await;
    if let Some(remark) = words::beyond(&budgets, most) {
        context.notes.note(&remark);
    }
}

/// What a review would send to a model.
pub async fn review(
    client: &Client,
    mut params: ReviewStartParams,
    format: ReviewFormat,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let asking = async {
        let mut mended = false;
        loop {
            let asked = client.call::<ReviewPreview>(&params).await;
            let keys = &mut params.options.keys;
            let mends = match &asked {
                Err(error) => keys::add_asked_or_empty(error, keys),
                Ok(_) => keys::add_missing(&asked, keys),
            };
            if mended || !mends {
                return asked.map_err(daemon::failure);
            }
            mended = true;
        }
    };
    let asking = spinner::during(&mut context.notes, "Asking what would be sent", asking);
    let preview = asking.await?;
    tell_budget(client, &preview, context).await;
    let format = match format {
        ReviewFormat::Json => Format::Json,
        ReviewFormat::Ndjson => Format::Ndjson,
        ReviewFormat::Md => Format::Md,
        _ => Format::Text,
    };
    print(&preview, format, context)
}

/// The policy's name.
pub const fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::LocalFirst => "local-first",
        Policy::CloudFirst => "cloud-first",
        Policy::LocalOnly => "local-only",
        Policy::Cheapest => "cheapest",
    }
}

/// Prints it. What would be refused ends as the refusal would.
pub fn print(preview: &Preview, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    show(&mut context.answer, format, &table(preview), preview, None)?;
    match &preview.refusal {
        Some(refusal) => {
            // The document above says it already; only the three lines are missing.
            context.error_form = crate::context::ErrorForm::Notes;
            Err(refusal.clone().into())
        }
        None => Ok(Exit::Ok),
    }
}

fn table(preview: &Preview) -> Table {
    let row = |name: &'static str, text: String| vec![styled(name, Role::Dim), cell(text)];
    let mut rows = Vec::new();
    if let Some(why) = &preview.nothing_sent {
        rows.push(row("Sends", format!("nothing: {why}")));
    }
    if let Some(model) = &preview.model {
        rows.push(row("Model", model.clone()));
    }
    if preview.local {
        rows.push(row("Where", "on this machine".to_owned()));
    } else if let Some(destination) = &preview.destination {
        rows.push(row("Where", destination.clone()));
    }
    if preview.calls > 0 {
        rows.push(row(
            "Sends",
            format!(
                "{} in {}",
                count(preview.bytes, "byte", "bytes"),
                count(preview.calls.into(), "request", "requests")
            ),
        ));
        rows.push(row(
            "Tokens",
            format!(
                "at most {} in, {} out",
                grouped(preview.input_tokens_max),
                grouped(preview.output_tokens_max)
            ),
        ));
        let at_most = match preview.cost_max_nano_usd {
            _ if preview.local => "free".to_owned(),
            Some(nano) => format!("at most {}", money::shown(nano)),
            None => "unknown: the model has no price".to_owned(),
        };
        rows.push(row(
            "Cost",
            match preview.cost_expected_nano_usd {
                Some(expected) if !preview.local => {
                    format!("{at_most}, about {} expected", money::shown(expected))
                }
                _ => at_most,
            },
        ));
    }
    if preview.redactions > 0 {
        rows.push(row(
            "Masked",
            count(preview.redactions.into(), "secret", "secrets"),
        ));
    }
    rows.push(row("Policy", policy(preview.policy).to_owned()));
    rows.push(row("Sent now", "nothing (--dry-run)".to_owned()));
    Table {
        headers: Vec::new(),
        rows,
    }
}

/// An attempt in one line, for `-v`.
pub fn attempt(attempt: &Attempt, run_id: Uuid) -> Vec<Piece> {
    let mut parts = vec![
        format!(
            "{}/{}",
            escape::line(&attempt.provider),
            escape::line(&attempt.model)
        ),
        if attempt.destination.is_empty() {
            "on this machine".to_owned()
        } else {
            escape::line(&attempt.destination).into_owned()
        },
        format!("at most {} tokens", grouped(attempt.max_output.into())),
    ];
    if attempt.hold_nano_usd > 0 {
        parts.push(format!("holds {}", money::shown(attempt.hold_nano_usd)));
    }
    parts.push(escape::line(&attempt.reason).into_owned());
    parts.push(format!("run {run_id}"));
    words::line(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::layout::Layout;

    #[test]
    fn a_preview_says_what_where_and_how_much() {
        let preview = Preview {
            nothing_sent: None,
            model: Some("mock/gpt".to_owned()),
            local: false,
            destination: Some("https://api.example.org".to_owned()),
            calls: 1,
            bytes: 2_048,
            input_tokens_max: 600,
            output_tokens_max: 4_096,
            cost_max_nano_usd: Some(63_000_000),
            cost_expected_nano_usd: Some(8_000_000),
            policy: Policy::LocalFirst,
            redactions: 1,
            refusal: None,
        };
        assert_eq!(
            table(&preview).text(Layout::default()),
            "Model     mock/gpt\n\
             Where     https://api.example.org\n\
             Sends     2,048 bytes in 1 request\n\
             Tokens    at most 600 in, 4,096 out\n\
             Cost      at most $0.0630, about $0.0080 expected\n\
             Masked    1 secret\n\
             Policy    local-first\n\
             Sent now  nothing (--dry-run)\n"
        );
    }
}
