//! What is known of a model: the settings' word, else the list's in force, else the catalogue's.

use convergio_ledger::PriceSheet;
use convergio_models_api::Capabilities;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Configured, lists, prices};

/// What is known of a model.
pub(crate) struct Facts {
    /// Tokens of question and answer together.
    pub(crate) context: Option<u64>,
    /// Tokens of an answer.
    pub(crate) max_output: Option<u64>,
    /// What it can do beside text; none where nobody said.
    pub(crate) capabilities: Option<Capabilities>,
    /// What it is good for.
    pub(crate) tags: Vec<String>,
    /// What it costs; none where nobody said.
    pub(crate) prices: Option<PriceSheet>,
    /// Who said what it costs.
    pub(crate) priced_by: Option<PricedBy>,
}

/// Who said what a model costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PricedBy {
    /// `config`, `catalog`, or the name of a list.
    pub(crate) list: String,
    /// Where the price is published.
    pub(crate) source: Option<String>,
    /// The day on which it was so.
    pub(crate) as_of: Option<String>,
    /// From when on another one is announced, and what it is: input and output.
    pub(crate) next: Option<(String, String, String)>,
}

/// Today, UTC: prices that are announced hold from a day on.
pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

impl Configured {
    /// Whether a model may reason where nobody sees it: unless somebody says that it does not.
    pub(crate) fn may_reason(&self, model: &str) -> bool {
        let said = self.models.get(model).and_then(|said| said.reasoning);
        said.or_else(|| {
            let row = lists::row(self.listed.as_deref(), self.row, model)?;
            Some(row.capabilities.reasoning)
        })
        .unwrap_or(true)
    }

    /// What is known of one of its models.
    pub(crate) fn facts(&self, model: &str) -> Facts {
        let said = self.models.get(model);
        let listed = self.listed.as_deref();
        let row = lists::row(listed, self.row, model);
        let by_list = listed
            .zip(self.row)
            .and_then(|(listed, own)| listed.file.model(&own.name, model).map(|_| listed));
        let list = by_list.map_or_else(|| "catalog".to_owned(), |listed| listed.source());
        let prices = prices::sheet(&self.name, model, said, row, &list, today());
        let by_settings = said.is_some_and(|said| said.price.is_some());
        let priced_by = prices
            .as_ref()
            .map(|_| match row.and_then(|row| row.price.as_ref()) {
                Some(price) if !by_settings => PricedBy {
                    list,
                    source: Some(price.source.clone()),
                    as_of: Some(price.as_of.clone()),
                    next: price
                        .next
                        .as_ref()
                        .filter(|next| next.from.parse().is_ok_and(|from: Date| from > today()))
                        .map(|next| (next.from.clone(), next.input.clone(), next.output.clone())),
                },
                _ => PricedBy {
                    list: "config".to_owned(),
                    source: None,
                    as_of: None,
                    next: None,
                },
            });
        let mut capabilities = row.map(|row| row.capabilities);
        if let Some(said) = said {
            let words = [
                said.tools,
                said.vision,
                said.reasoning,
                said.cache,
                said.json,
            ];
            if words.iter().any(Option::is_some) {
                let known = capabilities.get_or_insert_default();
                known.tools = said.tools.unwrap_or(known.tools);
                known.vision = said.vision.unwrap_or(known.vision);
                known.reasoning = said.reasoning.unwrap_or(known.reasoning);
                known.cache = said.cache.unwrap_or(known.cache);
                known.json = said.json.unwrap_or(known.json);
            }
        }
        Facts {
            context: said
                .and_then(|said| said.context_tokens)
                .or_else(|| row.map(|row| row.context)),
            max_output: said
                .and_then(|said| said.max_output_tokens)
                .or_else(|| row.map(|row| row.max_output)),
            capabilities,
            tags: row.map(|row| row.tags.clone()).unwrap_or_default(),
            prices,
            priced_by,
        }
    }
}
