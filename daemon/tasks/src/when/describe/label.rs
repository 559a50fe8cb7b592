//! What tells one reading from another, in words.

use super::super::{Language, Why};

pub(in super::super) fn label(why: &[Why], language: Language) -> String {
    let words: Vec<&str> = why.iter().map(|why| one(*why, language)).collect();
    words.join(", ")
}

fn one(why: Why, language: Language) -> &'static str {
    let (english, italian) = match why {
        Why::DayFirst => ("day before month", "prima il giorno, poi il mese"),
        Why::MonthFirst => ("month before day", "prima il mese, poi il giorno"),
        Why::Morning => ("in the morning", "di mattina"),
        Why::Afternoon => ("in the afternoon or evening", "di pomeriggio o di sera"),
        Why::TwentyFourHours => ("on a 24-hour clock", "sulle 24 ore"),
        Why::TwelveHours => (
            "the next time on a 12-hour clock",
            "la prossima volta sulle 12 ore",
        ),
        Why::DayBegins => ("the night before that day", "la notte prima di quel giorno"),
        Why::DayEnds => ("the night after that day", "la notte dopo quel giorno"),
        Why::Today => ("today", "oggi"),
        Why::Nearest => ("the nearest", "il più vicino"),
        Why::WeekLater => ("a week later", "una settimana dopo"),
        Why::MonthLater => ("the next time", "la volta dopo"),
        Why::InThatWeek => ("in that week", "in quella settimana"),
        Why::CountedFromDay => (
            "counted from the nearest such day",
            "contando dal giorno più vicino",
        ),
        Why::FixedOffset => ("the abbreviation to the letter", "la sigla alla lettera"),
        Why::LocalTime => ("the time on the clocks there", "l'ora degli orologi di là"),
        Why::EveryFew => ("every so many weeks", "ogni tante settimane"),
        Why::OfTheMonth => ("that one of each month", "quello di ogni mese"),
        Why::Once => ("once", "una volta"),
        Why::EveryWeek => ("every week", "ogni settimana"),
        Why::WorkingWeek => (
            "the end of the working week",
            "la fine della settimana di lavoro",
        ),
        Why::CalendarWeek => ("the end of the week", "la fine della settimana"),
        Why::English => ("read as English", "letto in inglese"),
        Why::Italian => ("read as Italian", "letto in italiano"),
        Why::TodayHere => ("counted from today here", "contando da oggi qui"),
        Why::Otherwise => (
            "in another sense of the words",
            "in un altro senso delle parole",
        ),
        Why::TodayThere => ("counted from today there", "contando da oggi là"),
    };
    match language {
        Language::English => english,
        Language::Italian => italian,
    }
}
