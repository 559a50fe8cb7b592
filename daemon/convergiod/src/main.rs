//! The program: `convergiod`.

use std::process::ExitCode;

fn main() -> ExitCode {
    convergiod::program::run()
}
