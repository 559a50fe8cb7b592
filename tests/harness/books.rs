//! The ledger read by another process with arithmetic of its own: what the daemon's own
//! verification says is not asked here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use convergio_contract::Uuid;
use convergio_store::Connection;
use sha2::{Digest, Sha256};

use super::home::Home;

/// An id as it is stored.
type Id = [u8; 16];

/// The database of a home.
pub struct Books {
    conn: Connection,
}

/// A transfer as it was written.
struct Transfer {
    id: Id,
    seq: i64,
    kind: String,
    pending_id: Option<Id>,
    attempt_id: Option<Id>,
    unit: String,
    amount: i64,
    /// The row as its hash was made of.
    canonical: String,
    previous: [u8; 32],
    hash: [u8; 32],
}

/// A budget's window: budget, begin, end, bucket.
type Window = (Id, i64, i64, String);

impl Books {
    pub fn open(home: &Home) -> Self {
        let file = home.convergio().join("data/core.db");
        Self {
            conn: Connection::open(file).expect("the database opens"),
        }
    }

    /// A single number.
    pub fn count(&self, sql: &str) -> i64 {
        self.conn
            .query_row(sql, [], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// A single text; there is no other row.
    pub fn text(&self, sql: &str) -> String {
        let mut statement = self.conn.prepare(sql).expect("a query");
        let rows = statement.query_map([], |row| row.get(0));
        let rows: Vec<String> = rows.and_then(Iterator::collect).expect("texts");
        let [text] = rows.as_slice() else {
            panic!("{sql}: {rows:?}");
        };
        text.clone()
    }

    /// Rows of a query, each column as SQL would write it.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let mut statement = self.conn.prepare(sql).expect("a query");
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let mut text = String::new();
            for column in 0..columns {
                let value = row.get_ref(column)?;
                write!(text, "{value:?}|").expect("a string takes everything");
            }
            Ok(text)
        });
        let rows = rows.and_then(Iterator::collect);
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn transfers(&self) -> Vec<Transfer> {
        let sql = "SELECT id, seq, kind, pending_id, attempt_id, unit, amount, debit, credit, \
             tenant_id, wall_ms, boot_id, mono_ns, prev_hash, hash FROM transfer ORDER BY seq";
        let mut statement = self.conn.prepare(sql).expect("a table of transfers");
        let text = |id: Id| format!("\"{}\"", Uuid::from_bytes(id));
        let json = |id: Option<Id>| id.map_or("null".to_owned(), text);
        let rows = statement.query_map([], |row| {
            let id: Id = row.get(0)?;
            let (seq, kind): (i64, String) = (row.get(1)?, row.get(2)?);
            let pending_id: Option<Id> = row.get(3)?;
            let attempt_id: Option<Id> = row.get(4)?;
            let (unit, amount): (String, i64) = (row.get(5)?, row.get(6)?);
            let (debit, credit): (String, String) = (row.get(7)?, row.get(8)?);
            let (tenant, boot): (Id, Id) = (row.get(9)?, row.get(11)?);
            let (wall_ms, mono_ns): (i64, i64) = (row.get(10)?, row.get(12)?);
            let canonical = format!(
                "{{\"amount\":{amount},\"attempt_id\":{},\"boot_id\":{},\
                 \"credit\":\"{credit}\",\"debit\":\"{debit}\",\"id\":{},\
                 \"kind\":\"{kind}\",\"mono_ns\":{mono_ns},\"pending_id\":{},\"seq\":{seq},\
                 \"tenant_id\":{},\"unit\":\"{unit}\",\"wall_ms\":{wall_ms}}}",
                json(attempt_id),
                text(boot),
                text(id),
                json(pending_id),
                text(tenant),
            );
            assert_ne!(debit, credit, "{canonical}");
            Ok(Transfer {
                id,
                seq,
                kind,
                pending_id,
                attempt_id,
                unit,
                amount,
                canonical,
                previous: row.get(13)?,
                hash: row.get(14)?,
            })
        });
        let rows = rows.and_then(Iterator::collect);
        rows.expect("transfers that can be read")
    }

    /// Which windows a hold counts in.
    fn windows(&self) -> BTreeMap<Id, Vec<Window>> {
        let sql = "SELECT transfer_id, budget_id, start_ms, end_ms, bucket FROM transfer_window";
        let mut statement = self.conn.prepare(sql).expect("a table of windows");
        let rows = statement.query_map([], |row| {
            let window: Window = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((row.get::<_, Id>(0)?, window))
        });
        let mut windows: BTreeMap<Id, Vec<Window>> = BTreeMap::new();
        for row in rows.expect("windows that can be read") {
            let (hold, window) = row.expect("a window that can be read");
            windows.entry(hold).or_default().push(window);
        }
        windows
    }

