//! Reading provider tables from a document.

use toml_edit::{Item, Key, TableLike};

use super::keys::{MODEL_KEYS, SECTION, bad_provider, model_key, provider_key};
use crate::catalog::{Refusal, Target};
use crate::forms::is_provider_name;
use crate::parse::{Reader, entries};

/// The most providers of one file.
const MAX_PROVIDERS: usize = 64;
/// The most models of one provider.
const MAX_MODELS: usize = 500;

impl Reader<'_> {
    /// Reads `[provider]`: a table for each name.
    pub(crate) fn read_providers(&mut self, table: &dyn TableLike) {
        for (position, (key, item)) in entries(table).into_iter().enumerate() {
            if self.is_full() {
                return;
            }
            if position == MAX_PROVIDERS {
                self.too_many(key, SECTION, MAX_PROVIDERS);
                return;
            }
            let name = format!("{SECTION}.{}", key.get());
            if !is_provider_name(key.get()) {
                let refusal = bad_provider(key.get());
                self.unknown(key, &name, refusal.reason, None);
                continue;
            }
            match item.as_table_like() {
                Some(table) => self.read_provider(key.get(), table),
                None => self.not_a_table(item, &name),
            }
        }
    }

    fn read_provider(&mut self, provider: &str, table: &dyn TableLike) {
        for (key, item) in entries(table) {
            if self.is_full() {
                return;
            }
            let name = format!("{SECTION}.{provider}.{}", key.get());
            if key.get() != "model" {
                self.read_key(key, item, &name, provider_key(provider, key.get()));
                continue;
            }
            let Some(models) = item.as_table_like() else {
                self.not_a_table(item, &name);
                continue;
            };
            for (position, (key, item)) in entries(models).into_iter().enumerate() {
                if self.is_full() {
                    return;
                }
                if position == MAX_MODELS {
                    self.too_many(key, &name, MAX_MODELS);
                    break;
                }
                match item.as_table_like() {
                    Some(table) => self.read_model(provider, key.get(), table),
                    None => self.not_a_table(item, &format!("{name}.{}", key.get())),
                }
            }
        }
    }

    fn read_model(&mut self, provider: &str, id: &str, table: &dyn TableLike) {
        let base = format!("{SECTION}.{provider}.model.{id}");
        for (key, item) in entries(table) {
            if self.is_full() {
                return;
            }
            let name = format!("{base}.{}", key.get());
            let prefix = format!("{}.", key.get());
            if !MODEL_KEYS.iter().any(|spec| spec.name.starts_with(&prefix)) {
                self.read_key(key, item, &name, model_key(provider, id, key.get()));
                continue;
            }
            let Some(below) = item.as_table_like() else {
                self.not_a_table(item, &name);
                continue;
            };
            for (key, item) in entries(below) {
                let path = format!("{prefix}{}", key.get());
                let name = format!("{base}.{path}");
                self.read_key(key, item, &name, model_key(provider, id, &path));
            }
        }
    }

    fn read_key(&mut self, key: &Key, item: &Item, name: &str, found: Result<Target, Refusal>) {
        match found {
            Ok(target) => self.read_target(key, item, &target),
            Err(refusal) => self.unknown(key, name, refusal.reason, refusal.nearest),
        }
    }
}
