//! Whether files are lists of prices, and what they say: `just sign-prices` asks before it signs.

#![expect(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{fs, process::ExitCode};

use convergio_models_remote::PriceFile;

fn main() -> ExitCode {
    let now = jiff::Timestamp::now();
    for path in std::env::args().skip(1) {
        let read = fs::read_to_string(&path).map_err(|error| error.to_string());
        match read.and_then(|text| PriceFile::parse(&text, now).map_err(|error| error.to_string()))
        {
            Ok(file) => {
                let models = file.all().count();
                println!(
                    "{path}: {models} models, of {}, by {}",
                    file.issued, file.publisher
                );
            }
            Err(why) => {
                println!("{path}: {why}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
