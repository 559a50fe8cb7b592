//! What processes hold.

use std::{collections::BTreeMap, fs};

/// Bytes of memory that a process and those below it hold, shared pages by share. 0 where the
/// system does not say.
pub fn proportional_set_bytes(pid: u32) -> u64 {
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
    let mut bytes = 0;
    let mut waiting = vec![pid];
    while let Some(pid) = waiting.pop() {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        bytes += kilobytes.unwrap_or(0) * 1024;
        waiting.extend(children.remove(&pid).unwrap_or_default());
    }
    bytes
}
