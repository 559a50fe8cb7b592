//! Many budgets at once against a model of them: every scope and stretch, limits that come and go,
//! prices that change, clocks that are set back, and crashes between any two steps.
//!
//! `CONVERGIO_CYCLES` sets the number of cases.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use std::collections::{BTreeMap, HashMap};

use convergio_ledger::{
    BudgetSpec, Denied, LedgerError, Mode, PriceSheet, Scope, Simple, Window, budgets, pin,
    recover, remove_budget, set_budget, verify,
};
use convergio_store::at as store_error;
use proptest::prelude::*;
use support::{Books, CENT, DOLLAR, HOUR_MS, NOON_MS, at, reported};
use uuid::Uuid;

const RUNS: usize = 3;

/// Where a limit can be, and by what it is found.
const PLACES: [(Scope, &str, Window); 10] = [
    (Scope::Tenant, "", Window::Month),
    (Scope::Tenant, "", Window::Run),
    (Scope::Provider, "mock", Window::Day),
    (Scope::Provider, "mock", Window::Total),
    (Scope::Agent, "rex", Window::Day),
    (Scope::Agent, "rex", Window::Run),
    (Scope::Plugin, "lint", Window::Month),
    (Scope::Token, "claude", Window::Total),
    (Scope::Token, "claude", Window::Day),
    (Scope::Tenant, "", Window::Session),
];

#[derive(Debug, Clone)]
enum Step {
    Admit {
        run: usize,
        output: u32,
        who: u8,
        may_clamp: bool,
    },
    Settle {
        which: usize,
        output: u64,
    },
    Set {
        place: usize,
        cents: i64,
        warns: bool,
    },
    Remove {
        place: usize,
    },
    Reprice {
        dollars: i64,
    },
    Clock {
        hours: i64,
    },
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        9 => (0..RUNS, 1..4_000_u32, any::<u8>(), any::<bool>())
            .prop_map(|(run, output, who, may_clamp)| Step::Admit { run, output, who, may_clamp }),
        7 => (any::<usize>(), 0..5_000_u64)
            .prop_map(|(which, output)| Step::Settle { which, output }),
        4 => (0..PLACES.len(), 0..120_i64, proptest::bool::weighted(0.2))
            .prop_map(|(place, cents, warns)| Step::Set { place, cents, warns }),
        1 => (0..PLACES.len()).prop_map(|place| Step::Remove { place }),
        1 => (1..300_i64).prop_map(|dollars| Step::Reprice { dollars }),
        2 => (-80..200_i64).prop_map(|hours| Step::Clock { hours }),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..24)
}

/// What happened, as the model has it.
#[derive(Debug, Clone)]
struct Known {
    run: usize,
    who: u8,
    /// When it counts.
    at_ms: i64,
    hold: i64,
    /// Nano-USD an output token.
    rate: i64,
    cost: Option<i64>,
}

const AGENT: u8 = 1;
const PLUGIN: u8 = 2;
const TOKEN: u8 = 4;
const SESSION: u8 = 8;

impl Known {
    fn is_of(&self, scope: Scope) -> bool {
        match scope {
            Scope::Agent => self.who & AGENT > 0,
            Scope::Plugin => self.who & PLUGIN > 0,
            Scope::Token => self.who & TOKEN > 0,
            _ => true,
        }
    }

    /// Whether it lies in the same stretch as a call of that run at that moment.
    fn is_within(&self, window: Window, run: usize, now_ms: i64) -> bool {
        match window {
            Window::Day => self.at_ms.div_euclid(24 * HOUR_MS) == now_ms.div_euclid(24 * HOUR_MS),
            Window::Month => month(self.at_ms) == month(now_ms),
            Window::Run => self.run == run,
            Window::Session => self.who & SESSION > 0,
            Window::Total => true,
        }
    }

    fn amount(&self) -> i64 {
        self.cost.unwrap_or(self.hold)
    }
}

fn month(ms: i64) -> (i16, i8) {
    let date = jiff::Timestamp::from_millisecond(ms)
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    (date.year(), date.month())
}

struct World {
    books: Books,
    /// What the system's clock says, and the latest that was acted on.
    clock_ms: i64,
    high_ms: i64,
    rate: i64,
    session: Uuid,
    runs: [Uuid; RUNS],
    ids: Vec<Uuid>,
    known: HashMap<Uuid, Known>,
    limits: BTreeMap<usize, (i64, bool)>,
    /// Rows of the past as they were when they came to an end.
    past: BTreeMap<String, String>,
}

fn sheet(rate: i64) -> PriceSheet {
    // A token of output at `rate` nano-USD.
    let price = Simple {
        input: rate * 1_000_000,
        output: rate * 1_000_000,
        cache_read: None,
        cache_write_5m: None,
        cache_write_1h: None,
    };
    PriceSheet::simple("test", 0, "mock", "large", price)
}

