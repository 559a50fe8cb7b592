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

/// How the generated scripts end: what only the daemon knows is asked in front of it.
const BASH_END: &str = "if [[ \"${BASH_VERSINFO[0]}\" -eq 4 && \"${BASH_VERSINFO[1]}\"";
const ZSH_END: &str = "if [ \"$funcstack[1]\" = \"_cv\" ]; then";

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    use clap_complete::shells;
    match shell {
        Shell::Bash => {
            let script = generated(shells::Bash);
            let known = script.find(BASH_END).unwrap_or(script.len());
            let (rest, end) = script.split_at(known);
            let end = end.replace("-F _cv ", "-F _cv_and_known ");
            format!("{rest}{}\n{end}", include_str!("complete.bash"))
        }
        Shell::Zsh => {
            let script = generated(shells::Zsh);
            let script = script.replacen("\n_cv() {", "\n_cv_rest() {", 1);
            let known = script.find(ZSH_END).unwrap_or(script.len());
            let (rest, end) = script.split_at(known);
            format!("{rest}{}{end}", include_str!("complete.zsh"))
        }
        Shell::Fish => generated(shells::Fish) + include_str!("complete.fish"),
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
    fn tasks_are_completed_where_the_generator_left_its_marks() {
        let bash = script(Shell::Bash);
        assert_eq!(bash.matches("complete -F _cv_and_known").count(), 2);
        assert_eq!(bash.matches("complete -F _cv ").count(), 0);
        assert!(bash.find("_cv_and_known() {") < bash.find(BASH_END));
        let zsh = script(Shell::Zsh);
        assert_eq!(zsh.matches("\n_cv_rest() {").count(), 1);
        assert_eq!(zsh.matches("\n_cv() {").count(), 1);
        assert!(zsh.find("\n_cv() {") < zsh.find(ZSH_END));
        assert!(script(Shell::Fish).contains("__fish_cv_known tasks"));
    }

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
