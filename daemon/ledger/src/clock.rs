//! When it is. Callers say what the system's clocks show; what the books act on is never before
//! what they have seen, so that a clock that is set back opens no new day.

use std::sync::OnceLock;

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, params};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use crate::error::LedgerError;

/// A clock that is set back by no more than this is corrected, not suspect.
const ROLLBACK_MS: i64 = 10 * 60 * 1_000;
/// So much time on the monotonic clock, sleep included, and a clock that was set back is believed.
const DOUBT_NS: i64 = 20 * 3_600 * 1_000_000_000;
/// The mark is written no more often than this while all is well: transfers carry the time too.
const MARK_EVERY_MS: i64 = 1_000;

const CLOCK: &str = "read the ledger's clock";

/// A moment, by two clocks: the one that people set, and one that only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970, UTC.
    pub wall_ms: i64,
    /// Changes with every start of the machine; nil where it is unknown.
    pub boot_id: Uuid,
    /// Nanoseconds since the machine started, sleep included.
    pub mono_ns: i64,
}

#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::Boottime;
/// Goes on while the machine sleeps, there.
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

impl Now {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        static BOOT: OnceLock<Uuid> = OnceLock::new();
        let boot_id = *BOOT.get_or_init(|| {
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(Uuid::nil())
        });
        let wall_ms = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            });
        let since_boot = clock_gettime(SINCE_BOOT);
        Self {
            wall_ms,
            boot_id,
            mono_ns: since_boot
                .tv_sec
                .saturating_mul(1_000_000_000)
                .saturating_add(since_boot.tv_nsec),
        }
    }
}

/// What was last known of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// The latest moment that was acted on.
    high_ms: i64,
    /// Transfers up to this one have times that are not believed any more.
    after_seq: i64,
    /// The system's clock is behind it.
    suspect: bool,
    boot_id: Uuid,
    mono_ns: i64,
    /// What the monotonic clock counted under suspicion.
    waited_ns: i64,
}

/// The moment to act on, and what is known after it. `last` is the last transfer.
fn judge(mark: Option<Mark>, last: Option<Last>, now: Now) -> (Now, Mark) {
    let after_seq = mark.map_or(0, |mark| mark.after_seq);
    let written = last.and_then(|(seq, wall_ms)| (seq > after_seq).then_some(wall_ms));
    let known = mark.map(|mark| mark.high_ms).max(written);
    let high_ms = known.map_or(now.wall_ms, |known| known.max(now.wall_ms));
    let mut next = Mark {
        high_ms,
        after_seq,
        suspect: high_ms.saturating_sub(now.wall_ms) > ROLLBACK_MS,
        boot_id: now.boot_id,
        mono_ns: now.mono_ns,
        waited_ns: 0,
    };
    if let (true, Some(before)) = (next.suspect, mark.filter(|mark| mark.suspect)) {
        let passed = if before.boot_id == now.boot_id {
            now.mono_ns.saturating_sub(before.mono_ns)
        } else {
            // At least what passed since the machine started.
            now.mono_ns
        };
        next.waited_ns = before.waited_ns.saturating_add(passed.max(0));
        if next.waited_ns >= DOUBT_NS {
            next.high_ms = now.wall_ms;
            next.after_seq = last.map_or(after_seq, |(seq, _)| seq);
            next.suspect = false;
            next.waited_ns = 0;
        }
    }
    let acted_on = Now {
        wall_ms: next.high_ms,
        ..now
    };
    (acted_on, next)
}

/// A transfer's number and its time.
type Last = (i64, i64);

fn known(conn: &Connection, tenant_id: Uuid) -> Result<(Option<Mark>, Option<Last>), LedgerError> {
    let mark = conn
        .prepare_cached(
            "SELECT high_ms, after_seq, suspect, boot_id, mono_ns, waited_ns FROM clock \
             WHERE tenant_id = ?1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([tenant_id], |row| {
                    Ok(Mark {
                        high_ms: row.get(0)?,
                        after_seq: row.get(1)?,
                        suspect: row.get(2)?,
                        boot_id: row.get(3)?,
                        mono_ns: row.get(4)?,
                        waited_ns: row.get(5)?,
                    })
                })
                .optional()
        })
        .map_err(at(conn, CLOCK))?;
    let last = conn
        .prepare_cached(
            "SELECT seq, wall_ms FROM transfer WHERE tenant_id = ?1 ORDER BY seq DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([tenant_id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(at(conn, CLOCK))?;
    Ok((mark, last))
}

/// The moment to act on: the latest of the system's clock, the latest that was ever acted on and
/// the last transfer. A clock that is more than ten minutes behind is suspect, and believed again
/// once it is right or 20 hours have passed on the monotonic one.
pub(crate) fn effective(conn: &Connection, tenant_id: Uuid, now: Now) -> Result<Now, LedgerError> {
    let (mark, last) = known(conn, tenant_id)?;
    Ok(judge(mark, last, now).0)
}

