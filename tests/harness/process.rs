//! Processes seen from outside: their end, their signals, what they cost.

use std::{
    fs,
    io::Write,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

use super::home::Ran;

/// Beyond this a test has failed, whatever it waited for.
pub const LIMIT: Duration = Duration::from_secs(30);

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.try_into().expect("a process id")).expect("a process id")
}

/// Sends a signal; a process that is gone already does not mind.
pub fn signal(pid: u32, signal: Signal) {
    let _ = kill_process(pid_of(pid), signal);
}

/// Waits until a process has ended. False when `limit` passed first.
pub fn ended_within(pid: u32, limit: Duration) -> bool {
    let Ok(handle) = pidfd_open(pid_of(pid), PidfdFlags::empty()) else {
        return true;
    };
    readable_within(&handle, limit)
}

/// Waits until a descriptor can be read or has ended. False when `limit` passed first.
pub fn readable_within(fd: &impl std::os::fd::AsFd, limit: Duration) -> bool {
    ready_within(fd, PollFlags::IN, limit)
}

/// Waits until a descriptor takes bytes. False when `limit` passed first.
pub fn writable_within(fd: &impl std::os::fd::AsFd, limit: Duration) -> bool {
    ready_within(fd, PollFlags::OUT, limit)
}

fn ready_within(fd: &impl std::os::fd::AsFd, flags: PollFlags, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).expect("a short time");
    loop {
        match poll(&mut [PollFd::new(fd, flags)], Some(&limit)) {
            Ok(count) => return count > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => panic!("poll: {errno}"),
        }
    }
}

/// Whether a process with this id exists and has not ended.
pub fn lives(pid: u32) -> bool {
    !ended_within(pid, Duration::ZERO)
}

/// Runs a command with `input` on stdin to its end; kills it and panics after [`LIMIT`].
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // The command may end without reading everything.
        scope.spawn(move || drop(stdin.write_all(input)));
        finish(child, command)
    })
}

/// Waits for a child whose output is piped; kills it and panics after [`LIMIT`].
pub fn finish(child: Child, what: &Command) -> Ran {
    let pid = child.id();
    let (done, finished) = mpsc::sync_channel(1);
    std::thread::spawn(move || drop(done.send(child.wait_with_output())));
    match finished.recv_timeout(LIMIT) {
        Ok(output) => output.expect("the command ends").into(),
        Err(_) => {
            signal(pid, Signal::KILL);
            panic!("still running after {LIMIT:?}: {what:?}");
        }
    }
}

/// A field of `/proc/PID/status`, for instance `VmRSS` in kB.
pub fn status_field(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no {field} in the status"));
    let number = line.split_whitespace().next().unwrap_or_default();
    number.parse().expect("a number")
}

/// Voluntary context switches of all threads.
pub fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
    tasks
        .map(|task| {
            let path = task.expect("a thread").path().join("status");
            let text = fs::read_to_string(path).expect("the thread lives");
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.expect("a count")
                .trim()
                .parse::<u64>()
                .expect("a number")
        })
        .sum()
}

/// Processor time that a process has used, in clock ticks of 10 ms.
pub fn cpu_ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let after_name = text.rsplit_once(')').expect("a name in parentheses").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let tick = |index: usize| -> u64 { fields[index].parse().expect("a number") };
    tick(11) + tick(12)
}
