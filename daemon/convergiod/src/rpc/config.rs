//! Settings: read with their provenance, changed with a way back.

use convergio_config::{
    ConfigError, Editor, Entry, Layer, LayerValue, PlannedEdit, Resolved, Revision, Settings,
    json_schema,
};
use convergio_contract::{
    RpcError, Uuid,
    config::{
        ConfigChanged, ConfigExplain, ConfigExplainParams, ConfigExplainResponse, ConfigGet,
        ConfigGetParams, ConfigGetResponse, ConfigSchema, ConfigSet, ConfigSetParams, ConfigUnset,
        ConfigUnsetParams, ConfigValue,
    },
    method::Empty,
};

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
};

fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Default => "default",
        Layer::User => "file",
        Layer::Environment => "environment",
        Layer::Flag => "flag",
        Layer::Policy => "policy",
    }
}

fn json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn resolved(value: &Resolved) -> ConfigValue {
    ConfigValue {
        key: value.key.clone(),
        value: json(&value.value),
        layer: layer(value.layer).to_owned(),
        source: value.origin.to_string(),
    }
}

fn layer_value(key: &str, said: &LayerValue, entry: &Entry) -> ConfigValue {
    ConfigValue {
        key: key.to_owned(),
        value: json(&entry.value),
        layer: layer(said.layer).to_owned(),
        source: entry.origin.to_string(),
    }
}

impl Daemon {
    pub(super) fn settings_of(&self, call: &Call) -> Result<Settings, RpcError> {
        self.configuration.settings(&call.conn.variables())
    }

    fn revision(&self) -> Result<String, RpcError> {
        let config = self.configuration.load();
        config
            .map(|config| config.revision().as_str().to_owned())
            .map_err(|error| self.configuration.error(&error))
    }

    /// Keeps the way back, then writes; its id.
    pub(super) async fn write_settings(
        &self,
        label: &str,
        plan: PlannedEdit,
    ) -> Result<Uuid, RpcError> {
        let undo_id = self.keep_settings(label, &plan).await?;
        let write = move || plan.apply();
        if let Err(error) = self.background.run("write the settings", write).await? {
            self.drop_undo(undo_id).await;
            return Err(self.configuration.error(&error));
        }
        Ok(undo_id)
    }

    async fn change(
        &self,
        call: &Call,
        key: &str,
        label: &str,
        plan: Result<PlannedEdit, ConfigError>,
    ) -> Result<ConfigChanged, RpcError> {
        let plan = plan.map_err(|error| self.configuration.error(&error))?;
        let (path, after_rev) = (plan.path.clone(), plan.after_rev.clone());
        let undo_id = self.write_settings(label, plan).await?;
        if key.starts_with("gateway.") {
            self.tend_gateway().await;
        }
        let value = match self.settings_of(call).map(|settings| settings.get(key)) {
            Ok(Ok(value)) => resolved(&value),
            // Removed by a name that is no setting, or the file has other faults: said by the
            // next call that needs it.
            Ok(Err(_)) | Err(_) => ConfigValue {
                key: key.to_owned(),
                value: serde_json::Value::Null,
                layer: layer(Layer::User).to_owned(),
                source: path.display().to_string(),
            },
        };
        Ok(ConfigChanged {
            value,
            file: path.display().to_string(),
            rev: after_rev.as_str().to_owned(),
            undo_id,
        })
    }

    pub(super) fn editor(&self) -> Editor {
        let configuration = &self.configuration;
        Editor::new(
            &configuration.paths,
            &configuration.environment,
            &configuration.catalog,
        )
    }
}

impl Handle<ConfigGet> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ConfigGetParams,
    ) -> Result<ConfigGetResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        let values = match &params.key {
            Some(key) => vec![
                settings
                    .get(key)
                    .map_err(|error| self.configuration.error(&error))?,
            ],
            None => settings.list(),
        };
        Ok(ConfigGetResponse {
            values: values.iter().map(resolved).collect(),
            file: self.configuration.paths.config_file.display().to_string(),
            rev: self.revision()?,
        })
    }
}

impl Handle<ConfigSet> for Daemon {
    async fn handle(&self, call: Call, params: ConfigSetParams) -> Result<ConfigChanged, RpcError> {
        let rev = params.expected_rev.as_deref().map(Revision::from_text);
        let plan = self.editor().set(&params.key, &params.value, rev.as_ref());
        let label = format!("cv config set {}", params.key);
        self.change(&call, &params.key, &label, plan).await
    }
}

impl Handle<ConfigUnset> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ConfigUnsetParams,
    ) -> Result<ConfigChanged, RpcError> {
        let rev = params.expected_rev.as_deref().map(Revision::from_text);
        let plan = self.editor().unset(&params.key, rev.as_ref());
        let label = format!("cv config unset {}", params.key);
        self.change(&call, &params.key, &label, plan).await
    }
}

impl Handle<ConfigExplain> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ConfigExplainParams,
    ) -> Result<ConfigExplainResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        let error = |error: ConfigError| self.configuration.error(&error);
        let explained = settings.explain(&params.key).map_err(error)?;
        let effective = settings.get(&params.key).map_err(error)?;
        let mut layers: Vec<ConfigValue> = explained
            .layers
            .iter()
            .filter_map(|said| Some(layer_value(&explained.key, said, said.entry.as_ref()?)))
            .collect();
        // The winner comes last; layers are weakest first, so it does already unless a policy
        // or flag says nothing, and those are left out.
        layers.dedup();
        Ok(ConfigExplainResponse {
            doc: explained.doc.to_owned(),
            accepts: explained.allowed.clone(),
            effective: resolved(&effective),
            layers,
            fixed_by_policy: explained.fixed_by_policy,
        })
    }
}

impl Handle<ConfigSchema> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<serde_json::Value, RpcError> {
        Ok(json_schema())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_layer_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Layer::ALL.iter().map(|each| layer(*each)).collect();
        assert_eq!(names.len(), Layer::ALL.len());
    }
}
