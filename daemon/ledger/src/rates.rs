//! What a model costs.

use convergio_models_api::{Resource, Usage};

use crate::money::{MoneyError, product, settle_up};
use crate::price::{PriceRow, PriceSheet, TierMode};

const INPUT: [Resource; 4] = [
    Resource::InUncached,
    Resource::InCacheRead,
    Resource::InCacheWrite5m,
    Resource::InCacheWrite1h,
];
const OUTPUT: [Resource; 2] = [Resource::OutText, Resource::OutReasoning];

/// The prices of one model; there is one for its input and one for its output at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    rows: Vec<PriceRow>,
}

/// What a usage costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The sum of the lines, nano-USD.
    pub total_nano: i64,
    /// Nano-USD by resource, for what has a price.
    pub lines: Vec<(Resource, i64)>,
    /// What was used and has no price in the table.
    pub unpriced: Vec<Resource>,
}

impl Rates {
    pub(crate) fn of(rows: Vec<PriceRow>) -> Option<Self> {
        let has = |classes: &[Resource]| rows.iter().any(|row| classes.contains(&row.resource));
        let whole = has(&INPUT) && has(&OUTPUT);
        whole.then_some(Self { rows })
    }

    /// The prices of a model in a table that is not kept yet.
    #[must_use]
    pub fn from_sheet(sheet: &PriceSheet, provider: &str, model: &str) -> Option<Self> {
        let mine = |row: &&PriceRow| {
            row.provider == provider && row.model == model && row.service_tier.is_empty()
        };
        Self::of(sheet.rows.iter().filter(mine).cloned().collect())
    }

    /// What a call may cost at most, nano-USD: its input at the dearest price that may apply, and
    /// all the output that it may make. Rounded up.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn hold(&self, input_ceiling: u64, max_output: u32) -> Result<i64, MoneyError> {
        let input = self.most(&INPUT, input_ceiling, input_ceiling);
        let output = self.most(&OUTPUT, u64::from(max_output), input_ceiling);
        let sum = up(input).checked_add(up(output));
        i64::try_from(sum.ok_or(MoneyError::TooLarge)?).map_err(|_| MoneyError::TooLarge)
    }

    /// The most output for which [`Self::hold`] is within `available_nano`, at most `wanted`; zero
    /// if not even the input is.
    pub(crate) fn output_within(
        &self,
        input_ceiling: u64,
        wanted: u32,
        available_nano: i64,
    ) -> Result<u32, MoneyError> {
        // Holds grow with the output: the border is found by halving.
        let (mut fits, mut beyond) = (0, wanted.saturating_add(1));
        if self.hold(input_ceiling, 0)? > available_nano {
            return Ok(0);
        }
        while beyond - fits > 1 {
            let middle = fits + (beyond - fits) / 2;
            if self.hold(input_ceiling, middle)? <= available_nano {
                fits = middle;
            } else {
                beyond = middle;
            }
        }
        Ok(fits)
    }

    /// What was used, by class, each line rounded half to even. A class of input without a price
    /// of its own costs the dearest one of the input, and so with output.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn cost(&self, usage: &Usage) -> Result<Cost, MoneyError> {
        let prompt = usage.input_tokens().unwrap_or(0);
        let mut cost = Cost {
            total_nano: 0,
            lines: Vec::new(),
            unpriced: Vec::new(),
        };
        for (resource, quantity) in usage.reported() {
            let quota = matches!(
                resource,
                Resource::Review | Resource::Question | Resource::Query | Resource::LocalComputeMs
            );
            if quota {
                continue;
            }
            let own = self.millionths(resource, quantity, prompt);
            let family: &[Resource] = if INPUT.contains(&resource) {
                &INPUT
            } else if OUTPUT.contains(&resource) {
                &OUTPUT
            } else {
                &[]
            };
            let dearest = || {
                family
                    .iter()
                    .filter_map(|&class| self.millionths(class, quantity, prompt))
                    .max()
            };
            match own.or_else(dearest) {
                Some(millionths) => {
                    let nano = settle_up(millionths)?;
                    cost.total_nano = cost
                        .total_nano
                        .checked_add(nano)
                        .ok_or(MoneyError::TooLarge)?;
                    cost.lines.push((resource, nano));
                }
                None if quantity > 0 => cost.unpriced.push(resource),
                None => {}
            }
        }
        Ok(cost)
    }

    /// What `quantity` of a class costs in a request of `prompt` input tokens; `None` without a
    /// price.
    fn millionths(&self, resource: Resource, quantity: u64, prompt: u64) -> Option<i128> {
        let mut tiers: Vec<&PriceRow> = self
            .rows
            .iter()
            .filter(|row| row.resource == resource)
            .collect();
        tiers.sort_by_key(|row| row.tier_min_prompt);
        let reached = tiers
            .iter()
            .rev()
            .find(|row| row.tier_min_prompt <= prompt)
            .or(tiers.first())?;
        match reached.tier_mode {
            TierMode::WholeRequest => Some(billed(reached, quantity)),
            TierMode::Marginal => {
                let mut sum = 0;
                for (index, row) in tiers.iter().enumerate() {
                    let above = tiers.get(index + 1).map(|next| next.tier_min_prompt);
                    let from = if index == 0 { 0 } else { row.tier_min_prompt };
                    let until = above.map_or(quantity, |next| next.min(quantity));
                    sum = i128::saturating_add(sum, billed(row, until.saturating_sub(from)));
                }
                Some(sum)
            }
        }
    }

    /// The most that `quantity` of these classes can cost in a request of at most `prompt` input
    /// tokens.
    fn most(&self, classes: &[Resource], quantity: u64, prompt: u64) -> i128 {
        // Marginal tiers of the output count its own tokens.
        let reached = prompt.max(quantity);
        self.rows
            .iter()
            .filter(|row| classes.contains(&row.resource))
            .filter(|row| row.tier_min_prompt <= reached || self.is_first(row))
            .map(|row| billed(row, quantity))
            .max()
            .unwrap_or(0)
    }

    fn is_first(&self, row: &PriceRow) -> bool {
        !self.rows.iter().any(|other| {
            other.resource == row.resource && other.tier_min_prompt < row.tier_min_prompt
        })
    }
}

fn billed(row: &PriceRow, quantity: u64) -> i128 {
    let quantum = row.quantum.max(1);
    let quantity = quantity
        .checked_next_multiple_of(quantum)
        .unwrap_or(quantity);
    product(quantity, row.nano_per_million)
}

fn up(millionths: i128) -> i128 {
    millionths.div_euclid(1_000_000) + i128::from(millionths.rem_euclid(1_000_000) != 0)
}
