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

/// One rate that applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Units, in whole quanta.
    pub quantity: u64,
    /// Nano-USD for a million of them.
    pub nano_per_million: i64,
}

impl Step {
    fn of(row: &PriceRow, quantity: u64) -> Self {
        let quantum = row.quantum.max(1);
        Self {
            quantity: quantity
                .checked_next_multiple_of(quantum)
                .unwrap_or(quantity),
            nano_per_million: row.nano_per_million,
        }
    }

    fn millionths(self) -> i128 {
        product(self.quantity, self.nano_per_million)
    }
}

/// How one line of a cost came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedLine {
    /// What was used.
    pub resource: Resource,
    /// How much of it.
    pub quantity: u64,
    /// Whose price it has: its own, or the dearest of its family where it has none.
    pub priced_as: Resource,
    /// The rates that applied; several where tiers are marginal.
    pub steps: Vec<Step>,
    /// The sum of the steps, rounded half to even once, nano-USD.
    pub amount_nano: i64,
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
            match self.priced(resource, quantity, prompt) {
                Some((_, steps)) => {
                    let nano = settle_up(sum(&steps))?;
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

    /// The lines of [`Self::cost`], each with the rates that made it.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn explain(&self, usage: &Usage) -> Result<Vec<ExplainedLine>, MoneyError> {
        let prompt = usage.input_tokens().unwrap_or(0);
        let cost = self.cost(usage)?;
        let priced = cost
            .lines
            .into_iter()
            .filter_map(|(resource, amount_nano)| {
                let quantity = usage.get(resource)?;
                let (priced_as, steps) = self.priced(resource, quantity, prompt)?;
                Some(ExplainedLine {
                    resource,
                    quantity,
                    priced_as,
                    steps,
                    amount_nano,
                })
            });
        Ok(priced.collect())
    }

    /// The two parts of [`Self::hold`]: input and output, each at its dearest rate, rounded up.
    #[must_use]
    pub fn hold_steps(&self, input_ceiling: u64, max_output: u32) -> [Option<Step>; 2] {
        let dearest = |classes: &[Resource], quantity: u64| {
            self.applicable(classes, input_ceiling.max(quantity))
                .map(|row| Step::of(row, quantity))
                .max_by_key(|step| step.millionths())
        };
        [
            dearest(&INPUT, input_ceiling),
            dearest(&OUTPUT, u64::from(max_output)),
        ]
    }

    /// Whose price a class has in a request of `prompt` input tokens, and its rates: its own, or
    /// the dearest of its family.
    fn priced(
        &self,
        resource: Resource,
        quantity: u64,
        prompt: u64,
    ) -> Option<(Resource, Vec<Step>)> {
        if let Some(own) = self.steps(resource, quantity, prompt) {
            return Some((resource, own));
        }
        let family: &[Resource] = if INPUT.contains(&resource) {
            &INPUT
        } else if OUTPUT.contains(&resource) {
            &OUTPUT
        } else {
            &[]
        };
        family
            .iter()
            .filter_map(|&class| Some((class, self.steps(class, quantity, prompt)?)))
            .max_by_key(|(_, steps)| sum(steps))
    }

    /// The rates of `quantity` of a class in a request of `prompt` input tokens; `None` without a
    /// price of its own.
    fn steps(&self, resource: Resource, quantity: u64, prompt: u64) -> Option<Vec<Step>> {
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
        Some(match reached.tier_mode {
            TierMode::WholeRequest => vec![Step::of(reached, quantity)],
            TierMode::Marginal => {
                let part = |(index, row): (usize, &&PriceRow)| {
                    let above = tiers.get(index + 1).map(|next| next.tier_min_prompt);
                    let from = if index == 0 { 0 } else { row.tier_min_prompt };
                    let until = above.map_or(quantity, |next| next.min(quantity));
                    Step::of(row, until.saturating_sub(from))
                };
                tiers.iter().enumerate().map(part).collect()
            }
        })
    }

    /// The most that `quantity` of these classes can cost in a request of at most `prompt` input
    /// tokens.
    fn most(&self, classes: &[Resource], quantity: u64, prompt: u64) -> i128 {
        // Marginal tiers of the output count its own tokens.
        self.applicable(classes, prompt.max(quantity))
            .map(|row| Step::of(row, quantity).millionths())
            .max()
            .unwrap_or(0)
    }

    /// The prices of these classes that may apply where so many tokens are reached.
    fn applicable(&self, classes: &[Resource], reached: u64) -> impl Iterator<Item = &PriceRow> {
        self.rows
            .iter()
            .filter(move |row| classes.contains(&row.resource))
            .filter(move |row| row.tier_min_prompt <= reached || self.is_first(row))
    }

    fn is_first(&self, row: &PriceRow) -> bool {
        !self.rows.iter().any(|other| {
            other.resource == row.resource && other.tier_min_prompt < row.tier_min_prompt
        })
    }
}

