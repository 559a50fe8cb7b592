//! What a provider says it bills: its exports, and our own neutral form, read into lines of one
//! shape. Pure: bytes in, lines or a named fault out.

mod decimal;
mod json_pages;
mod table;

use convergio_models_api::Resource;
use jiff::civil::Date;

use decimal::nano_usd;

/// A file's size at most, in bytes.
pub const INVOICE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Lines of one file at most.
pub const INVOICE_LINES_MAX: usize = 200_000;
/// A name in a file at most, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// The most of one resource that a line may name: sums of all lines stay countable.
pub(crate) const QUANTITY_MAX: u64 = 1_000_000_000_000;
/// The most money that a line may name, nano-USD: a million dollars.
pub(crate) const LINE_NANO_MAX: i64 = 1_000_000_000_000_000;

/// Which form a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Our own: `day,provider,model,resource,quantity,amount_usd`.
    Neutral,
    /// Anthropic's cost report, as CSV of its console or JSON of its API.
    AnthropicCost,
    /// Anthropic's usage report, as CSV of its console or JSON of its API.
    AnthropicUsage,
    /// OpenAI's costs, as CSV of its dashboard or JSON of its API.
    OpenAiCost,
    /// OpenAI's usage of completions, as CSV of its dashboard or JSON of its API.
    OpenAiUsage,
}

impl Shape {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::AnthropicCost => "anthropic_cost",
            Self::AnthropicUsage => "anthropic_usage",
            Self::OpenAiCost => "openai_cost",
            Self::OpenAiUsage => "openai_usage",
        }
    }

    /// Whose it is, where the file is not told.
    pub(crate) const fn provider(self) -> Option<&'static str> {
        match self {
            Self::Neutral => None,
            Self::AnthropicCost | Self::AnthropicUsage => Some("anthropic"),
            Self::OpenAiCost | Self::OpenAiUsage => Some("openai"),
        }
    }
}

/// One line of what a provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceLine {
    /// Where it stands in the file, from 1; for JSON, the result's number.
    pub line: u64,
    /// The day in UTC.
    pub day: Date,
    /// The provider's name in the ledger.
    pub provider: String,
    /// The model as the provider calls it; none where the line is of the whole day.
    pub model: Option<String>,
    /// What was used; none where the line says only what it costs.
    pub resource: Option<Resource>,
    /// How much of it; output counts its reasoning. None where the line says only what it costs.
    pub quantity: Option<u64>,
    /// What it costs, nano-USD; negative for a credit. None where the line says only what was used.
    pub amount_nano: Option<i64>,
}

/// A file that was understood whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its form.
    pub shape: Shape,
    /// The first day that it speaks of, also where nothing was billed then.
    pub first_day: Option<Date>,
    /// The last day that it speaks of.
    pub last_day: Option<Date>,
    /// What it says.
    pub lines: Vec<InvoiceLine>,
}

impl Invoice {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            first_day: None,
            last_day: None,
            lines: Vec::new(),
        }
    }

    /// The file speaks of this day.
    pub(crate) fn covers(&mut self, day: Date) {
        self.first_day = Some(self.first_day.map_or(day, |first| first.min(day)));
        self.last_day = Some(self.last_day.map_or(day, |last| last.max(day)));
    }

    pub(crate) fn push(&mut self, line: InvoiceLine) -> Result<(), InvoiceError> {
        if self.lines.len() >= INVOICE_LINES_MAX {
            return Err(InvoiceError::TooManyLines);
        }
        self.covers(line.day);
        self.lines.push(line);
        Ok(())
    }
}

/// Why a file was not taken. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// More bytes than are read.
    #[error("the file has {bytes} bytes; {INVOICE_BYTES_MAX} are read at most")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More lines than are read.
    #[error("the file has more than {INVOICE_LINES_MAX} lines")]
    TooManyLines,
    /// Not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// Nothing that is known.
    #[error("the file is none of the forms that are read: {found}")]
    Unknown {
        /// What was found instead.
        found: String,
    },
    /// A line that cannot be read.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A page of several, and the rest is not there.
    #[error("the file ends with a page that says more pages follow: put all of them into the file")]
    MorePages,
    /// The provider is not named.
    #[error("line {line}: no provider is named")]
    NoProvider {
        /// From 1.
        line: u64,
    },
}

