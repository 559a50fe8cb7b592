//! What the binary does with its arguments.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::{FromRawFd, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use convergio_contract::{ErrorCode, RpcError, health::StartedBy};
use rustix::{fs::Mode, process, stdio};

use crate::{BootError, BootOptions, Surroundings, offline, serve};

/// Something is wrong that the person must mend.
const EXIT_FAILED: u8 = 70;

/// The daemon of Convergio. `cv` starts it when it needs it; nobody has to.
#[derive(Parser)]
#[command(name = "convergiod", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves clients until told to end.
    Serve {
        /// Started by a client that waits on standard output for the word that it is ready.
        #[arg(long, conflicts_with = "foreground")]
        spawned: bool,
        /// Log to the terminal too.
        #[arg(long)]
        foreground: bool,
    },
    #[command(flatten)]
    Offline(offline::Command),
}

/// Runs the program.
pub fn run() -> ExitCode {
    // Before anything makes a file.
    process::umask(Mode::from_raw_mode(0o077));
    match Arguments::parse().command {
        Some(Command::Serve { spawned: true, .. }) => spawned(),
        Some(Command::Serve { .. }) | None => foreground(),
        Some(Command::Offline(command)) => offline::run(command, &Surroundings::from_process()),
    }
}

/// A daemon for whom a client waits: cut loose from its terminal, folder and descriptors.
fn spawned() -> ExitCode {
    if let Err(error) = detach() {
        let error = RpcError::new(ErrorCode::Internal, "the daemon could not be detached")
            .why(error.to_string());
        say(&serde_json::to_string(&error).unwrap_or_default());
        return ExitCode::from(EXIT_FAILED);
    }
    let options = BootOptions::from_process(StartedBy::OnDemand, None);
    let outcome = serve(options, |ready| {
        match ready {
            Ok(()) => say("ready"),
            Err(error) => say(&serde_json::to_string(&error.to_rpc()).unwrap_or_default()),
        }
        if let Ok(null) = File::options().write(true).open("/dev/null") {
            // Closes the pipe: the client has its word.
            let _ = stdio::dup2_stdout(null);
        }
    });
    exit(&outcome)
}

fn foreground() -> ExitCode {
    let listener = match given_listener() {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("the given socket cannot be used: {error}")),
    };
    let started_by = match listener {
        Some(_) => StartedBy::Service,
        None => StartedBy::Foreground,
    };
    let outcome = serve(BootOptions::from_process(started_by, listener), |_| ());
    if let Err(error) = &outcome {
        complain(&error.to_string());
    }
    exit(&outcome)
}

/// To lose the race for the lock is no failure: somebody serves.
fn exit(outcome: &Result<(), BootError>) -> ExitCode {
    match outcome {
        Ok(()) | Err(BootError::AlreadyRunning { .. }) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_FAILED),
    }
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // A client that is gone needs no word.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn complain(line: &str) -> ExitCode {
    // Nobody may be watching.
    let _ = writeln!(io::stderr(), "convergiod: {line}");
    ExitCode::from(EXIT_FAILED)
}

fn detach() -> io::Result<()> {
    close_inherited()?;
    // Fails for the leader of a process group, which a spawned process is not.
    process::setsid()?;
    process::chdir("/")?;
    Ok(())
}

/// Closes every descriptor but the three standard ones: what a client happened to have open is
/// not kept open by a daemon.
#[expect(
    unsafe_code,
    reason = "closing what was inherited needs descriptors from numbers"
)]
fn close_inherited() -> io::Result<()> {
    let numbers: Vec<RawFd> = fs::read_dir("/dev/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in numbers {
        if rustix::io::fcntl_getfd(unsafe { std::os::fd::BorrowedFd::borrow_raw(number) }).is_ok() {
            // SAFETY: first thing in main; nothing of ours has opened a descriptor yet, and the
            // folder that listed them is closed (its number fails the check above).
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
    Ok(())
}

/// The socket that systemd or launchd hands over, if one does.
#[expect(
    unsafe_code,
    reason = "the service manager names the descriptor by its number"
)]
fn given_listener() -> io::Result<Option<UnixListener>> {
    let Some(number) = sd_notify::listen_fds()?.next() else {
        return launchd_listener();
    };
    // SAFETY: the service manager passed this descriptor to us and to nobody else.
    Ok(Some(UnixListener::from(unsafe {
        OwnedFd::from_raw_fd(number)
    })))
}

#[cfg(not(target_os = "macos"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the same signature on every system"
)]
fn launchd_listener() -> io::Result<Option<UnixListener>> {
    Ok(None)
}

#[cfg(target_os = "macos")]
#[expect(unsafe_code, reason = "launchd has no other interface")]
fn launchd_listener() -> io::Result<Option<UnixListener>> {
    use std::ffi::{c_char, c_int, c_void};
    unsafe extern "C" {
        fn launch_activate_socket(
            name: *const c_char,
            fds: *mut *mut c_int,
            count: *mut usize,
        ) -> c_int;
        fn free(pointer: *mut c_void);
    }
    let (mut fds, mut count) = (std::ptr::null_mut(), 0usize);
    // SAFETY: the three pointers are valid for the call; on success launchd gives us an array of
    // `count` descriptors that is ours to free.
    let first = unsafe {
        if launch_activate_socket(c"Listeners".as_ptr(), &mut fds, &mut count) != 0 || count == 0 {
            return Ok(None);
        }
        let first = *fds;
        free(fds.cast());
        first
    };
    // SAFETY: launchd passed this descriptor to us and to nobody else.
    Ok(Some(UnixListener::from(unsafe {
        OwnedFd::from_raw_fd(first)
    })))
}
