//! Connections on a pair of sockets, without a listener.

use std::io::ErrorKind;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::*;
use crate::{BootOptions, accept::Connections, lifecycle};

fn daemon(home: &std::path::Path) -> Arc<Daemon> {
    lifecycle::open(&mut BootOptions::under(home))
        .unwrap()
        .daemon
}

async fn connect(daemon: &Arc<Daemon>, connections: &Arc<Connections>) -> UnixStream {
    let (near, far) = UnixStream::pair().unwrap();
    let slot = connections.place().await.unwrap();
    tokio::spawn(serve(Arc::clone(daemon), near, slot));
    far
}

fn handshake() -> String {
    let params = serde_json::json!({
        "protocol_versions": convergio_contract::PROTOCOL_VERSIONS,
        "client": {"name": "t", "version": "0.1.0"},
    });
    request(1, "initialize", &params)
}

fn request(id: u64, method: &str, params: &serde_json::Value) -> String {
    let line = serde_json::json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    format!("{line}\n")
}

#[tokio::test(start_paused = true)]
async fn who_does_not_initialize_in_ten_seconds_is_closed() {
    let temp = tempfile::tempdir().unwrap();
    let daemon = daemon(temp.path());
    let connections = Arc::new(Connections::new(4));
    let mut silent = connect(&daemon, &connections).await;
    let begun = tokio::time::Instant::now();
    // One byte a second does not help.
    silent.write_all(b"{").await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(begun.elapsed(), INITIALIZE_WITHIN);
    assert_eq!(connections.count(), 0);

    let mut polite = connect(&daemon, &connections).await;
    polite.write_all(handshake().as_bytes()).await.unwrap();
    let mut line = String::new();
    let mut polite = BufReader::new(polite);
    polite.read_line(&mut line).await.unwrap();
    tokio::time::sleep(INITIALIZE_WITHIN * 100).await;
    let ping = request(2, "health.get", &serde_json::json!({}));
    polite.write_all(ping.as_bytes()).await.unwrap();
    line.clear();
    polite.read_line(&mut line).await.unwrap();
    assert!(line.contains("\"id\":2"), "{line}");
}

#[tokio::test]
async fn an_id_in_use_is_refused_and_the_first_request_keeps_its_response() {
    let temp = tempfile::tempdir().unwrap();
    let daemon = daemon(temp.path());
    let connections = Arc::new(Connections::new(4));
    let mut wire = BufReader::new(connect(&daemon, &connections).await);
    let cursor = serde_json::json!({"cursor": "0-0", "wait_ms": 30_000});
    let wait = request(7, "logs.read", &cursor);
    let cancel = "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":7}}\n";
    let lines = format!("{}{wait}{wait}{cancel}{cancel}", handshake());
    wire.write_all(lines.as_bytes()).await.unwrap();
    wire.get_mut().shutdown().await.unwrap();
    let mut answers = String::new();
    wire.read_to_string(&mut answers).await.unwrap();
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert!(answers[1].contains("\"id\":null") && answers[1].contains("-32600"));
    assert!(answers[2].contains("\"id\":7") && answers[2].contains("-32800"));
}

#[tokio::test]
async fn a_closed_connection_ends_its_calls() {
    let temp = tempfile::tempdir().unwrap();
    let daemon = daemon(temp.path());
    let connections = Arc::new(Connections::new(4));
    let mut wire = connect(&daemon, &connections).await;
    let cursor = serde_json::json!({"cursor": "0-0", "wait_ms": 30_000});
    let lines = format!("{}{}", handshake(), request(2, "logs.read", &cursor));
    wire.write_all(lines.as_bytes()).await.unwrap();
    let mut first = [0; 1];
    wire.read_exact(&mut first).await.unwrap();
    connections.close_all();
    let rest = wire.read_to_end(&mut Vec::new()).await;
    assert!(rest.is_ok() || rest.unwrap_err().kind() == ErrorKind::ConnectionReset);
    while connections.count() > 0 {
        connections.freed.notified().await;
    }
}
