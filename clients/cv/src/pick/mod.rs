//! Launchers that show a list of others: rofi, dmenu, Alfred, Raycast. Pure but for `terminal`.

pub mod chosen;
pub mod list;
pub mod terminal;
