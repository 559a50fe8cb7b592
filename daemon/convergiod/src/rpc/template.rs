//! Saved prompts.

use std::str::FromStr;

use convergio_config::ModelRef;
use convergio_contract::{
    RpcError,
    method::Empty,
    template::{
        Template as Wire, TemplateList, TemplateListResponse, TemplateRemove, TemplateRemoveParams,
        TemplateRemoveResponse, TemplateSave, TemplateSaveResponse,
    },
};
use convergio_runs::{NewTemplate, RunsError, Template};

use super::{
    runs_error,
    undo::{self, KeptTemplate},
};
use crate::{
    daemon::{Daemon, now_ms},
    dispatch::{Call, Handle},
    failure,
    run_kinds::question,
};

/// A template as it travels.
pub(super) fn wire(template: Template) -> Wire {
    Wire {
        name: template.name,
        prompt: template.prompt,
        system: template.system,
        model: template.model,
    }
}

/// A template as it is kept.
pub(super) fn new(template: Wire) -> NewTemplate {
    NewTemplate {
        name: template.name,
        system: template.system,
        prompt: template.prompt,
        model: template.model,
    }
}

impl Handle<TemplateSave> for Daemon {
    async fn handle(&self, _call: Call, params: Wire) -> Result<TemplateSaveResponse, RpcError> {
        if params.prompt.trim().is_empty() {
            return Err(failure::invalid("`prompt` takes some text"));
        }
        if let Some(model) = &params.model
            && ModelRef::from_str(model).is_err()
        {
            return Err(failure::invalid(format!("{model:?} names no model"))
                .why("a model is named provider/model")
                .hint("cv models"));
        }
        question::check_placeholders(&params.prompt)?;
        question::check_placeholders(params.system.as_deref().unwrap_or_default())?;
        let (tenant, retention) = (self.runs().tenant(), self.runs().retention());
        let write = self.store.write("save a template", move |tx| {
            let saved = new(params.clone());
            let before = convergio_runs::save_template(tx, tenant, &saved, now_ms())?;
            let kept = KeptTemplate {
                name: params.name.clone(),
                before: before.clone().map(wire),
                after: Some(params),
            };
            if kept.before != kept.after {
                let label = format!("cv template save {}", kept.name);
                undo::keep_template(tx, tenant, &retention, &label, kept)?;
            }
            Ok::<_, RunsError>(before)
        });
        let replaced = write.await.map_err(runs_error)?;
        Ok(TemplateSaveResponse {
            replaced: replaced.map(wire),
        })
    }
}

impl Handle<TemplateList> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<TemplateListResponse, RpcError> {
        let tenant = self.runs().tenant();
        let read = self.store.read("list templates", move |conn| {
            convergio_runs::list_templates(conn, tenant)
        });
        let templates = read.await.map_err(runs_error)?;
        Ok(TemplateListResponse {
            templates: templates.into_iter().map(wire).collect(),
        })
    }
}

impl Handle<TemplateRemove> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TemplateRemoveParams,
    ) -> Result<TemplateRemoveResponse, RpcError> {
        let (tenant, retention) = (self.runs().tenant(), self.runs().retention());
        let write = self.store.write("remove a template", move |tx| {
            let removed = convergio_runs::remove_template(tx, tenant, &params.name)?;
            if let Some(before) = removed.clone() {
                let label = format!("cv template remove {}", params.name);
                let kept = KeptTemplate {
                    name: params.name,
                    before: Some(wire(before)),
                    after: None,
                };
                undo::keep_template(tx, tenant, &retention, &label, kept)?;
            }
            Ok::<_, RunsError>(removed)
        });
        let removed = write.await.map_err(runs_error)?;
        Ok(TemplateRemoveResponse {
            removed: removed.map(wire),
        })
    }
}
