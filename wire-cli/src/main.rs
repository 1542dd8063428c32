//! The command `wire`.

use std::process::ExitCode;

fn main() -> ExitCode {
    wire_cli::run(std::env::args_os())
}
