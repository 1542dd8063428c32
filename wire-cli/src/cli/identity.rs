//! `wire identity`: who the agent is, and what is kept for the day on which its machine is lost.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SUB_HELP;

const BACKUP_HELP: &str = "\
The first file moves the key that may replace the present one: when the file is
on its disk and was read back, next.key is erased. From then on whoever steals
this machine alone cannot rotate, and you rotate with the file. Keep it
elsewhere, and not with its passphrase; a copy is as good. It has no messages
and no sessions. --update keeps its passphrase.

The passphrase is asked for twice, or read from --passphrase-file, or from the
first line of standard input. It has 12 characters or more.

Exit codes: 1 not a file of this agent, or no next key; 2 FILE is there, or the
passphrase is weak or wrong.

Example
  wire identity backup /media/stick/alice.wire";

const ROTATE_HELP: &str = "\
When the present key may be known to somebody else. The name and every pairing
stay. A thief of the present key cannot do this: it takes the next key, which is
in next.key or in the recovery file. The file is replaced by one that belongs to
the new key; other copies of the old one are of no use any more. After a crash
do it again.
What is sent to a peer waits until that peer has acknowledged the new key.

Exit codes: 0 the new key is in force; 1 no next key here, or it is in a file;
2 wrong passphrase; 6 a pairing or the last rotation is not complete.

Example
  wire identity rotate --file /media/stick/alice.wire";

const RESTORE_HELP: &str = "\
It is who it was, with its peers, and without a session to any of them: reset
each session (wire peers reset NAME) or pair again, which keeps the name. Only
where there is no agent of this name. The key that may replace the present one
stays in FILE. If the old machine may be in other hands, rotate first. Restore
in one place only, and never beside the original: peers take both for one.

Exit codes: 1 not a recovery file; 2 there is an agent, or wrong passphrase.

Example
  wire --as alice identity restore /media/stick/alice.wire";

#[derive(Args, Debug)]
pub(crate) struct IdentityArgs {
    #[command(subcommand)]
    pub(crate) command: IdentityCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Its name, the key that speaks for it, and where the next one is.
    #[command(help_template = SUB_HELP, after_help = "Example\n  wire identity show --json")]
    Show,
    /// Write an encrypted recovery file: identity, next key, and peers.
    #[command(help_template = SUB_HELP, after_help = BACKUP_HELP)]
    Backup(BackupArgs),
    /// Put the next key in the place of the present one, and tell every peer.
    #[command(help_template = SUB_HELP, after_help = ROTATE_HELP)]
    Rotate(RotateArgs),
    /// Make the agent again from its recovery file.
    #[command(help_template = SUB_HELP, after_help = RESTORE_HELP)]
    Restore(RestoreArgs),
}

#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The file to write; never overwrites one
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// FILE is a recovery file of this agent: bring it up to date
    #[arg(long)]
    pub(crate) update: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RotateArgs {
    /// The recovery file that has the next key
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    /// The recovery file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PassphraseArgs {
    /// Read the passphrase from this file instead of asking for it
    #[arg(long = "passphrase-file", value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
}
