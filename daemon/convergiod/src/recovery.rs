//! What a former daemon did not live to end: its runs and what they owe, in the same commits.

use convergio_contract::Uuid;
use convergio_ledger::{Now, Recovered, RecoveredAttempt};
use convergio_runs::{Runs, RunsError};
use convergio_store::Tx;

use crate::{
    BootError,
    daemon::now_ms,
    rpc::interrupted_payload,
    run_kinds::{
        accounts::left_behind,
        record::{WriteError, new_events},
    },
};

/// Runs and attempts that one transaction ends.
const SLICE: usize = 200;

/// Says in its run's log what an attempt came to.
fn tell(tx: &Tx<'_>, tenant_id: Uuid, one: &RecoveredAttempt) -> Result<(), WriteError> {
    let attempts = convergio_ledger::attempts_of_run(tx, tenant_id, one.run_id)?;
    let mut same = attempts.into_iter();
    let Some(attempt) = same.find(|attempt| attempt.attempt_id == one.attempt_id) else {
        return Ok(());
    };
    let events = new_events(&[left_behind(attempt)]);
    match convergio_runs::append(tx, one.run_id, &events, now_ms()) {
        // The money is in the books, whatever became of the run's row.
        Ok(_) | Err(RunsError::Ended { .. } | RunsError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Ends what was left: runs as interrupted, attempts that were never sent as void, others at the
/// full amount that was held for them, because nobody knows what they came to. Nothing is sent
/// again.
pub(crate) async fn recover(runs: &Runs) -> Result<(), BootError> {
    let (mut ended, mut voided, mut unknown) = (0, 0, 0);
    loop {
        let (tenant, retention) = (runs.tenant(), runs.retention());
        let slice = runs.store().write("end what was interrupted", move |tx| {
            let money = convergio_ledger::recover(tx, tenant.id(), Now::system(), SLICE)?;
            for one in &money.unknown {
                tell(tx, tenant.id(), one)?;
            }
            // A run ends behind what its attempts came to.
            let ended = match money.more {
                true => Vec::new(),
                false => {
                    // The connections that they were bound to are gone.
                    convergio_runs::revoke_bound_tokens(tx, tenant, now_ms())?;
                    convergio_runs::recover(
                        tx,
                        tenant,
                        &interrupted_payload,
                        now_ms(),
                        &retention,
                        SLICE,
                    )?
                }
            };
            Ok::<_, WriteError>((ended, money))
        });
        let (runs_ended, money): (_, Recovered) = match slice.await {
            Ok(slice) => slice,
            Err(WriteError::Runs(RunsError::Store(error))) if error.is_unwritable() => {
                // On a full disk they are ended by the next start that can write.
                tracing::warn!(%error, "interrupted runs could not be ended");
                return Ok(());
            }
            Err(WriteError::Runs(error)) => return Err(error.into()),
            Err(other) => {
                let error = other.told();
                // The books are looked after before anybody can spend.
                return Err(BootError::Io {
                    activity: "settle what was interrupted",
                    source: std::io::Error::other(error),
                });
            }
        };
        ended += runs_ended.len();
        voided += money.voided.len();
        unknown += money.unknown.len();
        for difference in &money.differences {
            tracing::error!(
                ?difference,
                "a budget's figures were wrong and were counted again"
            );
        }
        if runs_ended.len() < SLICE && !money.more {
            break;
        }
    }
    if ended + voided + unknown > 0 {
        tracing::warn!(
            runs = ended,
            voided,
            unknown,
            "a former daemon left runs: failed, interrupted"
        );
    }
    Ok(())
}
