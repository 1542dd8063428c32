//! Runs one scenario of `wire_core::testing::constant_time`, and says whether Valgrind is there to watch.

mod valgrind;

use std::process::ExitCode;

use wire_core::testing::constant_time::{self, Checker};

static VALGRIND: valgrind::Memcheck = valgrind::Memcheck;

fn main() -> ExitCode {
    let checker: &'static dyn Checker = &VALGRIND;
    if !valgrind::Memcheck::watches() {
        eprintln!("to be run under valgrind: .ci/run constant");
        return ExitCode::from(2);
    }
    constant_time::check_with(checker);
    match std::env::args().nth(1).as_deref() {
        Some("cpace") => constant_time::cpace(checker),
        Some("session") => constant_time::session(checker),
        Some("leaks") => drop(std::hint::black_box(constant_time::leaks(checker))),
        _ => {
            eprintln!("usage: wire-constant-time cpace|session|leaks");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
