//! The text of a token: 256 bits, kept by nobody but the program that was given it.

use std::fmt;

use base64::Engine as _;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// What every token begins with.
pub const PREFIX: &str = "cvt_";
/// Characters of a token: the prefix, and 256 bits in base64url.
pub const LENGTH: usize = PREFIX.len() + 43;

/// The hash of a token: all that is kept of it.
#[derive(Clone, Copy, Debug)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Of what a program presented.
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A token's text. Prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// From 256 bits of randomness.
    pub fn from_random(bits: &[u8; 32]) -> Self {
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        Self(format!("{PREFIX}{}", engine.encode(bits)))
    }

    /// What a program presented.
    pub(crate) fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_print_and_is_known_by_its_hash_alone() {
        let token = TokenText::from_random(&[7; 32]);
        assert_eq!(token.expose().len(), LENGTH);
        assert_eq!(format!("{token:?}"), "[redacted]");
        let again = TokenText::presented(token.expose());
        assert!(token.hash().matches(&again.hash()));
        let other = TokenText::from_random(&[8; 32]);
        assert!(!token.hash().matches(&other.hash()));
    }
}