impl World {
    async fn new() -> Self {
        Self {
            books: Books::with_limit(100 * DOLLAR).await,
            clock_ms: NOON_MS,
            high_ms: i64::MIN,
            rate: 100_000,
            session: Uuid::now_v7(),
            runs: std::array::from_fn(|_| Uuid::now_v7()),
            ids: Vec::new(),
            known: HashMap::new(),
            limits: BTreeMap::new(),
            past: BTreeMap::new(),
        }
    }

    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let (tenant, clock_ms) = (self.books.tenant, self.clock_ms);
        match step {
            Step::Admit {
                run,
                output,
                who,
                may_clamp,
            } => return self.admit(run, output, who, may_clamp).await,
            Step::Settle { which, output } => return self.settle(which, output).await,
            Step::Set {
                place,
                cents,
                warns,
            } => {
                let (scope, key, window) = PLACES[place];
                let spec = BudgetSpec {
                    scope,
                    scope_key: key.to_owned(),
                    window,
                    limit_nano: cents * CENT,
                    mode: if warns { Mode::Warn } else { Mode::Stop },
                };
                self.books
                    .write(move |tx| set_budget(tx, tenant, &spec, "UTC", at(clock_ms)))
                    .await
                    .map_err(failed)?;
                self.limits.insert(place, (cents * CENT, warns));
            }
            Step::Remove { place } => {
                let (scope, key, window) = PLACES[place];
                let removed = self
                    .books
                    .write(move |tx| remove_budget(tx, tenant, scope, key, window))
                    .await
                    .map_err(failed)?;
                prop_assert_eq!(removed, self.limits.remove(&place).is_some());
            }
            Step::Reprice { dollars } => self.rate = dollars * 1_000,
            Step::Clock { hours } => self.clock_ms += hours * HOUR_MS,
            Step::Crash => {
                let fresh = Books::new().await;
                let crashed = std::mem::replace(&mut self.books, fresh);
                self.books = crashed.crash().await;
                self.books
                    .write(move |tx| recover(tx, tenant, at(clock_ms), 1_000))
                    .await
                    .map_err(failed)?;
                // What it wrote is a moment that was acted on.
                if self.known.values().any(|known| known.cost.is_none()) {
                    self.high_ms = self.high_ms.max(clock_ms);
                }
                for known in self.known.values_mut() {
                    known.cost = Some(known.amount());
                }
            }
        }
        Ok(())
    }

    async fn admit(
        &mut self,
        run: usize,
        output: u32,
        who: u8,
        may_clamp: bool,
    ) -> Result<(), TestCaseError> {
        let tenant = self.books.tenant;
        let (clock_ms, rate) = (self.clock_ms, self.rate);
        let now_ms = self.high_ms.max(clock_ms);
        let version = self
            .books
            .write(move |tx| pin(tx, tenant, &sheet(rate), at(clock_ms)))
            .await
            .map_err(failed)?;
        let mut call = self.books.call(output);
        call.run_id = self.runs[run];
        call.may_clamp = may_clamp;
        call.prices = Some(version);
        call.agent = (who & AGENT > 0).then(|| "rex".to_owned());
        call.plugin = (who & PLUGIN > 0).then(|| "lint".to_owned());
        call.token = (who & TOKEN > 0).then(|| "claude".to_owned());
        call.session_id = (who & SESSION > 0).then_some(self.session);
        let mut known = Known {
            run,
            who,
            at_ms: now_ms,
            hold: 0,
            rate,
            cost: None,
        };
        let permitted = match self.books.admit(call, clock_ms).await {
            Ok(permitted) => permitted,
            Err(Denied::Budget(why)) => {
                let room = why.limit_nano - why.posted_nano - why.pending_nano;
                prop_assert!(why.frozen || why.needed_nano > room || room < 0, "{why}");
                let spent = self.used(why.which.scope, why.which.window, &known, now_ms);
                prop_assert_eq!(why.posted_nano + why.pending_nano, spent, "{}", why);
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        self.high_ms = now_ms;
        let admitted = permitted.value().max_output;
        prop_assert!(admitted == output || (may_clamp && admitted >= output.min(256)));
        known.hold = i64::from(admitted) * rate;
        let id = permitted.permit().attempt_id;
        self.ids.push(id);
        self.known.insert(id, known.clone());
        // Whoever is admitted is within every limit that stops.
        for (&place, &(limit, warns)) in &self.limits {
            let (scope, _, window) = PLACES[place];
            let counts = known.is_of(scope) && (window != Window::Session || who & SESSION > 0);
            if counts && !warns {
                let used = self.used(scope, window, &known, now_ms);
                prop_assert!(used <= limit, "{scope} {window}: {used} of {limit}");
            }
        }
        Ok(())
    }

    /// What the model says was spent and is held where this call counts.
    fn used(&self, scope: Scope, window: Window, call: &Known, now_ms: i64) -> i64 {
        self.known
            .values()
            .filter(|known| known.is_of(scope) && known.is_within(window, call.run, now_ms))
            .map(Known::amount)
            .sum()
    }

    async fn settle(&mut self, which: usize, output: u64) -> Result<(), TestCaseError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let id = self.ids[which % self.ids.len()];
        let known = self.known.get_mut(&id).unwrap();
        let cost = i64::try_from(output).unwrap() * known.rate;
        match self
            .books
            .settle(id, reported(0, output), self.clock_ms)
            .await
        {
            Ok(settled) => {
                prop_assert_eq!((known.cost, settled.amount_nano), (None, cost));
                known.cost = Some(cost);
                self.high_ms = self.high_ms.max(self.clock_ms);
            }
            Err(LedgerError::AlreadyEnded { .. }) => prop_assert!(known.cost.is_some()),
            Err(other) => return Err(failed(other)),
        }
        Ok(())
    }

    /// All that has come to an end, row by row.
    async fn rows(&self) -> BTreeMap<String, String> {
        self.books
            .read(|conn| {
                let mut rows = BTreeMap::new();
                for sql in [
                    "SELECT 'a' || hex(id), state || cost_nano || coalesce(usage_json, '') \
                        || coalesce(lines_json, '') || hex(price_version_id) \
                     FROM attempt WHERE ended_ms IS NOT NULL",
                    "SELECT 't' || seq, kind || amount || hex(hash) FROM transfer",
                ] {
                    let mut statement = conn.prepare(sql).map_err(store_error(conn, "rows"))?;
                    let found = statement
                        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                        .and_then(Iterator::collect::<Result<Vec<(String, String)>, _>>)
                        .map_err(store_error(conn, "rows"))?;
                    rows.extend(found);
                }
                Ok(rows)
            })
            .await
    }

    /// The books are sound, say what the model says, and what was is as it was.
    async fn check(&mut self) -> Result<(), TestCaseError> {
        let tenant = self.books.tenant;
        let found = self.books.read(move |conn| verify(conn, tenant)).await;
        prop_assert_eq!(
            (found.bad, found.differences, found.attempts),
            (None, vec![], vec![])
        );
        let clock_ms = self.clock_ms;
        let now_ms = self.high_ms.max(clock_ms);
        let states = self
            .books
            .read(move |conn| budgets(conn, tenant, at(clock_ms)))
            .await;
        for state in states {
            // A stretch that nothing was ever admitted in may not have been opened yet.
            if state.posted_nano == 0 && state.pending_nano == 0 {
                continue;
            }
            let of = |known: &&Known| {
                known.is_of(state.name.scope) && known.is_within(state.name.window, 0, now_ms)
            };
            let all = || self.known.values().filter(of);
            let posted: i64 = all().filter_map(|known| known.cost).sum();
            let held = all().filter(|known| known.cost.is_none());
            let pending: i64 = held.map(|known| known.hold).sum();
            prop_assert_eq!((state.posted_nano, state.pending_nano), (posted, pending));
        }
        let rows = self.rows().await;
        for (name, row) in &self.past {
            prop_assert_eq!(rows.get(name), Some(row), "{} was changed", name);
        }
        self.past = rows;
        Ok(())
    }
}

