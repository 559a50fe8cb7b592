//! The command line client.

use std::process::ExitCode;

/// Run by the loader. Once `main` begins it is too late: the standard library has put /dev/null
/// in the place of a closed stdout, and the answer would go nowhere unnoticed.
#[used]
#[cfg_attr(
    not(target_os = "macos"),
    expect(
        unsafe_code,
        reason = "it places a pointer to a function that touches nothing of std"
    ),
    unsafe(link_section = ".init_array")
)]
#[cfg_attr(
    target_os = "macos",
    expect(
        unsafe_code,
        reason = "it places a pointer to a function that touches nothing of std"
    ),
    unsafe(link_section = "__DATA,__mod_init_func")
)]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    convergio_cv::output::closed::look();
}

fn main() -> ExitCode {
    ExitCode::from(convergio_cv::edge::run(std::env::args_os()).code())
}
