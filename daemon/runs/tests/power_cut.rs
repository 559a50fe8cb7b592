//! Power cuts under runs and store together.
//!
//! `CONVERGIO_CYCLES` sets the number of seeds, `CONVERGIO_SEED` runs just one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "used in part here, in full by other tests")]
#[path = "../../store/tests/support/power_cut/mod.rs"]
mod power_cut;
mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use convergio_runs::{Retention, Runs, RunsError};
use convergio_store::{Store, StoreOptions};
use power_cut::{Disk, Plan, Rng, VFS};
use support::{Acknowledged, check, json, one_run};

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("CONVERGIO_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("CONVERGIO_CYCLES").unwrap_or(60)).collect(),
    }
}

async fn open(dir: &Path, vfs: bool) -> Result<Runs, RunsError> {
    let mut options = StoreOptions::new(dir);
    options.vfs = vfs.then(|| VFS.into());
    Runs::new(Store::open(&options)?, Retention::default()).await
}

/// Three clients at once, each until its first error or its last run.
async fn traffic(runs: &Runs, rng: &mut Rng) -> Acknowledged {
    let heard = Arc::new(Mutex::new(Acknowledged::default()));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (runs, heard, mut rng) = (runs.clone(), Arc::clone(&heard), Rng::new(rng.next()));
            tokio::spawn(async move {
                for _ in 0..3 {
                    let tell = |id, seq, ended| heard.lock().unwrap().tell(id, seq, ended);
                    if let Err(error) = one_run(&runs, rng.below(4), tell).await {
                        heard.lock().unwrap().refused.push(error.to_string());
                        return;
                    }
                    if rng.below(6) == 0 {
                        let _ = runs.store().scrub().await;
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    Arc::into_inner(heard).unwrap().into_inner().unwrap()
}

#[tokio::test]
async fn no_acknowledged_event_is_lost_to_a_power_cut() {
    let (mut cuts, mut kept) = (0, 0);
    for seed in seeds() {
        let mut rng = Rng::new(seed);
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        open(&dir, false)
            .await
            .unwrap()
            .store()
            .clone()
            .close()
            .await
            .unwrap();
        let disk = Disk::install(&dir);
        let mut all = Acknowledged::default();
        for cycle in 0..3 {
            let what = format!("seed {seed}, cycle {cycle}");
            let plan = Plan {
                cut_at: Some(1 + rng.below(200)),
                ..Plan::default()
            };
            disk.arm(plan, rng.next());
            if let Ok(runs) = open(&dir, true).await {
                if runs.recover(json("{}")).await.is_ok() {
                    all.absorb(traffic(&runs, &mut rng).await);
                }
                let _ = runs.store().clone().close().await;
            }
            cuts += usize::from(disk.is_dead());
            disk.crash();
            let runs = open(&dir, true)
                .await
                .unwrap_or_else(|e| panic!("{what}: {e}"));
            check(&runs, &all, &what).await;
            runs.store().clone().close().await.unwrap();
        }
        kept += all.runs.len();
        power_cut::remove(&disk);
    }
    println!("{cuts} power cuts, {kept} acknowledged runs kept");
    assert!(cuts > 0 && kept > 0, "the test tested nothing");
}
