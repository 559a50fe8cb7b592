//! The table of rules: one row each. A rule lives in the file that its id names.

pub mod assertion_removed;
pub mod bidi_text;
pub mod conflict_marker;
pub mod data_loss_migration;
pub mod debug_leftover;
pub mod dependency_without_lock;
pub mod dynamic_code;
pub mod focused_test;
pub mod html_injection;
pub mod ignored_result;
pub mod invisible_text;
pub mod large_binary;
pub mod lock_without_dependency;
pub mod new_panic;
pub mod pipe_to_shell;
pub mod private_key;
pub mod secret;
pub mod secret_assignment;
pub mod shell_injection;
pub mod skipped_test;
pub mod sql_injection;
pub mod swallowed_error;
pub mod test_removed;
pub mod tls_verification_off;
pub mod todo_without_reference;
pub mod unbounded_retry;
pub mod unpinned_action;
pub mod unsafe_deserialization;
pub mod url_credentials;
pub mod weak_cipher;
pub mod weak_hash;
pub mod weak_random;
pub mod whitespace_merge;
pub mod world_writable;

use crate::rule::Rule;

/// Every rule, in the order of the documentation.
pub static RULES: &[&Rule] = &[
    &secret::RULE,
    &private_key::RULE,
    &secret_assignment::RULE,
    &url_credentials::RULE,
    &conflict_marker::RULE,
    &bidi_text::RULE,
    &invisible_text::RULE,
    &dynamic_code::RULE,
    &unsafe_deserialization::RULE,
    &shell_injection::RULE,
    &html_injection::RULE,
    &sql_injection::RULE,
    &weak_hash::RULE,
    &weak_cipher::RULE,
    &weak_random::RULE,
    &tls_verification_off::RULE,
    &world_writable::RULE,
    &unpinned_action::RULE,
    &pipe_to_shell::RULE,
    &assertion_removed::RULE,
    &data_loss_migration::RULE,
    &debug_leftover::RULE,
    &dependency_without_lock::RULE,
    &focused_test::RULE,
    &ignored_result::RULE,
    &large_binary::RULE,
    &lock_without_dependency::RULE,
    &new_panic::RULE,
    &skipped_test::RULE,
    &swallowed_error::RULE,
    &test_removed::RULE,
    &todo_without_reference::RULE,
    &unbounded_retry::RULE,
    &whitespace_merge::RULE,
];
