//! What this client says by itself; the rest of the menu comes from the daemon, in the same
//! language.

/// What is said, in one language.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// Its name on the wire.
    pub(crate) language: &'static str,
    pub(crate) looking: &'static str,
    pub(crate) does_not_answer: &'static str,
    pub(crate) start: &'static str,
    pub(crate) starting: &'static str,
    pub(crate) not_started: &'static str,
    pub(crate) gone: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) busy: &'static str,
    pub(crate) quit: &'static str,
}

static ENGLISH: Words = Words {
    language: "en",
    looking: "Looking for Convergio …",
    does_not_answer: "Convergio does not answer",
    start: "Start Convergio",
    starting: "Convergio is starting …",
    not_started: "Convergio did not start",
    gone: "That had changed meanwhile: nothing was done",
    failed: "That did not work",
    busy: "Too much at once: nothing was done",
    quit: "Quit this menu",
};

static ITALIAN: Words = Words {
    language: "it",
    looking: "Cerco Convergio …",
    does_not_answer: "Convergio non risponde",
    start: "Avvia Convergio",
    starting: "Convergio si sta avviando …",
    not_started: "Convergio non si è avviato",
    gone: "Nel frattempo era cambiato: non è stato fatto nulla",
    failed: "Non è riuscito",
    busy: "Troppe cose insieme: non è stato fatto nulla",
    quit: "Chiudi questo menu",
};

impl Words {
    /// Of a locale's name: `it`, `it_IT.UTF-8`; English for all that is not Italian.
    pub(crate) fn of(locale: &str) -> &'static Self {
        let language = locale.split(['_', '-', '.', '@']).next();
        match language.unwrap_or_default().eq_ignore_ascii_case("it") {
            true => &ITALIAN,
            false => &ENGLISH,
        }
    }

    /// Of this process's environment.
    pub(crate) fn from_process() -> &'static Self {
        let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
        Self::of(&locale.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_names_its_language() {
        for (locale, language) in [
            ("it_IT.UTF-8", "it"),
            ("it", "it"),
            ("IT-ch", "it"),
            ("en_GB.UTF-8", "en"),
            ("ita", "en"),
            ("C", "en"),
            ("", "en"),
        ] {
            assert_eq!(Words::of(locale).language, language, "{locale}");
        }
    }
}
