//! Whether anybody still wants a run.

use std::{sync::Arc, time::Duration};

use convergio_contract::run::OnLastReaderGone;

use crate::bus::run::LiveRun;

/// Ends when nobody has read the run for the grace period; never for one that goes on alone.
pub(super) async fn abandoned(run: &Arc<LiveRun>, gone: OnLastReaderGone, grace: Duration) {
    match gone {
        OnLastReaderGone::Continue => std::future::pending().await,
        OnLastReaderGone::Cancel => loop {
            run.readers(false).await;
            tokio::select! {
                () = tokio::time::sleep(grace) => return,
                () = run.readers(true) => {}
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use convergio_contract::{
        Uuid,
        run::{RunInfo, RunState},
    };
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::bus::live::{LiveRuns, Registered};

    const GRACE: Duration = Duration::from_secs(2);

    fn registered() -> Registered {
        let info = RunInfo {
            run_id: Uuid::now_v7(),
            kind: "review".into(),
            state: RunState::Running,
            root: "/r".into(),
            selection: "stdin".into(),
            started_ms: 1,
            ended_ms: None,
            findings: None,
            last_seq: 0,
            saved: true,
            error: None,
        };
        Arc::new(LiveRuns::default()).register(info).ok().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_outlives_its_last_reader_by_the_grace_period() {
        let place = registered();
        let reader = place.run.reader();
        let watch = abandoned(&place.run, OnLastReaderGone::Cancel, GRACE);
        tokio::pin!(watch);
        assert!(timeout(GRACE * 10, &mut watch).await.is_err());
        drop(reader);
        // Somebody comes back in time, and goes again.
        assert!(timeout(GRACE / 2, &mut watch).await.is_err());
        let reader = place.run.reader();
        assert!(timeout(GRACE * 10, &mut watch).await.is_err());
        drop(reader);
        let begun = Instant::now();
        watch.await;
        assert_eq!(begun.elapsed(), GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_detached_run_needs_no_reader() {
        let place = registered();
        let watch = abandoned(&place.run, OnLastReaderGone::Continue, GRACE);
        assert!(timeout(GRACE * 1000, watch).await.is_err());
    }
}