/// A line before it is rounded, in millionths of a nano-USD.
fn sum(steps: &[Step]) -> i128 {
    steps
        .iter()
        .fold(0, |sum: i128, step| sum.saturating_add(step.millionths()))
}

fn up(millionths: i128) -> i128 {
    millionths.div_euclid(1_000_000) + i128::from(millionths.rem_euclid(1_000_000) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Simple;

    fn tiered(mode: TierMode) -> Rates {
        let price = Simple {
            input: 3_000_000_000,
            output: 15_000_000_000,
            cache_read: Some(300_000_000),
            cache_write_5m: None,
            cache_write_1h: None,
        };
        let mut sheet = PriceSheet::simple("test", 0, "p", "m", price);
        let row = sheet.rows.first().cloned().unwrap();
        sheet.rows.push(PriceRow {
            tier_min_prompt: 200_000,
            tier_mode: mode,
            nano_per_million: 6_000_000_001,
            quantum: 100,
            ..row
        });
        sheet.rows[0].tier_mode = mode;
        sheet
            .rows
            .retain(|row| row.resource != Resource::OutReasoning);
        Rates::from_sheet(&sheet, "p", "m").unwrap()
    }

    proptest::proptest! {
        #[test]
        fn the_explained_lines_are_the_cost(
            input in 0_u64..1_000_000,
            cached in 0_u64..1_000_000,
            output in 0_u64..100_000,
            hidden in 0_u64..100_000,
            marginal: bool,
        ) {
            let mode = if marginal { TierMode::Marginal } else { TierMode::WholeRequest };
            let rates = tiered(mode);
            let usage = Usage::default()
                .with(Resource::InUncached, input)
                .with(Resource::InCacheRead, cached)
                .with(Resource::OutText, output)
                .with(Resource::OutReasoning, hidden);
            let cost = rates.cost(&usage).unwrap();
            let lines = rates.explain(&usage).unwrap();
            let told: Vec<(Resource, i64)> =
                lines.iter().map(|line| (line.resource, line.amount_nano)).collect();
            proptest::prop_assert_eq!(&told, &cost.lines);
            proptest::prop_assert_eq!(told.iter().map(|line| line.1).sum::<i64>(), cost.total_nano);
            for line in &lines {
                proptest::prop_assert_eq!(settle_up(sum(&line.steps)).unwrap(), line.amount_nano);
                let units: u64 = line.steps.iter().map(|step| step.quantity).sum();
                proptest::prop_assert!(units >= line.quantity && units < line.quantity + 100);
            }
            // Reasoning without a price of its own has that of text.
            let of_hidden = lines.iter().find(|line| line.resource == Resource::OutReasoning);
            proptest::prop_assert_eq!(of_hidden.map(|line| line.priced_as), Some(Resource::OutText));
            let held: i128 = rates
                .hold_steps(input, 500)
                .into_iter()
                .flatten()
                .map(|step| up(step.millionths()))
                .sum();
            proptest::prop_assert_eq!(i128::from(rates.hold(input, 500).unwrap()), held);
        }
    }
}
