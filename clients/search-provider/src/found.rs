//! Results: what GNOME is told of them. Pure.

use std::collections::{HashMap, VecDeque};

use convergio_contract::search::{QUERY_MAX_BYTES, SearchResult};

/// Results of one search at most: GNOME shows five.
pub const RESULTS_MAX: usize = 8;
/// Results that are remembered for `GetResultMetas`.
const REMEMBERED_MAX: usize = 256;
/// Characters of a title or a detail at most.
const TEXT_MAX: usize = 160;

/// What is shown of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The result.
    pub id: String,
    /// First line.
    pub name: String,
    /// Second line.
    pub description: String,
    /// Name of an icon.
    pub icon: &'static str,
}

/// The words that were typed, as one text; none where there is nothing to look for, or too much.
#[must_use]
pub fn words(terms: &[String]) -> Option<String> {
    let text = terms.join(" ");
    let text = text.trim();
    (!text.is_empty() && text.len() <= QUERY_MAX_BYTES).then(|| text.to_owned())
}

/// What can always be done with words, whether or not anything was found, and without a daemon.
/// Nothing of it happens before it is chosen.
#[must_use]
pub fn verbs(words: &str) -> [String; 2] {
    [format!("remind:{words}"), format!("ask:{words}")]
}

/// A result as GNOME shows it.
#[must_use]
pub fn meta_of(result: &SearchResult) -> Meta {
    use convergio_contract::search::SearchKind;
    Meta {
        id: result.id.clone(),
        name: shown(&result.title),
        description: shown(&result.detail),
        icon: match result.kind {
            SearchKind::Reminder => "appointment-soon",
            SearchKind::Task => "object-select",
            SearchKind::Session => "user-available",
            SearchKind::Template => "insert-text",
        },
    }
}

/// A verb as GNOME shows it; none for what is no verb.
#[must_use]
pub fn meta_of_verb(id: &str) -> Option<Meta> {
    let (verb, words) = id.split_once(':')?;
    let (name, icon) = match verb {
        "remind" => ("Remind me", "appointment-new"),
        "ask" => ("Ask Convergio", "dialog-question"),
        _ => return None,
    };
    Some(Meta {
        id: id.to_owned(),
        name: name.to_owned(),
        description: shown(words),
        icon,
    })
}

/// One line of plain text: what would break it, reverse it or be invisible is shown as a space, and
/// what is too long ends in `…`. GNOME itself escapes what it would read as markup.
#[must_use]
pub fn shown(text: &str) -> String {
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let plain: String = text
        .chars()
        .map(|c| if unseen(c) { ' ' } else { c })
        .collect();
    let mut line = String::new();
    for (at, c) in plain.trim().chars().enumerate() {
        if at == TEXT_MAX {
            line.push('…');
            break;
        }
        line.push(c);
    }
    line
}

/// The results that GNOME may still ask about: it does so in a call of its own.
#[derive(Debug, Default)]
pub struct Remembered {
    metas: HashMap<String, Meta>,
    order: VecDeque<String>,
}

impl Remembered {
    /// Remembers a result in place of the one of its id; forgets the oldest beyond a bound.
    pub fn put(&mut self, meta: Meta) {
        if self.metas.insert(meta.id.clone(), meta.clone()).is_none() {
            self.order.push_back(meta.id);
        }
        while self.order.len() > REMEMBERED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.metas.remove(&oldest);
            }
        }
    }

    /// What is known of a result.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Meta> {
        self.metas.get(id).cloned().or_else(|| meta_of_verb(id))
    }
}

#[cfg(test)]
mod tests {
    use convergio_contract::search::SearchKind;

    use super::*;

    #[test]
    fn verbs_are_there_for_every_words_and_say_what_they_would_do() {
        let [remind, ask] = verbs("call Mario: at 9");
        let remind = meta_of_verb(&remind).unwrap();
        assert_eq!(
            (remind.name.as_str(), remind.description.as_str()),
            ("Remind me", "call Mario: at 9")
        );
        assert_eq!(meta_of_verb(&ask).unwrap().description, "call Mario: at 9");
        assert_eq!(meta_of_verb("task:12"), None);
        assert_eq!(meta_of_verb("nothing"), None);
    }

    #[test]
    fn nothing_and_far_too_much_are_not_looked_for() {
        assert_eq!(words(&[]), None);
        assert_eq!(words(&["  ".to_owned()]), None);
        assert_eq!(words(&["x".repeat(QUERY_MAX_BYTES + 1)]), None);
        assert_eq!(
            words(&["call".to_owned(), "mario".to_owned()]),
            Some("call mario".to_owned())
        );
    }

    #[test]
    fn a_title_is_one_line_of_plain_text() {
        let hostile = "a\nb\u{1b}[31mc\u{202e}d\u{200b}\u{0}";
        assert_eq!(shown(hostile), "a b [31mc d");
        assert_eq!(shown(&"é".repeat(500)).chars().count(), TEXT_MAX + 1);
        let result = SearchResult {
            id: "task:3".to_owned(),
            kind: SearchKind::Task,
            title: "<b>bold</b> & \"quoted\"".to_owned(),
            detail: String::new(),
        };
        assert_eq!(meta_of(&result).name, "<b>bold</b> & \"quoted\"");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut remembered = Remembered::default();
        for n in 0..2 * REMEMBERED_MAX {
            remembered.put(Meta {
                id: format!("task:{n}"),
                name: n.to_string(),
                description: String::new(),
                icon: "",
            });
        }
        assert_eq!(remembered.metas.len(), REMEMBERED_MAX);
        assert_eq!(remembered.get("task:0"), None);
        let last = format!("task:{}", 2 * REMEMBERED_MAX - 1);
        assert!(remembered.get(&last).is_some());
        assert!(remembered.get("ask:hi").is_some());
    }
}
