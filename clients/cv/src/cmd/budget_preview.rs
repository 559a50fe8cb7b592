//! `cv budget preview`

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    budget::{BudgetPreview, BudgetPreviewParams, BudgetPreviewResponse, BudgetRoom},
    chat::{Input, InputKind, RunPreview, RunStartParams, SessionUse},
    model::Preview,
    run::RunOptions,
};
use serde::Serialize;

use super::{budget::whose, latest};
use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    keys, money,
    output::paint::Role,
    table::{Format, Table, cell, show, styled},
};

/// What a question would hold.
#[derive(Serialize)]
struct Previewed {
    /// What would be sent.
    preview: Preview,
    /// Where that would count; none where it costs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    budgets: Option<BudgetPreviewResponse>,
}

/// Shows what a question would hold, and in which budgets. Sends nothing.
pub fn preview(
    prompt: &str,
    model: Option<String>,
    max_output: Option<u32>,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let (_, root) = latest::root(context)?;
    let mut params = RunStartParams {
        run_id: Uuid::now_v7(),
        input: vec![Input {
            kind: InputKind::Prompt,
            name: None,
            text: prompt.to_owned(),
        }],
        root,
        session: SessionUse::default(),
        system: None,
        template: None,
        variables: std::collections::BTreeMap::new(),
        output_schema: None,
        options: RunOptions {
            model,
            max_output,
            ephemeral: true,
            keys: keys::exported(),
            ..RunOptions::default()
        },
    };
    let previewed = daemon::call(
        context,
        Start::IfNeeded,
        "asking what it would hold",
        |client: Client| async move {
            let mut mended = false;
            let preview = loop {
                let asked = client.call::<RunPreview>(&params).await;
                if mended || !keys::add_missing(&asked, &mut params.options.keys) {
                    break asked?;
                }
                mended = true;
            };
            let provider = preview
                .model
                .as_deref()
                .and_then(|name| name.split_once('/'));
            let budgets = match (provider, preview.cost_max_nano_usd) {
                (Some((provider, _)), Some(hold_nano_usd)) if !preview.local => {
                    let params = BudgetPreviewParams {
                        provider: provider.to_owned(),
                        hold_nano_usd,
                        agent: None,
                    };
                    Some(client.call::<BudgetPreview>(&params).await?)
                }
                _ => None,
            };
            Ok(Previewed { preview, budgets })
        },
    )?;
    show(
        &mut context.answer,
        format,
        &room(&previewed),
        &previewed,
        None,
    )?;
    match (&previewed.preview.refusal, &previewed.budgets) {
        (Some(refusal), _) => {
            context.error_form = crate::context::ErrorForm::Notes;
            Err(refusal.clone().into())
        }
        (None, Some(budgets)) if !budgets.fits => {
            context.error_form = crate::context::ErrorForm::Notes;
            Err(Failure::new(
                Kind::Rpc(convergio_contract::ErrorCode::BudgetExceeded),
                "A budget has no room for the whole hold",
                "the answer would be cut to what fits, a cheaper model be asked, or the call refused",
                Hint::BUDGETS,
            ))
        }
        _ => Ok(Exit::Ok),
    }
}

fn room(previewed: &Previewed) -> Table {
    let preview = &previewed.preview;
    let row = |name: String, text: String| vec![styled(name, Role::Dim), cell(text)];
    let mut rows = Vec::new();
    if let Some(why) = &preview.nothing_sent {
        rows.push(row("Sends".to_owned(), format!("nothing: {why}")));
    }
    if let Some(model) = &preview.model {
        rows.push(row("Model".to_owned(), model.clone()));
    }
    if preview.local {
        let free = "nothing: it runs on this machine".to_owned();
        rows.push(row("Holds".to_owned(), free));
    } else if let Some(hold) = preview.cost_max_nano_usd {
        let likely = preview.cost_expected_nano_usd;
        let likely = likely.map_or_else(String::new, |nano| {
            format!(", likely to cost {}", money::shown(nano))
        });
        rows.push(row(
            "Holds".to_owned(),
            format!("{}{likely}", money::shown(hold)),
        ));
    }
    for room in previewed.budgets.iter().flat_map(|found| &found.counts_in) {
        let BudgetRoom { budget, fits, .. } = room;
        let fits = match (fits, budget.warns) {
            (true, _) => "fits",
            (false, true) => "passes it, only told",
            (false, false) => "does not fit",
        };
        rows.push(row(
            format!("{} {}", whose(budget), budget.window),
            format!(
                "{fits}: {} of {} left",
                money::shown(room.room_nano_usd),
                money::shown(budget.limit_nano_usd)
            ),
        ));
    }
    Table {
        headers: Vec::new(),
        rows,
    }
}
