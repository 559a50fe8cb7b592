//! Who is tested: every provider of the catalogue, and one for each dialect of which the catalogue
//! names nobody, because every user has an address of his own.

use std::sync::LazyLock;

use convergio_models_remote::{Catalog, ProviderRow};

const MORE: &str = r#"
[[provider]]
name = "azure"
title = "Azure OpenAI"
kind = "azure"
base_url = "https://mine.openai.azure.test"
docs_url = "https://learn.microsoft.com/azure/foundry/openai"
dialect = { max_tokens = "max_completion_tokens" }

[[provider]]
name = "openai-responses"
title = "OpenAI Responses"
kind = "openai-responses"
base_url = "https://api.openai.test/v1"
docs_url = "https://developers.openai.com/api/docs"
"#;

/// All of them, by distinct names.
pub(crate) fn rows() -> Vec<&'static ProviderRow> {
    static EXTRA: LazyLock<Catalog> = LazyLock::new(|| Catalog::parse(MORE).unwrap());
    let known = Catalog::builtin();
    let extra = EXTRA.providers().iter();
    let extra = extra.filter(|row| known.provider(&row.name).is_none());
    known.providers().iter().chain(extra).collect()
}

pub(crate) fn row(name: &str) -> Option<&'static ProviderRow> {
    rows().into_iter().find(|row| row.name == name)
}
