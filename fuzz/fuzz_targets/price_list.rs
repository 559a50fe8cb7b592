//! Arbitrary bytes as a list of prices and as its signature: read whole or refused, within bounds,
//! and nothing is taken that nobody signed.

#![no_main]

use convergio_models_remote::{Catalog, PriceFile, TrustedKey};
use libfuzzer_sys::fuzz_target;

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let now = jiff::Timestamp::from_second(1_795_219_200).expect("a time");
    if let Ok(file) = PriceFile::parse(text, now) {
        assert!(file.all().count() <= 5_000);
        for (provider, row) in file.all() {
            let known = Catalog::builtin().provider(provider).expect("a provider of ours");
            assert!(!known.local);
            assert!(row.max_output <= row.context);
        }
    }
    let key = TrustedKey::parse(KEY).expect("a key");
    let (signature, list) = text.split_once('\0').unwrap_or((text, text));
    assert!(PriceFile::verified(list, signature, &[key], now).is_err());
});
