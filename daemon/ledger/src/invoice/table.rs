//! Tables: comma- or tab-separated, known by the names of their columns.

use std::{borrow::Cow, collections::HashMap};

use convergio_models_api::Resource;

use super::{
    Invoice, InvoiceError, InvoiceLine, Shape, amount, day, day_of_seconds, dollars, line_item,
    name, quantity,
};

/// Columns of one table at most.
const COLUMNS_MAX: usize = 256;

/// The columns of Anthropic's usage that count something.
const ANTHROPIC_USAGE: [(&str, Resource); 6] = [
    ("usage_input_tokens_no_cache", Resource::InUncached),
    ("usage_input_tokens_cache_read", Resource::InCacheRead),
    (
        "usage_input_tokens_cache_write_5m",
        Resource::InCacheWrite5m,
    ),
    (
        "usage_input_tokens_cache_write_1h",
        Resource::InCacheWrite1h,
    ),
    ("usage_output_tokens", Resource::OutText),
    ("web_search_count", Resource::SearchCall),
];

struct Columns(HashMap<String, usize>);

impl Columns {
    fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.0.contains_key(*name))
    }

    fn shape(&self) -> Option<Shape> {
        if self.has(&["day", "model"]) && (self.has(&["amount_usd"]) || self.has(&["quantity"])) {
            Some(Shape::Neutral)
        } else if self.has(&["usage_date_utc", "usage_input_tokens_no_cache"]) {
            Some(Shape::AnthropicUsage)
        } else if self.has(&["usage_date_utc", "cost_usd", "token_type"]) {
            Some(Shape::AnthropicCost)
        } else if self.has(&["amount_value", "amount_currency", "start_time"]) {
            Some(Shape::OpenAiCost)
        } else if self.has(&["num_model_requests", "input_tokens", "output_tokens"]) {
            Some(Shape::OpenAiUsage)
        } else {
            None
        }
    }
}

/// One row by the names of its columns.
struct Row<'a> {
    columns: &'a Columns,
    record: &'a csv::StringRecord,
    line: u64,
}

impl<'a> Row<'a> {
    /// A cell; none where the column is missing or the cell empty.
    fn get(&self, name: &str) -> Option<&'a str> {
        let at = *self.columns.0.get(name)?;
        self.record
            .get(at)
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
    }

    fn need(&self, name: &str) -> Result<&'a str, InvoiceError> {
        self.get(name)
            .ok_or_else(|| InvoiceError::line(self.line, format!("`{name}` is empty")))
    }

    fn name(&self, column: &str) -> Result<Option<String>, InvoiceError> {
        self.get(column)
            .map(|cell| name(self.line, cell))
            .transpose()
    }

    fn quantity(&self, column: &str) -> Result<Option<u64>, InvoiceError> {
        self.get(column)
            .map(|cell| quantity(self.line, cell))
            .transpose()
    }
}

pub(super) fn parse(text: &str, provider: Option<&str>) -> Result<Invoice, InvoiceError> {
    // The reader counts a line at its line feed, and would name the row before.
    let text = if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    };
    let head = text.lines().next().unwrap_or_default();
    let tabs = head.contains('\t') && !head.contains(',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if tabs { b'\t' } else { b',' })
        .has_headers(true)
        .from_reader(text.as_bytes());
    let failed = |error: &csv::Error| {
        let line = error.position().map_or(0, csv::Position::line);
        let what = match error.kind() {
            csv::ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => format!("{len} cells, where the first line has {expected_len}"),
            _ => "it is no row of a table".to_owned(),
        };
        InvoiceError::line(line, what)
    };
    let headers = reader.headers().map_err(|error| failed(&error))?;
    let mut columns = Columns(HashMap::new());
    for (at, header) in headers.iter().enumerate().take(COLUMNS_MAX) {
        let header = header.trim().to_ascii_lowercase();
        if columns.0.insert(header.clone(), at).is_some() && !header.is_empty() {
            return Err(InvoiceError::line(
                1,
                format!("two columns are `{header:.40}`"),
            ));
        }
    }
    let Some(shape) = columns.shape() else {
        let names: Vec<String> = headers.iter().take(8).map(|h| format!("{h:.40}")).collect();
        return Err(InvoiceError::Unknown {
            found: format!("its columns are {}", names.join(", ")),
        });
    };
    let mut invoice = Invoice::new(shape);
    let mut record = csv::StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| failed(&error))?
    {
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row {
            columns: &columns,
            record: &record,
            line,
        };
        read(&row, provider, &mut invoice)?;
    }
    Ok(invoice)
}

