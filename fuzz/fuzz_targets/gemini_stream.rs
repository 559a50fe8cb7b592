//! Arbitrary bytes as an answer of kind `gemini`: it ends with its marker or with an error, is the
//! same however it is cut, and nothing panics or grows beyond its bound.

#![no_main]

mod streams;

use convergio_models_remote::Kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| streams::check(Kind::Gemini, input));