    /// What metering's invariants say of books while nothing is in progress. Limits may have been
    /// raised since the first admission, not lowered.
    pub fn hold_the_invariants(&self, when: &str) {
        let transfers = self.transfers();
        self.is_one_chain(&transfers, when);
        self.resolves_each_hold_once(&transfers, when);
        self.keeps_to_its_limits(&transfers, when);
        self.has_one_end_for_each_attempt(&transfers, when);
        self.has_a_row_for_whatever_left(when);
    }

    /// Numbers without a gap, and every hash is over the row and the hash before.
    fn is_one_chain(&self, transfers: &[Transfer], when: &str) {
        let mut previous = [0_u8; 32];
        for (transfer, seq) in transfers.iter().zip(1..) {
            assert_eq!(transfer.seq, seq, "{when}: {}", transfer.canonical);
            assert_eq!(transfer.previous, previous, "{when}: {seq}");
            let hash = Sha256::new()
                .chain_update(previous)
                .chain_update(&transfer.canonical)
                .finalize();
            assert_eq!(
                transfer.hash.as_slice(),
                hash.as_slice(),
                "{when}: {}",
                transfer.canonical
            );
            previous = transfer.hash;
        }
    }

    /// A pending resolves exactly once by now, and is posted up to itself.
    fn resolves_each_hold_once(&self, transfers: &[Transfer], when: &str) {
        let mut holds: BTreeMap<Id, (&Transfer, u32)> = BTreeMap::new();
        for transfer in transfers {
            let canonical = &transfer.canonical;
            if transfer.kind == "pending" {
                holds.insert(transfer.id, (transfer, 0));
                continue;
            }
            let Some(of) = transfer.pending_id else {
                continue;
            };
            let Some((hold, resolved)) = holds.get_mut(&of) else {
                panic!("{when}: it resolves no hold: {canonical}");
            };
            assert_eq!(hold.attempt_id, transfer.attempt_id, "{when}: {canonical}");
            assert_eq!(hold.unit, transfer.unit, "{when}: {canonical}");
            if transfer.kind == "overage" {
                assert_eq!(*resolved, 1, "{when}: beyond an open hold: {canonical}");
            } else {
                *resolved += 1;
                assert!(transfer.amount <= hold.amount, "{when}: {canonical}");
            }
        }
        for (hold, resolved) in holds.values() {
            assert_eq!(*resolved, 1, "{when}: a hold of {}", hold.canonical);
        }
    }

    /// Replayed in their order, no admission went beyond its limits, and the cached figures are
    /// those of the replay.
    fn keeps_to_its_limits(&self, transfers: &[Transfer], when: &str) {
        let windows = self.windows();
        let limits: BTreeMap<Id, (i64, bool)> = {
            let sql = "SELECT id, limit_amount, mode = 'stop' FROM budget";
            let mut statement = self.conn.prepare(sql).expect("a table of budgets");
            let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
            let rows = rows.and_then(Iterator::collect);
            rows.expect("budgets that can be read")
        };
        let mut held: BTreeMap<Id, i64> = BTreeMap::new();
        let mut figures: BTreeMap<&Window, (i64, i64)> = BTreeMap::new();
        for transfer in transfers {
            let hold = transfer.pending_id.unwrap_or(transfer.id);
            let was = held.get(&hold).copied().unwrap_or_default();
            for window in windows.get(&hold).into_iter().flatten() {
                let (posted, pending) = figures.entry(window).or_default();
                match transfer.kind.as_str() {
                    "pending" => {
                        *pending += transfer.amount;
                        let sum = *posted + *pending;
                        if let Some((limit, true)) = limits.get(&window.0) {
                            assert!(
                                sum <= *limit,
                                "{when}: {sum} of {limit} by {}",
                                transfer.canonical
                            );
                        }
                    }
                    "post" => {
                        *posted += transfer.amount;
                        *pending -= was;
                    }
                    "overage" => *posted += transfer.amount,
                    _ => *pending -= was,
                }
            }
            match transfer.kind.as_str() {
                "pending" => held.insert(hold, transfer.amount),
                "overage" => None,
                _ => held.remove(&hold),
            };
        }
        let sql = "SELECT budget_id, start_ms, end_ms, bucket, posted, pending FROM budget_window";
        let mut statement = self.conn.prepare(sql).expect("a table of windows");
        let rows = statement.query_map([], |row| {
            let window: Window = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((window, (row.get(4)?, row.get(5)?)))
        });
        let rows = rows.and_then(Iterator::collect);
        let cached: BTreeMap<Window, (i64, i64)> = rows.expect("windows that can be read");
        for (window, replayed) in &figures {
            assert_eq!(cached.get(*window), Some(replayed), "{when}: {window:?}");
        }
        for (window, (posted, pending)) in &cached {
            let known = figures.contains_key(window);
            assert!(
                known || (*posted, *pending) == (0, 0),
                "{when}: {window:?} has {posted} and {pending} from nowhere"
            );
        }
    }

