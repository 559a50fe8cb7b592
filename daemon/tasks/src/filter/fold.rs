//! Texts as a search sees them: `Perché` and `PERCHE` are the same.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Small letters without accents, in compatibility form.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.to_lowercase();
    let apart = DecomposingNormalizerBorrowed::new_nfkd().normalize(&lower);
    let mut folded = String::with_capacity(apart.len());
    for c in apart.chars() {
        match c {
            // Accents; signs of other scripts that make another letter stay.
            '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' => {}
            'ß' => folded.push_str("ss"),
            'ς' => folded.push('σ'),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            '’' | '‘' | 'ʼ' => folded.push('\''),
            other => folded.push(other),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_count() {
        for (one, other) in [
            ("Perché", "PERCHE"),
            ("CAFFÈ", "caffe\u{300}"),
            ("Straße", "strasse"),
            ("ŁÓDŹ", "lodz"),
            ("ΟΔΟΣ", "οδος"),
            ("İstanbul", "istanbul"),
            ("l’uva", "L'UVA"),
            ("ﬁne", "FINE"),
            ("ПРИВЕТ", "привет"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("は"), fold("ば\u{20}"));
    }
}
