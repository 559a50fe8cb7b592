//! The books against a model of them, over any order of calls, ends, crashes and changes of mind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "every test needs a part of it")]
mod support;

use std::collections::HashMap;

use convergio_ledger::{
    AttemptEnding, Denied, GroupBy, LedgerError, UsageQuery, UsageSource, budgets, recover, usage,
    verify,
};
use convergio_models_api::Usage;
use proptest::prelude::*;
use support::{Books, CENT, HOUR_MS, NOON_MS, at, reported, used};
use uuid::Uuid;

/// Runs that the calls are of.
const RUNS: usize = 3;
/// What an input token and an output token cost, nano-USD.
const RATES: (i64, i64) = (10_000, 100_000);

#[derive(Debug, Clone)]
enum Step {
    Admit {
        run: usize,
        input: u64,
        output: u32,
        may_clamp: bool,
        local: bool,
    },
    /// Ends one of the attempts so far, ended ones included.
    Settle {
        which: usize,
        end: usize,
        input: u64,
        output: u64,
    },
    /// A start without a crash: nothing of the living is touched by a second one.
    Recover,
    Crash,
    Limit {
        cents: i64,
        zone: &'static str,
    },
    Wait {
        hours: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..RUNS, 0..2_000_u64, 1..3_000_u32, any::<bool>(), proptest::bool::weighted(0.15))
            .prop_map(|(run, input, output, may_clamp, local)| Step::Admit {
                run, input, output, may_clamp, local,
            }),
        8 => (any::<usize>(), 0..4_usize, 0..2_500_u64, 0..4_000_u64)
            .prop_map(|(which, end, input, output)| Step::Settle { which, end, input, output }),
        1 => Just(Step::Recover),
        1 => Just(Step::Crash),
        2 => (0..200_i64, proptest::sample::select(vec!["UTC", "Europe/Rome", "Asia/Tokyo"]))
            .prop_map(|(cents, zone)| Step::Limit { cents, zone }),
        2 => (1..9_i64).prop_map(|hours| Step::Wait { hours }),
    ];
    proptest::collection::vec(step, 1..30)
}

#[derive(Debug, Clone, Copy)]
struct Known {
    run: usize,
    local: bool,
    hold: i64,
    input: u64,
    output: u64,
    /// What it came to.
    cost: Option<i64>,
}

fn hold(input: u64, output: u64) -> i64 {
    i64::try_from(input).unwrap() * RATES.0 + i64::try_from(output).unwrap() * RATES.1
}

/// What an end must cost.
fn expected(known: &Known, end: usize, input: u64, output: u64) -> (AttemptEnding, i64) {
    let (ending, cost) = match end {
        0 => (reported(input, output), hold(input, output)),
        1 => (
            AttemptEnding::Partial {
                usage: used(input, output / 2),
                counted_output: output,
                input_ceiling: known.input,
            },
            hold(input, output),
        ),
        2 => (
            AttemptEnding::Reported(Usage::default()),
            hold(known.input, known.output),
        ),
        _ => (AttemptEnding::NothingSent, 0),
    };
    (ending, if known.local { 0 } else { cost })
}

struct World {
    books: Books,
    now_ms: i64,
    runs: [Uuid; RUNS],
    ids: Vec<Uuid>,
    known: HashMap<Uuid, Known>,
}