    /// Every attempt has ended, and costs what its transfers come to.
    fn has_one_end_for_each_attempt(&self, transfers: &[Transfer], when: &str) {
        let mut costs: BTreeMap<Id, (u32, i64)> = BTreeMap::new();
        for transfer in transfers {
            let Some(attempt) = transfer.attempt_id else {
                continue;
            };
            let (ends, cost) = costs.entry(attempt).or_default();
            match transfer.kind.as_str() {
                "post" | "void" | "expire" => *ends += 1,
                _ => {}
            }
            match transfer.kind.as_str() {
                "post" | "overage" => *cost += transfer.amount,
                _ => {}
            }
        }
        let sql = "SELECT id, state, local, cost_nano FROM attempt";
        let mut statement = self.conn.prepare(sql).expect("a table of attempts");
        let rows = statement.query_map([], |row| {
            let of: (Id, String) = (row.get(0)?, row.get(1)?);
            Ok((of, row.get::<_, bool>(2)?, row.get::<_, Option<i64>>(3)?))
        });
        for row in rows.expect("attempts that can be read") {
            let ((id, state), local, cost) = row.expect("an attempt that can be read");
            let (ends, paid) = costs.remove(&id).unwrap_or_default();
            let id = Uuid::from_bytes(id);
            assert!(
                matches!(state.as_str(), "settled" | "voided" | "unknown"),
                "{when}: attempt {id} is {state}"
            );
            assert_eq!(cost, Some(paid), "{when}: attempt {id}");
            assert_eq!(ends, u32::from(!local), "{when}: attempt {id}, {state}");
            assert!(state != "voided" || paid == 0, "{when}: attempt {id}");
        }
        assert!(costs.is_empty(), "{when}: paid for no attempt: {costs:?}");
    }

    /// Attempts elsewhere and rows of what left are one to one; a key names one run.
    fn has_a_row_for_whatever_left(&self, when: &str) {
        for (what, sql) in [
            (
                "attempts whose bytes nobody wrote down",
                "SELECT count(*) FROM attempt WHERE local = 0 AND \
                 (SELECT count(*) FROM egress WHERE attempt_id = attempt.id) <> 1",
            ),
            (
                "bytes that left for no attempt",
                "SELECT count(*) FROM egress WHERE attempt_id IS NOT NULL \
                 AND attempt_id NOT IN (SELECT id FROM attempt)",
            ),
            (
                "runs with two attempts of one number",
                "SELECT count(*) FROM \
                 (SELECT 1 FROM attempt GROUP BY run_id, n HAVING count(*) > 1)",
            ),
            (
                "runs whose attempts are not numbered from 1",
                "SELECT count(*) FROM \
                 (SELECT 1 FROM attempt GROUP BY run_id HAVING max(n) <> count(*))",
            ),
        ] {
            assert_eq!(self.count(sql), 0, "{when}: {what}");
        }
    }

    /// Attempts that a run made.
    pub fn attempts_of(&self, run_id: &str) -> i64 {
        let id = Uuid::parse_str(run_id).expect("an id").simple().to_string();
        self.count(&format!(
            "SELECT count(*) FROM attempt WHERE hex(run_id) = upper('{id}')"
        ))
    }

    /// Everything that is history: what has ended is never written again, whatever it would cost
    /// today.
    pub fn history(&self) -> BTreeSet<String> {
        let mut history = BTreeSet::new();
        for (table, sql) in [
            ("transfer", "SELECT * FROM transfer"),
            (
                "attempt",
                "SELECT * FROM attempt WHERE ended_ms IS NOT NULL",
            ),
            ("price", "SELECT * FROM price"),
        ] {
            let rows = self.rows(sql).into_iter();
            history.extend(rows.map(|row| format!("{table}: {row}")));
        }
        history
    }
}
