//! Bytes that travelled inside JSON, back as bytes, never more than allowed.

use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use convergio_contract::{
    ErrorCode, RpcError,
    review::{Blob, Encoding},
};
use flate2::read::MultiGzDecoder;

/// The bytes; `what` names them in errors, `hint` is the way out where they are too many.
pub(crate) fn decode(
    blob: Blob,
    max_bytes: usize,
    what: &str,
    hint: &str,
) -> Result<Vec<u8>, RpcError> {
    let too_large = || {
        RpcError::new(
            ErrorCode::TooLarge,
            format!("{what} is larger than {max_bytes} bytes"),
        )
        .why("the limit is named in the answer to `initialize`")
        .hint(hint)
    };
    let wrong = |why: String| {
        RpcError::new(
            ErrorCode::InvalidParams,
            format!("{what} could not be decoded"),
        )
        .why(why)
    };
    let bytes = match blob.encoding {
        Encoding::Utf8 => blob.data.into_bytes(),
        Encoding::Base64 => STANDARD
            .decode(blob.data)
            .map_err(|error| wrong(error.to_string()))?,
        Encoding::Gzip => {
            let packed = STANDARD
                .decode(blob.data)
                .map_err(|error| wrong(error.to_string()))?;
            let mut bytes = Vec::new();
            let limit = max_bytes as u64 + 1;
            let unpacked = MultiGzDecoder::new(&*packed)
                .take(limit)
                .read_to_end(&mut bytes);
            unpacked.map_err(|error| wrong(error.to_string()))?;
            bytes
        }
    };
    if bytes.len() > max_bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> String {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        STANDARD.encode(encoder.finish().unwrap())
    }

    fn blob(encoding: Encoding, data: impl Into<String>) -> Blob {
        Blob {
            encoding,
            data: data.into(),
        }
    }

    #[test]
    fn every_encoding_gives_the_bytes_back() {
        for blob in [
            blob(Encoding::Utf8, "diff"),
            blob(Encoding::Base64, STANDARD.encode("diff")),
            blob(Encoding::Gzip, gzip(b"diff")),
        ] {
            assert_eq!(decode(blob, 4, "the diff", "cv").unwrap(), b"diff");
        }
    }

    #[test]
    fn too_much_and_nonsense_are_told_apart() {
        let bomb = blob(Encoding::Gzip, gzip(&vec![0; 10_000_000]));
        let kind = |blob| decode(blob, 1000, "the diff", "cv").unwrap_err().kind();
        assert_eq!(kind(bomb), Some(ErrorCode::TooLarge));
        assert_eq!(
            kind(blob(Encoding::Utf8, "x".repeat(1001))),
            Some(ErrorCode::TooLarge)
        );
        assert_eq!(
            kind(blob(Encoding::Base64, "?")),
            Some(ErrorCode::InvalidParams)
        );
        assert_eq!(
            kind(blob(Encoding::Gzip, STANDARD.encode("x"))),
            Some(ErrorCode::InvalidParams)
        );
    }
}