impl World {
    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Admit {
                run,
                input,
                output,
                may_clamp,
                local,
            } => self.admit(run, input, output, may_clamp, local).await,
            Step::Settle {
                which,
                end,
                input,
                output,
            } => self.settle(which, end, input, output).await,
            Step::Recover => self.recover().await,
            Step::Crash => {
                let fresh = Books::new().await;
                let crashed = std::mem::replace(&mut self.books, fresh);
                self.books = crashed.crash().await;
                self.recover().await
            }
            Step::Limit { cents, zone } => {
                self.books.limit(cents * CENT, zone, self.now_ms).await;
                Ok(())
            }
            Step::Wait { hours } => {
                self.now_ms += hours * HOUR_MS;
                Ok(())
            }
        }
    }

    async fn admit(
        &mut self,
        run: usize,
        input: u64,
        output: u32,
        may_clamp: bool,
        local: bool,
    ) -> Result<(), TestCaseError> {
        let mut call = self.books.call(output);
        call.run_id = self.runs[run];
        call.input_ceiling = input;
        call.may_clamp = may_clamp;
        call.max_cost_nano = (run == 0).then_some(70 * CENT);
        call.local = local;
        if local {
            call.destination.clear();
        }
        let permitted = match self.books.admit(call, self.now_ms).await {
            Ok(permitted) => permitted,
            Err(Denied::Budget(why)) => {
                prop_assert!(!local);
                let room = why.limit_nano - why.posted_nano - why.pending_nano;
                prop_assert!(why.frozen || why.needed_nano > room || room < 0, "{why}");
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let admitted = permitted.value().max_output;
        prop_assert!(admitted == output || (may_clamp && admitted >= output.min(256)));
        let hold = if local {
            0
        } else {
            hold(input, admitted.into())
        };
        let known = Known {
            run,
            local,
            hold,
            input,
            output: admitted.into(),
            cost: None,
        };
        let id = permitted.permit().attempt_id;
        self.ids.push(id);
        self.known.insert(id, known);
        // Whoever is admitted is within every limit.
        if !local {
            let day = self.day().await;
            prop_assert!(day.0 + day.1 <= day.2, "{day:?}");
            let of_run = |known: &Known| known.cost.unwrap_or(known.hold);
            let run_0: i64 = self.known.values().filter(|k| k.run == 0).map(of_run).sum();
            prop_assert!(run != 0 || run_0 <= 70 * CENT, "{run_0}");
        }
        Ok(())
    }

    async fn settle(
        &mut self,
        which: usize,
        end: usize,
        input: u64,
        output: u64,
    ) -> Result<(), TestCaseError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let id = self.ids[which % self.ids.len()];
        let known = self.known[&id];
        let (ending, cost) = expected(&known, end, input, output);
        match self.books.settle(id, ending, self.now_ms).await {
            Ok(settled) => {
                prop_assert_eq!(known.cost, None, "a second end");
                prop_assert_eq!(settled.amount_nano, cost);
                prop_assert_eq!(settled.hold_nano, known.hold);
                let over = if known.local {
                    0
                } else {
                    (cost - known.hold).max(0)
                };
                prop_assert_eq!(settled.overage_nano, over);
                prop_assert!(over == 0 || settled.budgets.iter().all(|budget| budget.frozen));
                prop_assert!((settled.source == UsageSource::Nothing) == (end == 3));
                self.known.insert(
                    id,
                    Known {
                        cost: Some(cost),
                        ..known
                    },
                );
            }
            Err(LedgerError::AlreadyEnded { .. }) => prop_assert!(known.cost.is_some()),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    }

    async fn recover(&mut self) -> Result<(), TestCaseError> {
        let (tenant, now_ms) = (self.books.tenant, self.now_ms);
        loop {
            let slice = self
                .books
                .write(move |tx| recover(tx, tenant, at(now_ms), 2))
                .await
                .map_err(|error: LedgerError| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(slice.differences, vec![]);
            prop_assert_eq!(slice.voided, Vec::<Uuid>::new());
            for one in slice.unknown {
                let known = self.known[&one.attempt_id];
                prop_assert_eq!((known.cost, one.amount_nano), (None, known.hold));
                prop_assert_eq!(one.run_id, self.runs[known.run]);
                self.known.insert(
                    one.attempt_id,
                    Known {
                        cost: Some(known.hold),
                        ..known
                    },
                );
            }
            if !slice.more {
                break;
            }
        }
        prop_assert!(self.known.values().all(|known| known.cost.is_some()));
        Ok(())
    }

    /// Spent, held, limit.
    async fn day(&self) -> (i64, i64, i64) {
        let (tenant, now_ms) = (self.books.tenant, self.now_ms);
        let states = self
            .books
            .read(move |conn| budgets(conn, tenant, at(now_ms)))
            .await;
        let day = &states[0];
        (day.posted_nano, day.pending_nano, day.limit_nano)
    }

    async fn check(&self) -> Result<(), TestCaseError> {
        let tenant = self.books.tenant;
        let found = self.books.read(move |conn| verify(conn, tenant)).await;
        prop_assert_eq!(
            (found.bad, found.differences, found.attempts),
            (None, vec![], vec![])
        );
        let query = UsageQuery {
            since_ms: None,
            until_ms: None,
            by: GroupBy::Run,
            run_id: None,
            zone: "UTC".into(),
            limit: 100,
        };
        let report = self
            .books
            .read(move |conn| usage(conn, tenant, &query))
            .await;
        let cost: i64 = self.known.values().filter_map(|known| known.cost).sum();
        let open = self.known.values().filter(|known| known.cost.is_none());
        let held: i64 = open.map(|known| known.hold).sum();
        prop_assert_eq!(
            (report.total.cost_nano, report.total.held_nano),
            (cost, held)
        );
        prop_assert_eq!(report.total.attempts, self.ids.len() as u64);
        // Every account's debits are another's credits, and what is posted or held is in both.
        let sums: (i64, i64, i64) = self
            .books
            .read(|conn| {
                Ok(conn
                    .query_row(
                        "WITH moved AS (SELECT debit, credit, amount FROM transfer \
                            WHERE kind IN ('post', 'overage')) \
                         SELECT (SELECT coalesce(sum(amount), 0) FROM moved), \
                            (SELECT coalesce(sum(amount), 0) FROM moved WHERE debit LIKE 'spent/%'), \
                            (SELECT coalesce(sum(amount), 0) FROM moved WHERE credit LIKE 'owed/%')",
                        [],
                        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                    )
                    .map_err(convergio_store::at(conn, "sum"))?)
            })
            .await;
        prop_assert_eq!(sums, (cost, cost, cost));
        Ok(())
    }
}

/// `CONVERGIO_CYCLES` sets the number of cases.
fn cases() -> u32 {
    let cycles = std::env::var("CONVERGIO_CYCLES").ok();
    cycles.and_then(|text| text.parse().ok()).unwrap_or(40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_books_are_what_happened(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World {
                books: Books::with_limit(100 * CENT).await,
                now_ms: NOON_MS,
                runs: std::array::from_fn(|_| Uuid::now_v7()),
                ids: Vec::new(),
                known: HashMap::new(),
            };
            for step in steps {
                world.step(step).await?;
            }
            world.check().await
        })?;
    }
}
