use tokio::io::AsyncReadExt;

use super::*;

fn event(text: &str) -> Arc<[u8]> {
    Arc::from(format!("{text}\n").into_bytes())
}

async fn read_all(mut reader: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn responses_pass_events_and_keep_their_own_order() {
    let outbox = Arc::new(Outbox::new(STALL));
    outbox.send_event(&event("e1"), 0).await.unwrap();
    outbox.send_event(&event("e2"), 0).await.unwrap();
    outbox.respond(b"r1\n".to_vec());
    outbox.respond(b"r2\n".to_vec());
    let (near, far) = tokio::io::duplex(1024);
    let writer = tokio::spawn(write_out(Arc::clone(&outbox), near));
    outbox.flushed().await;
    outbox.close();
    writer.await.unwrap();
    assert_eq!(read_all(far).await, "r1\nr2\ne1\ne2\n");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_ends_its_subscription_and_not_the_connection() {
    let outbox = Arc::new(Outbox::new(STALL));
    let (near, mut far) = tokio::io::duplex(16);
    let writer = tokio::spawn(write_out(Arc::clone(&outbox), near));
    let line = event(&"x".repeat(10_000));
    let opened = outbox.stalls();
    let mut sent = 0;
    let end = loop {
        match outbox.send_event(&line, opened).await {
            Ok(()) => sent += 1,
            Err(end) => break end,
        }
    };
    assert_eq!(end, StreamEnd::Stalled);
    assert!(sent < 60, "held {sent} events of 10 kB");
    assert!(!outbox.is_closed());
    // The peer wakes up: what was begun is finished, then the connection goes on.
    outbox.respond(b"pong\n".to_vec());
    let mut seen = Vec::new();
    while !seen.ends_with(b"pong\n") {
        let mut chunk = [0; 4096];
        let count = far.read(&mut chunk).await.unwrap();
        assert!(count > 0);
        seen.extend_from_slice(&chunk[..count]);
    }
    let lines: Vec<&[u8]> = seen.split(|byte| *byte == b'\n').collect();
    assert!(
        lines[..lines.len() - 2]
            .iter()
            .all(|line| line.len() == 10_000)
    );
    outbox.close();
    writer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_response_that_nobody_reads_ends_the_connection() {
    let outbox = Arc::new(Outbox::new(STALL));
    let (near, _far) = tokio::io::duplex(16);
    outbox.respond(vec![b'x'; 1000]);
    let begun = tokio::time::Instant::now();
    write_out(Arc::clone(&outbox), near).await;
    assert!(outbox.is_closed());
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn a_response_that_nothing_stands_before_is_written_at_once_as_far_as_there_is_room() {
    let outbox = Arc::new(Outbox::new(STALL));
    let (near, mut far) = StdStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let (_read, write) = convergio_transport::stream::split(near).unwrap();
    outbox.write_directly_to(write.socket());
    // Nobody has polled a writer yet.
    outbox.respond(b"at once\n".to_vec());
    let mut seen = [0; 8];
    io::Read::read_exact(&mut far, &mut seen).unwrap();
    assert_eq!(&seen, b"at once\n");
    let long = vec![b'x'; 1 << 20];
    outbox.respond(long.clone());
    outbox.respond(b"last\n".to_vec());
    assert!(!outbox.has_room_now(), "the rest of the long one waits");
    let writer = tokio::spawn(write_out(Arc::clone(&outbox), write));
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        io::Read::read_to_end(&mut far, &mut all).unwrap();
        all
    });
    outbox.flushed().await;
    outbox.close();
    writer.await.unwrap();
    let all = tokio::task::spawn_blocking(|| reader.join().unwrap())
        .await
        .unwrap();
    assert_eq!(all.len(), long.len() + 5);
    assert!(all.ends_with(b"last\n"));
}

#[tokio::test]
async fn a_long_control_lane_has_no_room() {
    let outbox = Outbox::new(STALL);
    outbox.has_room().await;
    outbox.respond(vec![b'x'; CONTROL_FULL_BYTES]);
    let soon = timeout(Duration::from_millis(20), outbox.has_room()).await;
    assert!(soon.is_err());
    outbox.close();
    outbox.has_room().await;
}

#[tokio::test]
async fn an_event_with_nothing_before_it_is_written_at_once_and_never_torn() {
    use std::io::Read;
    let outbox = Outbox::new(STALL);
    let (near, mut far) = StdStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let near = Arc::new(near);
    outbox.write_directly_to(Arc::clone(&near));
    outbox.send_event(&event("e1"), 0).await.unwrap();
    let mut seen = [0; 3];
    far.read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"e1\n");
    // More than the socket takes: the rest of the line goes before what comes next.
    let long = event(&"x".repeat(4 << 20));
    outbox.send_event(&long, 0).await.unwrap();
    outbox.respond(b"r1\n".to_vec());
    let outbox = Arc::new(outbox);
    let socket = tokio::net::UnixStream::from_std(near.try_clone().unwrap()).unwrap();
    let writer = tokio::spawn(write_out(Arc::clone(&outbox), socket));
    let reading = tokio::task::spawn_blocking(move || {
        let mut seen = vec![0; long.len() + 3];
        far.read_exact(&mut seen).map(|()| seen)
    });
    let seen = reading.await.unwrap().unwrap();
    assert!(seen.ends_with(b"x\nr1\n"));
    outbox.close();
    writer.await.unwrap();
}
