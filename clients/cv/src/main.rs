//! The command line client.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(convergio_cv::edge::run(std::env::args_os()).code())
}
