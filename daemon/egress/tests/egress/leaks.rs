//! Keys, queries and texts show nowhere: not in `Debug`, not in errors, not in traces.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use convergio_egress::{EgressError, ProxySettings};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Authority, answer_once, gate, listen, ok, permit, post, reset, send, url};

const CANARY: &str = "canary-7f3a";

/// Everything that anybody traces or logs in this process from now on.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Heard {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl log::Log for Heard {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}\n", record.target(), record.args());
        self.clone().write_all(line.as_bytes()).unwrap();
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn canaries_show_in_no_trace_error_or_debug() {
    let heard = Heard::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(heard.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log::set_logger(Box::leak(Box::new(heard.clone()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    let gate = gate();
    let mut shown = String::new();
    let secret = || CANARY.to_owned().into();

    // An answer, a reset, garbage, a redirect, bad TLS, nobody there, an impossible header.
    let redirect = format!("HTTP/1.1 302 Go\r\nlocation: /?{CANARY}\r\n\r\n").into_bytes();
    let garbage = format!("{CANARY}\r\n\r\n").into_bytes();
    let kept = ok("fine");
    let mut kept = String::from_utf8(kept).unwrap();
    kept = kept.replacen("\r\n", &format!("\r\nset-cookie: {CANARY}\r\n"), 1);
    for answer in [kept.into_bytes(), Vec::new(), garbage, redirect] {
        let (listener, address) = listen().await;
        let server = tokio::spawn(answer_once(listener, answer));
        let target = url(&format!("http://{address}/{CANARY}?key={CANARY}#{CANARY}"));
        let request = post(&target)
            .secret_header("x-key", secret())
            .header("x-text", CANARY)
            .body(CANARY);
        shown += &format!("{request:?}");
        match send(&gate, request).await {
            Ok(answer) => {
                shown += &format!("{answer:?}");
                shown += &format!("{:?}", answer.into_body());
            }
            Err(error) => shown += &format!("{error} {error:?}"),
        }
        assert_eq!(server.await.unwrap().matches(CANARY).count(), 5);
    }
    let (listener, address) = listen().await;
    let target = url(&format!("https://{address}/?key={CANARY}"));
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let tls = Authority::new().acceptor("wrong.test", &[], |_| {});
        let refused = tls.accept(stream).await.map(|_| ()).is_err();
        // Nobody listens any more, then.
        drop(listener);
        refused
    });
    for _ in 0..2 {
        let request = post(&target).secret_header("x-key", secret());
        let error = send(&gate, request).await.unwrap_err();
        shown += &format!("{error} {error:?}");
    }
    assert!(server.await.unwrap());
    let broken = post(&target).secret_header("x-key", format!("{CANARY}\n").into());
    let error = send(&gate, broken).await.unwrap_err();
    shown += &format!("{error} {error:?} {:?} {gate:?}", permit(&target));

    // A proxy with a password, and one that resets.
    let (proxy, at) = listen().await;
    let resetting = tokio::spawn(async move { reset(proxy.accept().await.unwrap().0) });
    let settings = ProxySettings {
        https: Some(format!("http://me:{CANARY}@{at}").into()),
        ..ProxySettings::default()
    };
    let gate = convergio_egress::Egress::new(settings);
    let error = send(&gate, post(&url("https://no-such-host.invalid/"))).await;
    let error = error.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    shown += &format!("{error} {error:?} {gate:?}");
    resetting.await.unwrap();

    assert!(!shown.contains(CANARY), "{shown}");
    let heard = String::from_utf8_lossy(&heard.0.lock().unwrap()).into_owned();
    assert!(heard.contains("TRACE"), "nothing was traced");
    let lines: Vec<&str> = heard.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