/// The same, and notes it.
pub(crate) fn advance(tx: &Tx<'_>, tenant_id: Uuid, now: Now) -> Result<Now, LedgerError> {
    let (mark, last) = known(tx, tenant_id)?;
    let (acted_on, next) = judge(mark, last, now);
    let same = mark.is_some_and(|mark| {
        !mark.suspect
            && !next.suspect
            && mark.after_seq == next.after_seq
            && next.high_ms.saturating_sub(mark.high_ms) < MARK_EVERY_MS
    });
    if same {
        return Ok(acted_on);
    }
    if next.suspect && mark.is_none_or(|mark| !mark.suspect) {
        tracing::warn!("the clock was set back: no quota is renewed until it is right again");
    }
    tx.prepare_cached(
        "INSERT INTO clock (tenant_id, high_ms, after_seq, suspect, boot_id, mono_ns, waited_ns) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant_id) DO UPDATE SET \
         high_ms = excluded.high_ms, after_seq = excluded.after_seq, suspect = excluded.suspect, \
         boot_id = excluded.boot_id, mono_ns = excluded.mono_ns, waited_ns = excluded.waited_ns",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            tenant_id,
            next.high_ms,
            next.after_seq,
            next.suspect,
            next.boot_id,
            next.mono_ns,
            next.waited_ns
        ])
    })
    .map_err(at(tx, "note the ledger's clock"))?;
    Ok(acted_on)
}

/// Whether the system's clock is so far behind that no quota is renewed.
///
/// # Errors
/// What the store said.
pub fn clock_suspect(conn: &Connection, tenant_id: Uuid, now: Now) -> Result<bool, LedgerError> {
    let (mark, last) = known(conn, tenant_id)?;
    Ok(judge(mark, last, now).1.suspect)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const HOUR_NS: i64 = HOUR_MS * 1_000_000;
    const NOON: i64 = 1_795_176_000_000;

    fn at(wall_ms: i64, boot: u128, mono_ns: i64) -> Now {
        Now {
            wall_ms,
            boot_id: Uuid::from_u128(boot),
            mono_ns,
        }
    }

    #[test]
    fn time_goes_on_and_small_steps_back_are_no_matter() {
        let (first, mark) = judge(None, None, at(NOON, 1, 5));
        assert_eq!(
            (first.wall_ms, mark.high_ms, mark.suspect),
            (NOON, NOON, false)
        );
        let (later, mark) = judge(Some(mark), None, at(NOON + 9, 1, 6));
        assert_eq!(later.wall_ms, NOON + 9);
        let (back, mark) = judge(Some(mark), None, at(NOON - ROLLBACK_MS, 1, 7));
        assert_eq!(
            (back.wall_ms, mark.suspect),
            (NOON + 9, true),
            "9 ms too far"
        );
        let (back, mark) = judge(Some(mark), None, at(NOON + 10 - ROLLBACK_MS, 1, 8));
        assert_eq!((back.wall_ms, mark.suspect), (NOON + 9, false));
    }

    #[test]
    fn a_transfer_is_a_mark_as_well() {
        let (back, mark) = judge(None, Some((3, NOON)), at(NOON - 48 * HOUR_MS, 1, 5));
        assert_eq!((back.wall_ms, mark.suspect), (NOON, true));
    }

    #[test]
    fn a_clock_that_was_set_back_is_believed_after_twenty_hours_of_any_boots() {
        let past = NOON - 48 * HOUR_MS;
        let (_, mark) = judge(None, None, at(NOON, 1, 0));
        let (_, mark) = judge(Some(mark), None, at(past, 1, HOUR_NS));
        assert_eq!((mark.suspect, mark.waited_ns), (true, 0));
        let (now, mark) = judge(Some(mark), None, at(past, 1, 11 * HOUR_NS));
        assert_eq!((now.wall_ms, mark.waited_ns), (NOON, 10 * HOUR_NS));
        let (now, mark) = judge(Some(mark), None, at(past, 2, 9 * HOUR_NS));
        assert_eq!((now.wall_ms, mark.waited_ns), (NOON, 19 * HOUR_NS));
        let last = Some((7, NOON));
        let (now, mark) = judge(Some(mark), last, at(past, 2, 10 * HOUR_NS));
        assert_eq!(
            (now.wall_ms, mark.suspect, mark.after_seq),
            (past, false, 7)
        );
        // What was written in that future does not bring the doubt back.
        let (now, mark) = judge(Some(mark), last, at(past + 1, 2, 10 * HOUR_NS));
        assert_eq!((now.wall_ms, mark.suspect), (past + 1, false));
    }

    #[test]
    fn a_clock_that_is_right_again_is_believed_at_once() {
        let (_, mark) = judge(None, None, at(NOON, 1, 0));
        let (_, mark) = judge(Some(mark), None, at(NOON - 48 * HOUR_MS, 1, 1));
        let (now, mark) = judge(Some(mark), None, at(NOON + 1, 1, 2));
        assert_eq!((now.wall_ms, mark.suspect), (NOON + 1, false));
    }

    #[test]
    fn the_monotonic_clock_goes_forward_within_one_boot() {
        let (one, two) = (Now::system(), Now::system());
        assert_eq!(one.boot_id, two.boot_id);
        assert!(two.mono_ns >= one.mono_ns && one.mono_ns > 0);
        assert!(one.wall_ms > 1_600_000_000_000);
    }
}
