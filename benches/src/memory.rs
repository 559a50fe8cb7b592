//! What processes hold and use.

use std::{collections::BTreeMap, fs, time::Duration};

/// Linux counts a process's time in these.
const TICK: Duration = Duration::from_millis(10);

/// A process and those below it.
fn tree(pid: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // Behind the name, which may hold anything: state, parent.
        let parent = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        if let Some(parent) = parent.split(' ').nth(1).and_then(|word| word.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = Vec::new();
    let mut waiting = vec![pid];
    while let Some(pid) = waiting.pop() {
        all.push(pid);
        waiting.extend(children.remove(&pid).unwrap_or_default());
    }
    all
}

/// Bytes of memory that a process and those below it hold, shared pages by share. 0 where the
/// system does not say.
pub fn proportional_set_bytes(pid: u32) -> u64 {
    let of = |pid: u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    };
    tree(pid).into_iter().map(of).sum()
}

/// Processor time that a process and those below it have used. 0 where the system does not say.
pub fn processor_time(pid: u32) -> Duration {
    let of = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let behind_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let fields = behind_name.split(' ').skip(11).take(2);
        fields
            .filter_map(|ticks| ticks.parse::<u32>().ok())
            .sum::<u32>()
    };
    TICK * tree(pid).into_iter().map(of).sum()
}
