//! `cv man`, for packagers.

use std::path::PathBuf;

use crate::{cli, context::Context, error::Failure, exit::Exit, hint::Hint};

/// Writes the manual pages.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The folder to write them to.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Writes one page for `cv` and one for each verb.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let failed =
        |error: std::io::Error| Failure::io("write to", &args.out, &error, Hint::MAKE_FOLDER);
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    let mut command = cli::command();
    // The pages must not depend on the terminal that made them.
    command = command.max_term_width(100);
    clap_mangen::generate_to(command, &args.out).map_err(failed)?;
    context
        .answer
        .say(&format!("Manual pages are in {}", args.out.display()))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_cv_holds_the_exit_codes() {
        let temp = tempfile::tempdir().expect("a folder");
        clap_mangen::generate_to(cli::command(), temp.path()).expect("writes");
        let page = std::fs::read_to_string(temp.path().join("cv.1")).expect("the page");
        assert!(page.contains("124"), "{page}");
        assert!(temp.path().join("cv-review.1").exists());
        assert!(!temp.path().join("cv-man.1").exists());
    }
}
