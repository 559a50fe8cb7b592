//! What a model costs, as the ledger takes it: the settings' word, else the catalogue's.

use std::collections::BTreeMap;

use convergio_config::ModelSettings;
use convergio_contract::model::ModelPriceTier;
use convergio_ledger::{PriceRow, PriceSheet, Simple, TierMode, parse_usd};
use convergio_models_api::Resource;
use convergio_models_remote::{ModelRow, Price, PriceTier};
use jiff::civil::Date;

/// The sheet of one model; none where nobody says what it costs.
pub(super) fn sheet(
    provider: &str,
    model: &str,
    said: Option<&ModelSettings>,
    row: Option<&ModelRow>,
    list: &str,
    today: Date,
) -> Option<PriceSheet> {
    if let Some(price) = said.and_then(|said| said.price) {
        let simple = Simple {
            input: price.input,
            output: price.output,
            cache_read: price.cache_read,
            cache_write_5m: price.cache_write,
            cache_write_1h: price.cache_write_1h.or(price.cache_write),
        };
        return Some(PriceSheet::simple("config", 0, provider, model, simple));
    }
    let price = row?.price.as_ref()?.on(today);
    let mut sheet = PriceSheet::simple(list, 0, provider, model, simple(&price)?);
    for tier in &price.tiers {
        let rows = PriceSheet::simple(list, 0, provider, model, tiered(tier)?).rows;
        sheet.rows.extend(rows.into_iter().map(|row| PriceRow {
            tier_min_prompt: tier.over_prompt_tokens.saturating_add(1),
            tier_mode: TierMode::WholeRequest,
            ..row
        }));
    }
    Some(sheet)
}

/// A price that is none is no price: the model is refused, never free.
fn optional(text: Option<&String>) -> Option<Option<i64>> {
    match text {
        None => Some(None),
        Some(text) => parse_usd(text).ok().map(Some),
    }
}

fn simple(price: &Price) -> Option<Simple> {
    Some(Simple {
        input: parse_usd(&price.input).ok()?,
        output: parse_usd(&price.output).ok()?,
        cache_read: optional(price.cache_read.as_ref())?,
        cache_write_5m: optional(price.cache_write_5m.as_ref())?,
        cache_write_1h: optional(price.cache_write_1h.as_ref())?,
    })
}

fn tiered(tier: &PriceTier) -> Option<Simple> {
    Some(Simple {
        input: parse_usd(&tier.input).ok()?,
        output: parse_usd(&tier.output).ok()?,
        cache_read: optional(tier.cache_read.as_ref())?,
        cache_write_5m: optional(tier.cache_write_5m.as_ref())?,
        cache_write_1h: optional(tier.cache_write_1h.as_ref())?,
    })
}

/// Nano-USD for a million units, by resource: for a list.
pub(crate) fn by_resource(sheet: &PriceSheet) -> BTreeMap<String, i64> {
    let usual =
        |row: &&PriceRow| row.tier_min_prompt == 0 && row.resource != Resource::OutReasoning;
    let rows = sheet.rows.iter().filter(usual);
    rows.map(|row| (row.resource.as_str().to_owned(), row.nano_per_million))
        .collect()
}

/// Prices of requests whose prompt is long, ascending: for a list.
pub(crate) fn tiers(sheet: &PriceSheet) -> Vec<ModelPriceTier> {
    let mut tiers: BTreeMap<u64, BTreeMap<String, i64>> = BTreeMap::new();
    let long = |row: &&PriceRow| row.tier_min_prompt > 0 && row.resource != Resource::OutReasoning;
    for row in sheet.rows.iter().filter(long) {
        let tier = tiers.entry(row.tier_min_prompt).or_default();
        tier.insert(row.resource.as_str().to_owned(), row.nano_per_million);
    }
    let tier = |(from_prompt_tokens, price_nano_usd_per_million)| ModelPriceTier {
        from_prompt_tokens,
        price_nano_usd_per_million,
    };
    tiers.into_iter().map(tier).collect()
}

#[cfg(test)]
mod tests {
    use convergio_ledger::Rates;
    use convergio_models_remote::Catalog;

    use super::*;

    #[test]
    fn every_price_of_the_catalogue_becomes_a_rate() {
        for provider in Catalog::builtin().providers() {
            for model in provider.models.iter().filter(|model| model.price.is_some()) {
                let sheet = sheet(
                    &provider.name,
                    &model.id,
                    None,
                    Some(model),
                    "catalog",
                    Date::constant(2026, 11, 21),
                )
                .unwrap();
                let rates = Rates::from_sheet(&sheet, &provider.name, &model.id);
                assert!(rates.is_some(), "{}/{}", provider.name, model.id);
            }
        }
    }

    #[test]
    fn the_settings_price_wins_and_no_price_is_none() {
        let today = Date::constant(2026, 11, 21);
        let said = ModelSettings {
            price: Some(convergio_config::Price {
                input: 3_000_000_000,
                output: 15_000_000_000,
                cache_read: None,
                cache_write: None,
                cache_write_1h: None,
            }),
            ..ModelSettings::default()
        };
        let sheet_ = sheet("mock", "m", Some(&said), None, "catalog", today).unwrap();
        let rates = Rates::from_sheet(&sheet_, "mock", "m").unwrap();
        assert_eq!(rates.hold(1_000, 1_000).unwrap(), 18_000_000);
        assert!(
            sheet(
                "mock",
                "m",
                Some(&ModelSettings::default()),
                None,
                "catalog",
                today
            )
            .is_none()
        );
    }
}
