//! Changing the user's files: inside of a folder only, atomically, with the way back stored
//! first.

pub mod place;
pub mod suggestion;

pub use place::Place;

use sha2::{Digest, Sha256};

/// Hex SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let mut hex = String::with_capacity(64);
    for byte in digest {
        hex.push_str(&format!("{byte:02x}"));
    }
    hex
}
