//! Tasks as they are named on the command line: `3`, `#3`, `3-5`, `3,7`, an id.

use std::ops::RangeInclusive;

use convergio_contract::Uuid;

use crate::{
    error::{Failure, Kind},
    hint::Hint,
};

/// Tasks that one command changes at most.
pub const TASKS_AT_ONCE_MAX: usize = 500;

/// A word that names one task or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Numbers of a range, both ends included.
    Numbers(RangeInclusive<u64>),
    /// An id.
    Id(Uuid),
}

/// Reads one word; none where it names no task.
pub fn named(word: &str) -> Option<Named> {
    let number = |text: &str| {
        let text = text.strip_prefix('#').unwrap_or(text);
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|&n| digits && n > 0)
    };
    if let Some(one) = number(word) {
        return Some(Named::Numbers(one..=one));
    }
    if let Some((from, to)) = word.split_once('-')
        && let (Some(from), Some(to)) = (number(from), number(to))
    {
        return (from <= to).then_some(Named::Numbers(from..=to));
    }
    word.parse().ok().map(Named::Id)
}

/// All tasks that words name, each once, in the order they were given.
pub fn all<S: AsRef<str>>(words: &[S]) -> Result<Vec<String>, Failure> {
    let mut tasks: Vec<String> = Vec::new();
    let mut add = |task: String| {
        if !tasks.contains(&task) {
            tasks.push(task);
        }
        if tasks.len() > TASKS_AT_ONCE_MAX {
            return Err(Failure::new(
                Kind::TooLarge,
                "That is too many tasks at once",
                format!("{TASKS_AT_ONCE_MAX} at most"),
                Hint::TASKS,
            ));
        }
        Ok(())
    };
    let parts = words
        .iter()
        .flat_map(|word| word.as_ref().split(','))
        .filter(|part| !part.is_empty());
    for part in parts {
        match named(part) {
            Some(Named::Numbers(mut range)) => {
                range.try_for_each(|number| add(number.to_string()))?;
            }
            Some(Named::Id(id)) => add(id.to_string())?,
            None => {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("`{part}` names no task"),
                    "a task is named by its number, several as 3-5 or 3,7",
                    Hint::TASKS,
                ));
            }
        }
    }
    if tasks.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "No task is named",
            "a task is named by its number, several as 3-5 or 3,7",
            Hint::TASKS,
        ));
    }
    Ok(tasks)
}

/// Whether a whole word, commas included, names tasks.
pub fn names_tasks(word: &str) -> bool {
    let mut parts = word.split(',').filter(|part| !part.is_empty()).peekable();
    parts.peek().is_some() && parts.all(|part| named(part).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ranges_and_ids_name_tasks_each_once() {
        assert_eq!(all(&["3"]).expect("one"), ["3"]);
        assert_eq!(
            all(&["#3", "5-7", "6,9,3"]).expect("some"),
            ["3", "5", "6", "7", "9"]
        );
        let id = "01900000-0000-7000-8000-0000aaaabbbb";
        assert_eq!(all(&[id]).expect("one"), [id]);
        for bad in [
            "",
            ",",
            "0",
            "x",
            "7-5",
            "3-",
            "-3",
            "1-x",
            "+3",
            "1.5",
            "99999999999999999999",
        ] {
            let failure = all(&[bad]).expect_err(bad);
            assert_eq!(failure.exit().code(), 2, "{bad}");
        }
        assert!(all::<&str>(&[]).is_err());
    }

    #[test]
    fn a_range_without_an_end_is_refused_and_not_counted_out() {
        let failure = all(&["1-18446744073709551615"]).expect_err("refused");
        assert_eq!(failure.kind, Kind::TooLarge);
    }

    #[test]
    fn words_of_a_time_name_no_tasks() {
        for word in ["3", "3-5", "3,7", "#3"] {
            assert!(names_tasks(word), "{word}");
        }
        for word in ["10m", "tomorrow", "at", ",", "", "9:30"] {
            assert!(!names_tasks(word), "{word}");
        }
    }
}
