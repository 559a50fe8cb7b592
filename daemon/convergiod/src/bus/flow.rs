//! An answer as far as it came: readers pull what they have not seen, so what comes faster than
//! one reads is merged for it, and nobody waits for it.

/// Bytes that one reader takes at once.
const TAKE_MAX_BYTES: usize = 32 * 1024;

/// What of an answer a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The answer.
    Text,
    /// The model's reasoning.
    Reasoning,
}

/// How far a reader has read, in one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    part: usize,
    offset: usize,
}

/// How far a reader has read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Durable events up to this one were sent.
    pub(crate) after_seq: u64,
    text: Position,
    reasoning: Position,
}

impl Place {
    /// Behind this event, before any text.
    pub(crate) fn after(seq: u64) -> Self {
        Self {
            after_seq: seq,
            ..Self::default()
        }
    }
}

/// Text that a reader has not seen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) channel: Channel,
    pub(crate) part: u32,
    pub(crate) offset: u64,
    pub(crate) text: String,
}

/// The text of a call in progress. The engine bounds it.
#[derive(Debug, Default)]
pub(super) struct Flow {
    text: Vec<String>,
    reasoning: Vec<String>,
}

impl Flow {
    /// More of a part.
    pub(super) fn append(&mut self, channel: Channel, part: u32, text: &str) {
        let parts = match channel {
            Channel::Text => &mut self.text,
            Channel::Reasoning => &mut self.reasoning,
        };
        let part = part as usize;
        if parts.len() <= part {
            parts.resize(part + 1, String::new());
        }
        parts[part].push_str(text);
    }

    /// How much of the answer there is, without the reasoning.
    pub(super) fn characters(&self) -> usize {
        self.text.iter().map(|part| part.chars().count()).sum()
    }

    /// The next text behind `place`, which then stands behind it.
    pub(super) fn next(&self, place: &mut Place) -> Option<Piece> {
        // A model reasons before it answers.
        take(&self.reasoning, &mut place.reasoning, Channel::Reasoning)
            .or_else(|| take(&self.text, &mut place.text, Channel::Text))
    }
}

fn take(parts: &[String], position: &mut Position, channel: Channel) -> Option<Piece> {
    loop {
        let part = parts.get(position.part)?;
        let rest = part.get(position.offset..).unwrap_or_default();
        if rest.is_empty() {
            if position.part + 1 >= parts.len() {
                return None;
            }
            *position = Position {
                part: position.part + 1,
                offset: 0,
            };
            continue;
        }
        let text = &rest[..rest.floor_char_boundary(TAKE_MAX_BYTES)];
        let piece = Piece {
            channel,
            part: u32::try_from(position.part).unwrap_or(u32::MAX),
            offset: position.offset as u64,
            text: text.to_owned(),
        };
        position.offset += text.len();
        return Some(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flow: &Flow, place: &mut Place) -> Vec<(u32, u64, String)> {
        let pieces = std::iter::from_fn(|| flow.next(place));
        pieces
            .map(|piece| (piece.part, piece.offset, piece.text))
            .collect()
    }

    #[test]
    fn a_reader_gets_what_it_has_not_seen_in_one_piece() {
        let mut flow = Flow::default();
        let (mut quick, mut slow) = (Place::after(1), Place::after(1));
        flow.append(Channel::Text, 0, "Hel");
        assert_eq!(read(&flow, &mut quick), [(0, 0, "Hel".into())]);
        flow.append(Channel::Text, 0, "lo");
        flow.append(Channel::Text, 1, "you");
        let rest = [(0, 3, "lo".into()), (1, 0, "you".into())];
        assert_eq!(read(&flow, &mut quick), rest);
        let all = [(0, 0, "Hello".into()), (1, 0, "you".into())];
        assert_eq!(read(&flow, &mut slow), all);
        assert!(read(&flow, &mut slow).is_empty());
    }

    #[test]
    fn a_long_text_is_taken_in_pieces_between_characters() {
        let mut flow = Flow::default();
        let long = format!("x{}", "é".repeat(TAKE_MAX_BYTES));
        flow.append(Channel::Text, 0, &long);
        let pieces = read(&flow, &mut Place::after(0));
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.2.len() <= TAKE_MAX_BYTES));
        let joined: String = pieces.into_iter().map(|piece| piece.2).collect();
        assert_eq!(joined, long);
    }

    #[test]
    fn reasoning_comes_before_the_answer_and_has_its_own_parts() {
        let mut flow = Flow::default();
        flow.append(Channel::Text, 0, "b");
        flow.append(Channel::Reasoning, 0, "a");
        let mut place = Place::after(0);
        let channels: Vec<_> = std::iter::from_fn(|| flow.next(&mut place))
            .map(|piece| piece.channel)
            .collect();
        assert_eq!(channels, [Channel::Reasoning, Channel::Text]);
    }
}
