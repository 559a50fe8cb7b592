//! Colour: decided once, applied by name.

use anstyle::{AnsiColor, Style};
use convergio_contract::finding::Severity;

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// Colour on a terminal, as the environment says.
    #[default]
    Auto,
    /// Colour everywhere.
    Always,
    /// No colour.
    Never,
}

/// What the environment says about colour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColorEnvironment {
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set, not empty and not `0`.
    pub clicolor_force: bool,
    /// `CLICOLOR` is `0`.
    pub clicolor_off: bool,
    /// `TERM` is `dumb`.
    pub dumb: bool,
}

impl ColorEnvironment {
    /// Whether to colour a stream. The flag beats the environment, `NO_COLOR` beats
    /// `CLICOLOR_FORCE`.
    pub const fn decide(&self, choice: ColorChoice, is_terminal: bool) -> bool {
        match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                if self.no_color {
                    false
                } else if self.clicolor_force {
                    true
                } else {
                    is_terminal && !self.dumb && !self.clicolor_off
                }
            }
        }
    }
}

/// What a piece of text is; what it looks like is decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Running text.
    Plain,
    /// A path and line.
    Place,
    /// A severity, or the caret under its cause.
    Severity(Severity),
    /// Gutters, hints, what may be overlooked.
    Dim,
    /// What stands out: titles, states.
    Strong,
    /// Good.
    Good,
    /// Bad.
    Bad,
    /// Worth knowing.
    Warning,
    /// A removed line of a diff.
    Removed,
    /// An added line of a diff.
    Added,
    /// Code in running text, or a block of it.
    Code,
    /// What a writer stresses.
    Emphasis,
}

impl Role {
    const fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::Plain => style,
            Self::Place | Self::Strong => style.bold(),
            Self::Severity(Severity::Critical) | Self::Bad => style
                .bold()
                .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))),
            Self::Severity(Severity::Major) | Self::Warning => {
                style.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)))
            }
            Self::Severity(Severity::Minor) => {
                style.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)))
            }
            Self::Severity(Severity::Nit) | Self::Dim => style.dimmed(),
            Self::Good | Self::Added => {
                style.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)))
            }
            Self::Code => style.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan))),
            Self::Emphasis => style.italic(),
            Self::Removed => style.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))),
        }
    }

    /// The text, coloured where `color` says so.
    pub fn paint(self, text: &str, color: bool) -> String {
        if !color || self == Self::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_beats_the_environment_and_no_color_beats_force() {
        let silent = ColorEnvironment {
            no_color: true,
            clicolor_force: true,
            ..ColorEnvironment::default()
        };
        assert!(!silent.decide(ColorChoice::Auto, true));
        assert!(silent.decide(ColorChoice::Always, false));
        let forced = ColorEnvironment {
            clicolor_force: true,
            dumb: true,
            ..ColorEnvironment::default()
        };
        assert!(forced.decide(ColorChoice::Auto, false));
        assert!(!forced.decide(ColorChoice::Never, true));
        let dumb = ColorEnvironment {
            dumb: true,
            ..ColorEnvironment::default()
        };
        assert!(!dumb.decide(ColorChoice::Auto, true));
        let none = ColorEnvironment::default();
        assert!(none.decide(ColorChoice::Auto, true));
        assert!(!none.decide(ColorChoice::Auto, false));
    }
}
