//! Arbitrary bytes as an event stream: the same events however it is cut, none longer than what
//! came.

#![no_main]

use convergio_models_remote::EventStream;
use libfuzzer_sys::fuzz_target;

fn events(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut stream = EventStream::new();
    let mut seen = Vec::new();
    let mut take = |data: &[u8]| {
        seen.push(data.to_vec());
        Ok(true)
    };
    for piece in pieces {
        stream
            .feed(piece, &mut take)
            .expect("what is short is within its bounds");
    }
    stream
        .finish(&mut take)
        .expect("what is short is within its bounds");
    seen
}

fuzz_target!(|input: &[u8]| {
    let [cut, stream @ ..] = input else { return };
    let whole = events(&[stream]);
    let at = usize::from(*cut) * stream.len() / 255;
    assert_eq!(events(&[&stream[..at], &stream[at..]]), whole);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(events(&bytes), whole);
    assert!(whole.iter().map(Vec::len).sum::<usize>() <= stream.len());
});
