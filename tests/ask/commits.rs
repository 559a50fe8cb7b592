//! What stands between a question and its first byte: one commit, no more.

use std::{
    fs,
    io::{Read, Write},
    process::Stdio,
};

use convergio_fake_provider::{At, Gate, Reply, Script};

use super::House;
use crate::harness::{binaries, daemon::Daemon, process::finish, skip};

/// The daemon's calls that wait for the disk, and those that read from and write to others.
const CALLS: &str = "trace=fsync,fdatasync,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg";

#[test]
fn at_most_one_commit_is_made_before_the_first_byte_leaves() {
    if !skip::has_program("strace") {
        return skip::loudly("the count of syncs before the first byte", "strace");
    }
    let (first, second) = (Gate::new(), Gate::new());
    let held = |gate: &Gate| Reply::deltas(["first ", "second"]).hold_at(At::Delta(1), gate);
    let house = House::new(Script::replies([held(&first), held(&second)]));
    let trace = house.home.everything().join("trace");
    let mut strace = house.home.command("strace");
    strace
        .args(["-f", "-qq", "-s", "65536", "-e", CALLS, "-o"])
        .arg(&trace)
        .arg(binaries().join("convergiod"))
        .args(["serve", "--spawned"]);
    let daemon = Daemon::start_by(&house.home, strace);
    // The first question after a start also opens the log, so it is the second that counts.
    for gate in [&first, &second] {
        let mut command = house.command(&["ask", "hi"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("cv starts");
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut byte = [0];
        // The provider holds the rest back until this byte came through: nothing but what is
        // needed for it can have been written before it.
        stdout.read_exact(&mut byte).expect("a first byte");
        assert_eq!(&byte, b"f");
        gate.open();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).expect("the rest");
        assert_eq!(rest.trim_end(), "irst second");
        let ran = finish(child, &command);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    daemon.kill();
    let text = fs::read_to_string(&trace).expect("a trace");
    let lines: Vec<&str> = text.lines().collect();
    let positions = |sought: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let found = lines.iter().enumerate().filter(|(_, line)| sought(line));
        found.map(|(at, _)| at).collect()
    };
    let asked = positions(&|line| line.contains("POST /v1/chat/completions"));
    let shown =
        positions(&|line| line.contains(r#"\"type\":\"delta\""#) && line.contains("first "));
    let ended = positions(&|line| line.contains(r#"\"type\":\"completed\""#));
    assert_eq!((asked.len(), shown.len(), ended.len()), (2, 2, 2), "{text}");
    // It may be sent again with the key that the daemon asked for; the first one counts.
    let heard = positions(&|line| line.contains(r#"\"method\":\"run.start\""#));
    let heard = heard.into_iter().find(|at| *at > ended[0]);
    let heard = heard.expect("the second question was heard");
    let is_sync = |line: &&&str| line.contains("fsync(") || line.contains("fdatasync(");
    let syncs = |to: usize| lines[heard..to].iter().filter(is_sync).count();
    assert!(syncs(shown[1]) <= 1, "{:#?}", &lines[heard..shown[1]]);
    // None would mean that the call was made before its books were on the disk.
    assert_eq!(syncs(asked[1]), 1, "{:#?}", &lines[heard..asked[1]]);
    let _ = writeln!(
        std::io::stderr(),
        "syncs of a warm daemon before its first byte: {}",
        syncs(shown[1])
    );
}
