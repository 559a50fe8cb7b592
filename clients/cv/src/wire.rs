//! Bytes on the wire: the smallest form that fits into one line.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use convergio_contract::{
    limits::LINE_MAX_BYTES,
    review::{Blob, Encoding},
};
use flate2::{Compression, write::GzEncoder};

use crate::{
    error::{Failure, Kind},
    hint::Hint,
};

/// Room in a line for everything but the blob.
const ENVELOPE_BYTES: usize = 256 * 1024;
/// What is sent as it is; above, compressing costs less than reading the longer line.
const PLAIN_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Length of a text as a JSON string.
fn escaped_len(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum()
}

/// Bytes in a form that fits into one line; `what` names them in the error.
pub fn blob(bytes: Vec<u8>, what: &str) -> Result<Blob, Failure> {
    let max = LINE_MAX_BYTES - ENVELOPE_BYTES;
    let bytes = if bytes.len() <= PLAIN_MAX_BYTES {
        match String::from_utf8(bytes) {
            Ok(data) if escaped_len(&data) <= max => {
                return Ok(Blob {
                    encoding: Encoding::Utf8,
                    data,
                });
            }
            Ok(data) => data.into_bytes(),
            Err(not_text) => not_text.into_bytes(),
        }
    } else {
        bytes
    };
    for level in [Compression::fast(), Compression::default()] {
        let mut encoder = GzEncoder::new(Vec::new(), level);
        let packed = encoder
            .write_all(&bytes)
            .and_then(|()| encoder.finish())
            .map_err(|error| {
                Failure::new(
                    Kind::Io,
                    format!("{what} could not be compressed"),
                    crate::error::describe(&error),
                    Hint::DOCTOR,
                )
            })?;
        if packed.len().div_ceil(3) * 4 <= max {
            return Ok(Blob {
                encoding: Encoding::Gzip,
                data: STANDARD.encode(packed),
            });
        }
        // More effort gains a third at best, and takes seconds where there is much.
        if packed.len() > max {
            break;
        }
    }
    Err(Failure::new(
        Kind::TooLarge,
        format!("{what} is too large"),
        format!(
            "{} MiB, and even compressed it does not fit into one request of {} MiB",
            bytes.len().div_ceil(1024 * 1024),
            LINE_MAX_BYTES / 1024 / 1024
        ),
        Hint::NARROWER,
    ))
}

/// The bytes of a blob that the daemon sent, at most `max` of them.
pub fn bytes(blob: &Blob, max: usize) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let broken = |why: String| {
        Failure::new(
            Kind::Io,
            "The daemon's bytes cannot be read",
            why,
            Hint::DOCTOR_AND_LOGS,
        )
    };
    let bytes = match blob.encoding {
        Encoding::Utf8 => blob.data.clone().into_bytes(),
        Encoding::Base64 => STANDARD
            .decode(&blob.data)
            .map_err(|error| broken(error.to_string()))?,
        Encoding::Gzip => {
            let packed = STANDARD
                .decode(&blob.data)
                .map_err(|error| broken(error.to_string()))?;
            let mut bytes = Vec::new();
            flate2::read::GzDecoder::new(packed.as_slice())
                .take(max as u64 + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| broken(error.to_string()))?;
            bytes
        }
    };
    if bytes.len() > max {
        return Err(broken(format!("more than {max} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_comes_back_the_same() {
        let noise: Vec<u8> = (0..9_000_000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 28) as u8)
            .collect();
        for (bytes, encoding) in [
            (b"plain".to_vec(), Encoding::Utf8),
            (vec![0xff, 0xfe, 0], Encoding::Gzip),
            (vec![1; 3_000_000], Encoding::Gzip),
            (noise, Encoding::Gzip),
        ] {
            let sent = blob(bytes.clone(), "The diff").expect("fits");
            assert_eq!(sent.encoding, encoding);
            assert!(sent.data.len() < LINE_MAX_BYTES);
            assert_eq!(super::bytes(&sent, bytes.len()).expect("reads"), bytes);
            assert!(super::bytes(&sent, bytes.len() - 1).is_err());
        }
    }
}
