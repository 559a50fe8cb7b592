//! `--check`: what this session offers.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use convergio_client::{Client, ClientOptions};
use tokio::time::timeout;

use crate::{
    failed,
    platform::{Look, look},
};

/// A daemon that does not answer holds nobody up for longer.
const WITHIN: Duration = Duration::from_secs(5);

async fn daemon(options: ClientOptions) -> Look {
    let socket = options.endpoint.socket.display().to_string();
    let asked = async { Client::connect(options).await?.server().await };
    let (good, seen) = match timeout(WITHIN, asked).await {
        Ok(Ok(server)) => {
            let server = server.server;
            (true, format!("{} {} answers", server.name, server.version))
        }
        Ok(Err(error)) => (false, error.to_string()),
        Err(_) => (
            false,
            format!("no answer at {socket} within {} s", WITHIN.as_secs()),
        ),
    };
    Look {
        what: "daemon",
        good,
        seen,
    }
}

/// Prints what is there and what is missing. Starts nothing.
pub(crate) fn check(options: ClientOptions) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed("Nothing can be looked at", &error, "cv doctor"),
    };
    let looks = runtime.block_on(async {
        let mut looks = look().await;
        looks.push(daemon(options).await);
        looks
    });
    let mut lines = String::new();
    for Look { what, good, seen } in &looks {
        let word = if *good { "ok" } else { "missing" };
        lines.push_str(&format!("{word:<8} {what:<9} {seen}\n"));
    }
    let printed = io::stdout().write_all(lines.as_bytes());
    match printed.is_ok() && looks.iter().all(|look| look.good) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
