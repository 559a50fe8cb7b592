//! Tokens that were presented lately, so that a program's next request needs no reading of the
//! database.
//!
//! What is remembered is what the database says: while a token is being taken back nothing is
//! remembered and everything is read, and what was read before that is not taken on afterwards.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use convergio_runs::Token;

/// Tokens that are remembered.
const TOKENS_MAX: usize = 256;

#[derive(Default)]
struct State {
    /// By the hash of their text.
    tokens: HashMap<[u8; 32], Arc<Token>>,
    /// Changes that are on their way.
    changing: usize,
    /// Raised by each change: what was read under another number is older than it.
    number: u64,
}

/// The memory of one daemon.
#[derive(Default)]
pub(crate) struct Presented {
    state: Mutex<State>,
}

impl Presented {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token with this hash, where it is remembered; else the number to [`Self::keep`] with
    /// what is read from now on.
    pub(super) fn find(&self, hash: &[u8; 32]) -> Result<Arc<Token>, u64> {
        let state = self.state();
        state.tokens.get(hash).cloned().ok_or(state.number)
    }

    /// Remembers what was read since [`Self::find`] gave `number`, unless tokens changed since.
    pub(super) fn keep(&self, number: u64, token: &Arc<Token>) {
        let mut state = self.state();
        if state.changing > 0 || state.number != number {
            return;
        }
        if state.tokens.len() >= TOKENS_MAX {
            state.tokens.clear();
        }
        state.tokens.insert(token.token.hash, Arc::clone(token));
    }

    /// Forgets everything, and remembers nothing until the change is dropped. That has to be when
    /// its transaction's fate is known: the change belongs into what the write answers with.
    pub(crate) fn change(self: &Arc<Self>) -> Change {
        let mut state = self.state();
        state.tokens.clear();
        state.changing += 1;
        state.number += 1;
        Change {
            of: Arc::clone(self),
        }
    }
}

/// A change of tokens that is on its way into the database.
pub(crate) struct Change {
    of: Arc<Presented>,
}

impl Drop for Change {
    fn drop(&mut self) {
        let mut state = self.of.state();
        state.changing -= 1;
        state.number += 1;
    }
}

#[cfg(test)]
mod tests {
    use convergio_contract::Uuid;
    use convergio_runs::NewToken;

    use super::*;

    fn token(byte: u8) -> Arc<Token> {
        Arc::new(Token {
            token: NewToken {
                id: Uuid::nil(),
                name: format!("t{byte}"),
                hash: [byte; 32],
                client: "x".into(),
                root: None,
                models: None,
                map: Default::default(),
                policy: None,
                bound: false,
                expires_ms: None,
            },
            created_ms: 0,
            last_used_ms: None,
            revoked_ms: None,
        })
    }

    #[test]
    fn what_was_read_before_a_change_ended_is_not_remembered() {
        let presented = Arc::new(Presented::default());
        let one = token(1);
        let before = presented.find(&[1; 32]).unwrap_err();
        presented.keep(before, &one);
        assert_eq!(presented.find(&[1; 32]).unwrap(), one);
        let change = presented.change();
        let during = presented.find(&[1; 32]).unwrap_err();
        for number in [before, during] {
            presented.keep(number, &one);
            assert!(presented.find(&[1; 32]).is_err(), "a change is on its way");
        }
        drop(change);
        for number in [before, during] {
            presented.keep(number, &one);
            assert!(presented.find(&[1; 32]).is_err(), "read before it ended");
        }
        let behind = presented.find(&[1; 32]).unwrap_err();
        presented.keep(behind, &one);
        assert_eq!(presented.find(&[1; 32]).unwrap(), one);
    }

    #[test]
    fn the_memory_is_bounded() {
        let presented = Arc::new(Presented::default());
        for byte in 0..=u8::MAX {
            let mut token = Arc::unwrap_or_clone(token(byte));
            for more in 0..2 {
                token.token.hash[1] = more;
                let number = presented.find(&token.token.hash).unwrap_err();
                presented.keep(number, &Arc::new(token.clone()));
                assert!(presented.state().tokens.len() <= TOKENS_MAX);
            }
        }
    }
}
