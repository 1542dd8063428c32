//! This process's terminal: its size, and raw while a program has it.

use std::io::{self, stderr, stdin, stdout};

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use wire_core::spawn::TtySize;

use crate::exit::Failure;
use crate::home::Ctx;

/// Where nothing is known of a terminal.
const USUAL: TtySize = TtySize { cols: 80, rows: 24 };

/// Refuses a terminal where the answer is a document.
pub(super) fn check(ctx: &Ctx, wanted: bool) -> Result<(), Failure> {
    if wanted && ctx.out.is_json() {
        return Err(Failure::usage("a terminal has no place in a document").hint("leave out -t or --json"));
    }
    Ok(())
}

/// Our terminal, as a program's. What was set before is set again when this is dropped.
pub(super) struct Terminal {
    before: Option<Termios>,
    changed: Signal,
}

impl Terminal {
    /// With `keys` every key goes to the program, Ctrl-C too, if standard input is a terminal.
    pub(super) fn take(keys: bool) -> io::Result<Self> {
        let changed = signal(SignalKind::window_change())?;
        let before = if keys && isatty(stdin()) { Some(tcgetattr(stdin())?) } else { None };
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        }
        Ok(Self { before, changed })
    }

    /// Waits until it has another size.
    pub(super) async fn resized(&mut self) -> TtySize {
        loop {
            if self.changed.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            if let Some(size) = known_size() {
                return size;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

/// The size of the terminal that we have, or a usual one.
pub(super) fn size() -> TtySize {
    known_size().unwrap_or(USUAL)
}

fn known_size() -> Option<TtySize> {
    let sizes = [tcgetwinsize(stdin()), tcgetwinsize(stdout()), tcgetwinsize(stderr())];
    let known = sizes.into_iter().flatten().find(|size| size.ws_col > 0 && size.ws_row > 0)?;
    Some(TtySize { cols: known.ws_col, rows: known.ws_row })
}
