//! Arbitrary bytes as a connection's input: every line is complete, too long or dropped, every
//! message is read or refused, and nothing panics or grows beyond its bound.

#![no_main]

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use convergio_transport::{
    frame::{self, FrameReader, Line},
    message,
};
use libfuzzer_sys::fuzz_target;

const LIMIT_BYTES: usize = 256;

fuzz_target!(|input: &[u8]| {
    let read = async {
        let mut reader = FrameReader::with_limit(input, LIMIT_BYTES);
        let mut lines = 0;
        while let Some(line) = reader.next().await.expect("memory does not fail") {
            lines += 1;
            let Line::Complete(line) = line else { continue };
            assert!(line.len() < LIMIT_BYTES);
            if let Ok(text) = frame::check(&line) {
                let _ = message::parse(text);
            }
        }
        lines
    };
    // Memory is always ready, so one poll is enough and no runtime is needed.
    let mut context = Context::from_waker(Waker::noop());
    match pin!(read).poll(&mut context) {
        Poll::Ready(lines) => {
            assert_eq!(lines, input.iter().filter(|byte| **byte == b'\n').count());
        }
        Poll::Pending => panic!("reading from memory waits"),
    }
});
