//! Keys as the daemon asks for them: the order of the places, the keychain and
//! its traps, commands, and the encrypted file.

mod command;
#[cfg(target_os = "linux")]
mod keychain;
mod order;
mod sealed;
#[cfg(target_os = "linux")]
mod service;
mod support;