fn read(row: &Row<'_>, provider: Option<&str>, invoice: &mut Invoice) -> Result<(), InvoiceError> {
    let shape = invoice.shape;
    let own = shape.provider().map(str::to_owned);
    let provider = match provider {
        Some(provider) => Some(provider.to_owned()),
        None => own.map_or_else(|| row.name("provider"), |own| Ok(Some(own)))?,
    };
    let provider = provider.ok_or(InvoiceError::NoProvider { line: row.line })?;
    let day = match shape {
        Shape::Neutral => day(row.line, row.need("day")?)?,
        Shape::AnthropicCost | Shape::AnthropicUsage => day(row.line, row.need("usage_date_utc")?)?,
        Shape::OpenAiCost | Shape::OpenAiUsage => {
            let seconds = row
                .need("start_time")?
                .parse()
                .map_err(|_| InvoiceError::line(row.line, "`start_time` is a number of seconds"))?;
            day_of_seconds(row.line, seconds)?
        }
    };
    invoice.covers(day);
    let mut push = |model: Option<String>, resource, quantity, amount_nano| {
        invoice.push(InvoiceLine {
            line: row.line,
            day,
            provider: provider.clone(),
            model,
            resource,
            quantity,
            amount_nano,
        })
    };
    match shape {
        Shape::Neutral => {
            let resource = match row.get("resource") {
                None => None,
                Some(text) => Some(Resource::from_name(text).ok_or_else(|| {
                    InvoiceError::line(row.line, format!("{text:?} is no resource"))
                })?),
            };
            let amount_nano = match row.get("amount_usd") {
                None => None,
                Some(text) => Some(amount(row.line, text, 1)?),
            };
            let quantity = row.quantity("quantity")?;
            if quantity.is_some() && resource.is_none() {
                return Err(InvoiceError::line(
                    row.line,
                    "a quantity of which resource?",
                ));
            }
            if quantity.is_none() && amount_nano.is_none() {
                return Err(InvoiceError::line(
                    row.line,
                    "neither a quantity nor an amount",
                ));
            }
            push(row.name("model")?, resource, quantity, amount_nano)
        }
        Shape::AnthropicCost => {
            let resource = row.get("token_type").and_then(|class| match class {
                "input_no_cache" | "uncached_input_tokens" => Some(Resource::InUncached),
                "input_cache_read" | "cache_read_input_tokens" => Some(Resource::InCacheRead),
                "input_cache_write_5m" => Some(Resource::InCacheWrite5m),
                "input_cache_write_1h" => Some(Resource::InCacheWrite1h),
                "output" | "output_tokens" => Some(Resource::OutText),
                _ => None,
            });
            let nano = amount(row.line, row.need("cost_usd")?, 1)?;
            push(row.name("model")?, resource, None, Some(nano))
        }
        Shape::AnthropicUsage => {
            let model = row
                .name("model_version")?
                .map_or_else(|| row.name("model"), |m| Ok(Some(m)))?;
            for (column, resource) in ANTHROPIC_USAGE {
                if let Some(quantity) = row.quantity(column)? {
                    push(model.clone(), Some(resource), Some(quantity), None)?;
                }
            }
            Ok(())
        }
        Shape::OpenAiCost => {
            // A day without costs has a row with nothing in it.
            let Some(value) = row.get("amount_value") else {
                return Ok(());
            };
            dollars(row.line, row.need("amount_currency")?)?;
            let nano = amount(row.line, value, 1)?;
            let (model, resource) = line_item(row.line, row.get("line_item").unwrap_or_default())?;
            push(model, resource, None, Some(nano))
        }
        Shape::OpenAiUsage => {
            let Some(input) = row.quantity("input_tokens")? else {
                return Ok(());
            };
            let cached = row.quantity("input_cached_tokens")?.unwrap_or(0);
            let uncached = input
                .checked_sub(cached)
                .ok_or_else(|| InvoiceError::line(row.line, "more cached input than input"))?;
            let output = row.quantity("output_tokens")?.unwrap_or(0);
            let model = row.name("model")?;
            for (resource, quantity) in [
                (Resource::InUncached, uncached),
                (Resource::InCacheRead, cached),
                (Resource::OutText, output),
            ] {
                push(model.clone(), Some(resource), Some(quantity), None)?;
            }
            Ok(())
        }
    }
}
