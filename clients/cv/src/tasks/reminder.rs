//! A reminder that fired, on one line.

use convergio_contract::task::Occurrence;

use super::Here;
use crate::{
    output::{escape, layout::Piece, paint::Role},
    table::{Cell, cell, styled},
};

/// `Fri 20 Nov 09:00 · late · 3 earlier ones`.
pub fn said(occurrence: &Occurrence, here: &Here) -> String {
    let words = here.words;
    let mut said = here.at_ms(occurrence.due_ms);
    if occurrence.late {
        said.push_str(" · ");
        said.push_str(words.late);
    }
    match occurrence.missed {
        0 => {}
        1 => said.push_str(&format!(" · {}", words.earlier_one)),
        many => said.push_str(&format!(" · {many} {}", words.earlier)),
    }
    said
}

/// `#3  Fri 20 Nov 09:00 · late  call Mario`, as a row.
pub fn row(occurrence: &Occurrence, here: &Here) -> Vec<Cell> {
    vec![
        styled(format!("#{}", occurrence.number), Role::Strong),
        cell(said(occurrence, here)),
        cell(occurrence.title.as_str()),
    ]
}

/// The same behind a word, as a line of its own.
pub fn line(label: &str, occurrence: &Occurrence, here: &Here) -> Vec<Piece> {
    vec![
        Piece::new("", format!("{label}:"), Role::Warning),
        Piece::new(" ", format!("#{}", occurrence.number), Role::Strong),
        Piece::new(
            " ",
            escape::line(&occurrence.title).into_owned(),
            Role::Plain,
        ),
        Piece::new(" · ", said(occurrence, here), Role::Dim),
    ]
}
