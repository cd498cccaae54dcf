//! Enters private machines for real, as the user who runs the tests and, when that is root, as an ordinary user too.
//!
//! A process can enter once and only while it has one thread, so every case is a process of its own: this program
//! started again with the case's name. It is also the harness: `cargo test -p cs-sandbox --test it -- NAME` filters.
//! A kernel that refuses namespaces fails the tests, with the reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is a test, which clippy cannot see without the ordinary harness"
)]

mod inside;
mod outside;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--inside", case, folder] => inside::play(case, folder.as_ref()),
        _ => outside::play_all(
            arguments.iter().find(|argument| !argument.starts_with('-')).map(String::as_str),
        ),
    }
}
