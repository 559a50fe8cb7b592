//! `cv completions`

use clap_complete::Generator;

use crate::{cli, context::Context, error::Failure, exit::Exit};

/// Prints completions for a shell.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Shells with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// nushell
    Nushell,
    /// PowerShell
    Powershell,
}

/// Prints them.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    context.answer.write(&script(args.shell))?;
    context.answer.flush()?;
    Ok(Exit::Ok)
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    use clap_complete::shells;
    match shell {
        Shell::Bash => generated(shells::Bash),
        Shell::Zsh => generated(shells::Zsh),
        Shell::Fish => generated(shells::Fish),
        Shell::Nushell => generated(clap_complete_nushell::Nushell),
        Shell::Powershell => generated(shells::PowerShell),
    }
}

fn generated(generator: impl Generator) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(generator, &mut cli::command(), "cv", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_verb_appears_in_every_shell() {
        for &shell in Shell::value_variants() {
            let script = script(shell);
            for verb in cli::command()
                .get_subcommands()
                .filter(|verb| !verb.is_hide_set())
            {
                assert!(
                    script.contains(verb.get_name()),
                    "{shell:?}: {}",
                    verb.get_name()
                );
            }
        }
    }
}