fn failed(error: LedgerError) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

fn cases() -> u32 {
    let cycles = std::env::var("CONVERGIO_CYCLES").ok();
    cycles.and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_budget_is_what_happened_in_it(steps in steps()) {
        block_on(async {
            let mut world = World::new().await;
            let half = steps.len() / 2;
            for (index, step) in steps.into_iter().enumerate() {
                world.step(step).await?;
                if index == half {
                    world.check().await?;
                }
            }
            world.check().await
        })?;
    }

    /// The same calls with the same ends, in any order of the ends, come to the same sums.
    #[test]
    fn the_order_of_ends_is_no_matter(
        calls in proptest::collection::vec((1..3_000_u32, 0..4_000_u64, any::<u8>()), 1..12),
        seed in any::<u64>(),
    ) {
        block_on(async {
            let mut sums = Vec::new();
            for shuffled in [false, true] {
                let mut world = World::new().await;
                for place in 0..PLACES.len() {
                    let set = Step::Set { place, cents: 1_000_000, warns: false };
                    world.step(set).await?;
                }
                for &(output, _, who) in &calls {
                    let run = usize::from(who) % RUNS;
                    world.admit(run, output, who, false).await?;
                }
                let mut order: Vec<usize> = (0..calls.len()).collect();
                if shuffled {
                    order.sort_by_key(|index| (*index as u64).wrapping_mul(seed | 1).reverse_bits());
                }
                for index in order {
                    world.settle(index, calls[index].1).await?;
                }
                world.check().await?;
                let tenant = world.books.tenant;
                let states = world.books.read(move |conn| budgets(conn, tenant, at(NOON_MS))).await;
                sums.push(states.into_iter().map(|state| {
                    (state.name.scope, state.name.window, state.posted_nano, state.pending_nano)
                }).collect::<Vec<_>>());
            }
            prop_assert_eq!(&sums[0], &sums[1]);
            Ok(())
        })?;
    }
}
