//! The passphrase of a recovery file: typed unseen, or from a file, or piped in; never an argument or a variable.

use std::io::{IsTerminal as _, Read as _, stdin};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use wire_core::agent::Error;
use wire_core::recovery::{Passphrase, RecoveryError};

use crate::cli::PassphraseArgs;
use crate::exit::Failure;
use crate::home::Ctx;

/// More is never read: no passphrase is that long.
const MAX_FILE: u64 = 4096;

/// The passphrase of a file that is there.
pub(crate) async fn known(ctx: &Ctx, args: &PassphraseArgs) -> Result<Passphrase, Failure> {
    ctx.stop.or(get(ctx, args, false)).await
}

/// One for a new file: strong, and typed twice.
pub(crate) async fn new(ctx: &Ctx, args: &PassphraseArgs) -> Result<Passphrase, Failure> {
    let passphrase = ctx.stop.or(get(ctx, args, true)).await?;
    passphrase.check_strength().map_err(refused)?;
    Ok(passphrase)
}

async fn get(ctx: &Ctx, args: &PassphraseArgs, is_new: bool) -> Result<Passphrase, Failure> {
    if let Some(path) = &args.path {
        return parse(read(path)?);
    }
    if !stdin().is_terminal() {
        return parse(ctx.raw_line().await?);
    }
    let first = typed(ctx, if is_new { "New passphrase: " } else { "Passphrase: " }).await?;
    if is_new && typed(ctx, "The same again: ").await? != first {
        return Err(Failure::usage("the two are not the same").hint("try again; nothing was written"));
    }
    parse(first)
}

fn read(path: &Path) -> Result<String, Failure> {
    let cannot = |e: std::io::Error| {
        Failure::usage(format!("cannot read {}: {e}", path.display()))
            .hint("give a file with the passphrase in UTF-8")
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_string(&mut text))
        .map_err(cannot)?;
    Ok(text)
}

/// One line end behind it is none of it.
fn parse(mut text: String) -> Result<Passphrase, Failure> {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(Failure::usage("no passphrase was given")
            .hint("type it, give --passphrase-file PATH, or pipe it in"));
    }
    Passphrase::new(text).map_err(refused)
}

fn refused(error: wire_core::recovery::PassphraseError) -> Failure {
    Failure::from(Error::Recovery(RecoveryError::Passphrase(error)))
}

/// A line that the terminal does not show.
async fn typed(ctx: &Ctx, prompt: &str) -> Result<String, Failure> {
    let silent = Silent::take()?;
    ctx.out.prompt(prompt);
    let line = ctx.raw_line().await;
    drop(silent);
    // The end of the line was not shown either.
    ctx.out.prompt("\n");
    line
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Silent(Termios);

impl Silent {
    fn take() -> Result<Self, Failure> {
        let cannot = |e| Failure::internal(format!("cannot hide what is typed: {e}"));
        let before = tcgetattr(stdin()).map_err(cannot)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Flush, &hidden).map_err(cannot)?;
        Ok(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
