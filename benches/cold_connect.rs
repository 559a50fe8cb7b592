//! From the start of the process to its end: `cv` beside `/bin/true`, alternating.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints its table"
)]

use std::process::{Command, Stdio};

use convergio_benches::{Home, binaries, median, row, time};

const ROUNDS: usize = 300;

fn main() {
    let binaries = binaries();
    let home = Home::new(&binaries);
    home.start();
    let mut floor = Vec::new();
    let mut version = Vec::new();
    let mut status = Vec::new();
    let run = |mut command: Command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        time(|| assert!(command.status().expect("it runs").success()))
    };
    for _ in 0..ROUNDS {
        floor.push(run(Command::new("/bin/true")));
        version.push(run(home.cv(&["--version"])));
        status.push(run(home.cv(&["status", "--format", "json"])));
    }
    let floor = median(&mut floor);
    println!("cold_connect: {ROUNDS} rounds, medians");
    row(
        "cv --version",
        median(&mut version),
        "/bin/true",
        floor,
        Some(3.0),
    );
    row(
        "cv status, warm daemon, to the end",
        median(&mut status),
        "/bin/true",
        floor,
        None,
    );
}