impl InvoiceError {
    pub(crate) fn line(line: u64, what: impl Into<String>) -> Self {
        Self::Line {
            line,
            what: what.into(),
        }
    }
}

/// Reads a provider's export. `provider` is the name in the ledger, above what the file says.
///
/// # Errors
/// [`InvoiceError`]: the first thing that is not understood. A file is taken whole or not at all.
pub fn parse_invoice(bytes: &[u8], provider: Option<&str>) -> Result<Invoice, InvoiceError> {
    if bytes.len() > INVOICE_BYTES_MAX {
        return Err(InvoiceError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| InvoiceError::NotText)?;
    let provider = match provider {
        Some(provider) => Some(name(0, provider)?).filter(|name| !name.is_empty()),
        None => None,
    };
    let provider = provider.as_deref();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start().bytes().next() {
        None => Err(InvoiceError::Unknown {
            found: "it is empty".to_owned(),
        }),
        Some(b'{' | b'[') => json_pages::parse(text, provider),
        Some(_) => table::parse(text, provider),
    }
}

/// A name as it is kept: trimmed, without control characters, bounded.
pub(crate) fn name(line: u64, text: &str) -> Result<String, InvoiceError> {
    let text = text.trim();
    if text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(InvoiceError::line(
            line,
            format!("a name is text of {NAME_BYTES_MAX} bytes at most"),
        ));
    }
    Ok(text.to_owned())
}

/// The model and the class in a line item such as `gpt-5-mini-2025-08-07, cached input`.
pub(crate) fn line_item(
    line: u64,
    text: &str,
) -> Result<(Option<String>, Option<Resource>), InvoiceError> {
    let Some((model, class)) = text.rsplit_once(',') else {
        let text = name(line, text)?;
        return Ok(((!text.is_empty()).then_some(text), None));
    };
    let resource = match class.trim().to_ascii_lowercase().as_str() {
        "input" => Some(Resource::InUncached),
        "cached input" => Some(Resource::InCacheRead),
        "output" => Some(Resource::OutText),
        _ => None,
    };
    let model = name(line, model)?;
    Ok(((!model.is_empty()).then_some(model), resource))
}

/// The first ten characters of a day or a moment.
pub(crate) fn day(line: u64, text: &str) -> Result<Date, InvoiceError> {
    let text = text.trim();
    text.get(..10)
        .and_then(|day| day.parse().ok())
        .ok_or_else(|| InvoiceError::line(line, "a day reads 2026-11-20"))
}

/// The day of a moment in seconds.
pub(crate) fn day_of_seconds(line: u64, seconds: i64) -> Result<Date, InvoiceError> {
    jiff::Timestamp::from_second(seconds)
        .map(|moment| moment.to_zoned(jiff::tz::TimeZone::UTC).date())
        .map_err(|_| InvoiceError::line(line, "the time is no time"))
}

/// A whole number, also where it is written `59200.0`.
pub(crate) fn quantity(line: u64, text: &str) -> Result<u64, InvoiceError> {
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let whole: Option<u64> = (!whole.is_empty()
        && whole.bytes().all(|b| b.is_ascii_digit())
        && part.bytes().all(|b| b == b'0'))
    .then(|| whole.parse().ok())
    .flatten();
    whole
        .filter(|quantity| *quantity <= QUANTITY_MAX)
        .ok_or_else(|| InvoiceError::line(line, "a quantity is a whole number"))
}

/// An amount of money, in dollars.
pub(crate) fn amount(line: u64, text: &str, per_dollar: u32) -> Result<i64, InvoiceError> {
    nano_usd(text.trim(), per_dollar)
        .filter(|nano| nano.abs() <= LINE_NANO_MAX)
        .ok_or_else(|| InvoiceError::line(line, "an amount is a number of dollars"))
}

/// Only dollars are compared.
pub(crate) fn dollars(line: u64, currency: &str) -> Result<(), InvoiceError> {
    if currency.trim().eq_ignore_ascii_case("usd") {
        return Ok(());
    }
    Err(InvoiceError::line(line, "only US dollars are compared"))
}

#[cfg(test)]
mod tests;
