//! The menu of a menu bar: [`facts`] are looked up, [`draw`] makes a menu of them in the user's
//! language, [`act`] does what was chosen in it. Only looking up and doing touch anything.

pub(crate) mod act;
pub(crate) mod draw;
pub(crate) mod facts;
mod inert;
pub(crate) mod words;

pub(crate) use draw::draw;
pub(crate) use inert::inert;
pub(crate) use words::{Language, moment};
