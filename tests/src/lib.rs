//! Tests of the whole: see `main.rs`, the one integration binary.
