//! What a model costs, as the catalogue has it.

use jiff::civil::Date;
use serde::Deserialize;

/// US dollars per million tokens, as decimal strings: money is never a float.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input that no cache had.
    pub input: String,
    /// Output, reasoning included.
    pub output: String,
    /// Input read from a cache.
    pub cache_read: Option<String>,
    /// Input written to a cache of five minutes, or of the provider's usual time.
    pub cache_write_5m: Option<String>,
    /// Input written to a cache of an hour.
    pub cache_write_1h: Option<String>,
    /// Other prices for the whole request when its prompt is long; ascending.
    #[serde(default)]
    pub tiers: Vec<PriceTier>,
    /// Where this was read.
    pub source: String,
    /// The day on which it was so, `YYYY-MM-DD`.
    pub as_of: String,
    /// What is announced to hold from a later day on.
    pub next: Option<NextPrice>,
}

impl Price {
    /// The price on that day, UTC.
    pub fn on(&self, day: Date) -> Self {
        match &self.next {
            Some(next) if next.from.parse().is_ok_and(|from: Date| from <= day) => Self {
                input: next.input.clone(),
                output: next.output.clone(),
                cache_read: next.cache_read.clone(),
                cache_write_5m: next.cache_write_5m.clone(),
                cache_write_1h: next.cache_write_1h.clone(),
                tiers: next.tiers.clone(),
                source: self.source.clone(),
                as_of: self.as_of.clone(),
                next: None,
            },
            _ => Self {
                next: None,
                ..self.clone()
            },
        }
    }

    /// It says that the model costs nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        let nothing = |text: &String| text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        nothing(&self.input) && nothing(&self.output)
    }

    fn amounts(&self) -> Vec<&String> {
        let mut amounts = vec![&self.input, &self.output];
        let caches = [&self.cache_read, &self.cache_write_5m, &self.cache_write_1h];
        amounts.extend(caches.into_iter().flatten());
        let next = self.next.iter();
        for next in next.clone() {
            amounts.extend([&next.input, &next.output]);
            let caches = [&next.cache_read, &next.cache_write_5m, &next.cache_write_1h];
            amounts.extend(caches.into_iter().flatten());
        }
        for tier in self.tiers.iter().chain(next.flat_map(|next| &next.tiers)) {
            amounts.extend([&tier.input, &tier.output]);
            let caches = [&tier.cache_read, &tier.cache_write_5m, &tier.cache_write_1h];
            amounts.extend(caches.into_iter().flatten());
        }
        amounts
    }
}

/// The price from a day on; everything as in [`Price`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextPrice {
    /// The first day of it, `YYYY-MM-DD`, from midnight UTC.
    pub from: String,
    /// As in [`Price`].
    pub input: String,
    /// As in [`Price`].
    pub output: String,
    /// As in [`Price`].
    pub cache_read: Option<String>,
    /// As in [`Price`].
    pub cache_write_5m: Option<String>,
    /// As in [`Price`].
    pub cache_write_1h: Option<String>,
    /// As in [`Price`].
    #[serde(default)]
    pub tiers: Vec<PriceTier>,
}

/// The price of a whole request whose prompt is long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTier {
    /// It holds for prompts of **more** tokens than this, of all input classes together.
    pub over_prompt_tokens: u64,
    /// As in [`Price`].
    pub input: String,
    /// As in [`Price`].
    pub output: String,
    /// As in [`Price`].
    pub cache_read: Option<String>,
    /// As in [`Price`].
    pub cache_write_5m: Option<String>,
    /// As in [`Price`].
    pub cache_write_1h: Option<String>,
}

impl Price {
    /// What is wrong with it; `None` where it holds together.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !self.amounts().into_iter().all(|text| is_decimal(text)) {
            return Some("a price is no decimal");
        }
        let ascends = |tiers: &[PriceTier]| {
            tiers.is_sorted_by(|a, b| a.over_prompt_tokens < b.over_prompt_tokens)
        };
        if !ascends(&self.tiers) || !self.next.iter().all(|next| ascends(&next.tiers)) {
            return Some("its tiers do not ascend");
        }
        let day = |text: &str| text.parse::<Date>().ok();
        let Some(as_of) = day(&self.as_of).filter(|_| self.source.starts_with("https://")) else {
            return Some("a price needs its source and its day");
        };
        match &self.next {
            Some(next) if day(&next.from).is_none_or(|from| from <= as_of) => {
                Some("its next price does not begin on a later day")
            }
            _ => None,
        }
    }
}

/// Digits, and perhaps a point with at most nine digits behind it.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && whole.len() <= 9 && fraction.len() <= 9
}

#[cfg(test)]
mod tests {
    use crate::catalog::Catalog;

    #[test]
    fn a_price_that_is_announced_holds_from_its_day_on() {
        let argon = Catalog::builtin().model("gemini", "gemini-4-argon");
        let price = argon.unwrap().price.as_ref().unwrap();
        let on = |day: &str| price.on(day.parse().unwrap()).input;
        assert_eq!(on("2026-11-30"), "2.00");
        assert_eq!(on("2026-12-01"), "4.00");
    }
}
