//! What a finding is known by from one review to the next.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Gives fingerprints to the findings of one review.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprints {
    /// How often a (path, rule, text) was seen.
    seen: HashMap<[u8; 32], u32>,
}

impl Fingerprints {
    /// Hex SHA-256 of path, rule, matched text (its blanks collapsed) and the ordinal among equals.
    pub(crate) fn next(&mut self, path: &str, rule: &str, matched: &str) -> String {
        let mut hash = Sha256::new();
        for part in [path, rule, matched] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let key: [u8; 32] = hash.clone().finalize().into();
        let ordinal = self.seen.entry(key).or_insert(0);
        hash.update(ordinal.to_le_bytes());
        *ordinal += 1;
        let digest: [u8; 32] = hash.finalize().into();
        digest
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
                hex.push(char::from(DIGITS[usize::from(byte & 15)]));
                hex
            })
    }
}
