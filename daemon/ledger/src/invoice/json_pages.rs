//! Pages of JSON as the providers' APIs answer them, one behind the other or in a list.

use convergio_models_api::Resource;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Invoice, InvoiceError, InvoiceLine, Shape, amount, day, day_of_seconds, dollars, line_item,
    name,
};

/// A page. Numbers of money stay text: no float comes near them.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<Bucket<'a>>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    /// Anthropic's, RFC 3339.
    starting_at: Option<String>,
    /// OpenAI's, seconds.
    start_time: Option<i64>,
    #[serde(borrow, default)]
    results: Vec<&'a RawValue>,
}

/// What a result may have, whoever's it is.
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow, default)]
    amount: Option<&'a RawValue>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    line_item: Option<String>,
    #[serde(default)]
    uncached_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation: Option<CacheCreation>,
    #[serde(default)]
    server_tool_use: Option<ServerTools>,
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    input_cached_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_5m_input_tokens: u64,
    #[serde(default)]
    ephemeral_1h_input_tokens: u64,
}

#[derive(Deserialize)]
struct ServerTools {
    #[serde(default)]
    web_search_requests: u64,
}

#[derive(Deserialize)]
struct Amount<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    currency: String,
}

/// A number, or a number in quotes, as it is written.
fn digits(raw: &RawValue) -> &str {
    let text = raw.get().trim();
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

impl Found<'_> {
    fn shape(&self, of_openai: bool) -> Option<Shape> {
        match (of_openai, self.amount.is_some()) {
            (true, true) => Some(Shape::OpenAiCost),
            (false, true) => Some(Shape::AnthropicCost),
            (true, false) if self.input_tokens.is_some() => Some(Shape::OpenAiUsage),
            (false, false) if self.uncached_input_tokens.is_some() => Some(Shape::AnthropicUsage),
            _ => None,
        }
    }
}

pub(super) fn parse(text: &str, provider: Option<&str>) -> Result<Invoice, InvoiceError> {
    let unreadable = |error: &serde_json::Error| InvoiceError::Line {
        line: u64::try_from(error.line()).unwrap_or(0),
        what: "it is not a page of a usage or cost report".to_owned(),
    };
    let mut pages: Vec<Page<'_>> = Vec::new();
    if text.trim_start().starts_with('[') {
        pages = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    } else {
        for page in serde_json::Deserializer::from_str(text).into_iter() {
            pages.push(page.map_err(|error| unreadable(&error))?);
        }
    }
    if pages.last().is_some_and(|page| page.has_more) {
        return Err(InvoiceError::MorePages);
    }
    let mut invoice: Option<Invoice> = None;
    let mut days = Vec::new();
    let mut number = 0;
    for bucket in pages.iter().flat_map(|page| &page.data) {
        let of_openai = bucket.start_time.is_some();
        let day = match (&bucket.starting_at, bucket.start_time) {
            (_, Some(seconds)) => day_of_seconds(number + 1, seconds)?,
            (Some(text), None) => day(number + 1, text)?,
            (None, None) => return Err(InvoiceError::line(number + 1, "no day is named")),
        };
        days.push(day);
        for raw in &bucket.results {
            number += 1;
            let found: Found<'_> = serde_json::from_str(raw.get())
                .map_err(|_| InvoiceError::line(number, "the result cannot be read"))?;
            let shape = found.shape(of_openai).ok_or_else(|| {
                InvoiceError::line(number, "the result names neither tokens nor an amount")
            })?;
            let invoice = invoice.get_or_insert_with(|| Invoice::new(shape));
            if invoice.shape != shape {
                return Err(InvoiceError::line(number, "the file mixes several reports"));
            }
            let provider = provider.or(shape.provider()).unwrap_or_default();
            read(&found, number, day, provider, invoice)?;
        }
    }
    let mut invoice = invoice.ok_or(InvoiceError::Unknown {
        found: "its pages have no result".to_owned(),
    })?;
    for day in days {
        invoice.covers(day);
    }
    Ok(invoice)
}

fn read(
    found: &Found<'_>,
    number: u64,
    day: jiff::civil::Date,
    provider: &str,
    invoice: &mut Invoice,
) -> Result<(), InvoiceError> {
    let shape = invoice.shape;
    let model = match &found.model {
        Some(model) => Some(name(number, model)?).filter(|model| !model.is_empty()),
        None => None,
    };
    let mut push = |model: Option<String>, resource, quantity: Option<u64>, amount_nano| {
        if quantity.is_some_and(|quantity| quantity > super::QUANTITY_MAX) {
            return Err(InvoiceError::line(number, "more tokens than there are"));
        }
        invoice.push(InvoiceLine {
            line: number,
            day,
            provider: provider.to_owned(),
            model,
            resource,
            quantity,
            amount_nano,
        })
    };
    match (shape, found.amount) {
        (Shape::AnthropicCost, Some(cents)) => {
            if let Some(currency) = &found.currency {
                dollars(number, currency)?;
            }
            let resource = found.token_type.as_deref().and_then(|class| match class {
                "uncached_input_tokens" => Some(Resource::InUncached),
                "cache_read_input_tokens" => Some(Resource::InCacheRead),
                "cache_creation.ephemeral_5m_input_tokens" => Some(Resource::InCacheWrite5m),
                "cache_creation.ephemeral_1h_input_tokens" => Some(Resource::InCacheWrite1h),
                "output_tokens" => Some(Resource::OutText),
                _ => None,
            });
            let nano = amount(number, digits(cents), 100)?;
            push(model, resource, None, Some(nano))
        }
        (_, Some(raw)) => {
            let paid: Amount<'_> = serde_json::from_str(raw.get())
                .map_err(|_| InvoiceError::line(number, "`amount` has a value and a currency"))?;
            dollars(number, &paid.currency)?;
            let nano = amount(number, digits(paid.value), 1)?;
            let item = found.line_item.as_deref().unwrap_or_default();
            let (item, resource) = line_item(number, item)?;
            push(model.or(item), resource, None, Some(nano))
        }
        (Shape::AnthropicUsage, None) => {
            let cache = found.cache_creation.as_ref();
            let searches = found
                .server_tool_use
                .as_ref()
                .map(|t| t.web_search_requests);
            for (resource, quantity) in [
                (Resource::InUncached, found.uncached_input_tokens),
                (Resource::InCacheRead, found.cache_read_input_tokens),
                (
                    Resource::InCacheWrite5m,
                    cache.map(|cache| cache.ephemeral_5m_input_tokens),
                ),
                (
                    Resource::InCacheWrite1h,
                    cache.map(|cache| cache.ephemeral_1h_input_tokens),
                ),
                (Resource::OutText, found.output_tokens),
                (Resource::SearchCall, searches),
            ] {
                if quantity.is_some() {
                    push(model.clone(), Some(resource), quantity, None)?;
                }
            }
            Ok(())
        }
        (_, None) => {
            let cached = found.input_cached_tokens.unwrap_or(0);
            let input = found.input_tokens.unwrap_or(0);
            let uncached = input
                .checked_sub(cached)
                .ok_or_else(|| InvoiceError::line(number, "more cached input than input"))?;
            for (resource, quantity) in [
                (Resource::InUncached, uncached),
                (Resource::InCacheRead, cached),
                (Resource::OutText, found.output_tokens.unwrap_or(0)),
            ] {
                push(model.clone(), Some(resource), Some(quantity), None)?;
            }
            Ok(())
        }
    }
}
