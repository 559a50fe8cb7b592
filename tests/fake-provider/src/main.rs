//! A fake provider by hand: prints its base URL and serves until its stdin ends.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use convergio_fake_provider::{Certificate, DelayProxy, Dialect, FakeProvider, Reply, Script};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Openai,
    Anthropic,
    Gemini,
    Ollama,
}

impl From<Kind> for Dialect {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Openai => Self::OpenAi,
            Kind::Anthropic => Self::Anthropic,
            Kind::Gemini => Self::Gemini,
            Kind::Ollama => Self::Ollama,
        }
    }
}

/// A model provider that answers every call with the same text. It speaks every dialect; --kind
/// says whose base URL is printed.
#[derive(Debug, Parser)]
struct Arguments {
    /// Whose base URL to print.
    #[arg(long, value_enum, default_value = "openai")]
    kind: Kind,
    /// A port of 127.0.0.1; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What to answer.
    #[arg(long, default_value = "Hello from nobody at all.")]
    reply: String,
    /// Answer so many words instead.
    #[arg(long)]
    tokens: Option<usize>,
    /// Microseconds between deltas.
    #[arg(long)]
    pace_us: Option<u64>,
    /// Speak HTTPS, and write the authority's certificate to this file.
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<std::path::PathBuf>,
    /// Stand behind a network with a round trip of so many milliseconds.
    #[arg(long)]
    rtt_ms: Option<u64>,
}

fn main() -> ExitCode {
    match serve(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "fake-provider: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> io::Result<()> {
    let mut reply = match arguments.tokens {
        Some(tokens) => Reply::deltas((0..tokens).map(|number| format!("w{number} "))),
        None => Reply::text(&arguments.reply),
    };
    if let Some(pace) = arguments.pace_us {
        reply = reply.pace(Duration::from_micros(pace));
    }
    let mut script = Script::always(reply);
    if arguments.tls_ca.is_some() {
        script = script.tls(Certificate::Valid);
    }
    let provider = FakeProvider::try_start(script, arguments.port)?;
    if let (Some(file), Some(pem)) = (&arguments.tls_ca, provider.ca_pem()) {
        std::fs::copy(pem, file)?;
    }
    let proxy = arguments
        .rtt_ms
        .map(|rtt| DelayProxy::try_start(provider.addr(), Duration::from_millis(rtt)))
        .transpose()?;
    let base = provider.base_url(arguments.kind.into());
    let base = match &proxy {
        Some(proxy) => base.replace(&provider.addr().to_string(), &proxy.addr().to_string()),
        None => base,
    };
    let mut out = io::stdout();
    writeln!(out, "{base}")?;
    out.flush()?;
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop)
}
