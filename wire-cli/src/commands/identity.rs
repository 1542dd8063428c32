//! `wire identity`.

use data_encoding::HEXLOWER;
use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::{BackupInfo, IdentityInfo, Restored};

use crate::cli::{BackupArgs, IdentityCommand, RestoreArgs, RotateArgs};
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::output::escape;
use crate::passphrase;
use crate::views::ago;

#[derive(Serialize)]
struct IdentityDoc {
    name: String,
    root: String,
    fingerprint: String,
    /// The key that speaks for it today, in hexadecimal.
    key: String,
    rotations: u32,
    next_key_here: bool,
    /// The recovery file that has the next key.
    backup: Option<BackupDoc>,
    /// Peers that have not acknowledged the last rotation.
    waiting: Vec<String>,
    next: Option<String>,
}

/// A recovery file, as far as it is known here.
#[derive(Serialize)]
pub(crate) struct BackupDoc {
    file: String,
    saved: u64,
    /// Peers that it does not have as they are now.
    missing: Vec<String>,
}

#[derive(Serialize)]
struct RestoredDoc {
    name: String,
    root: String,
    fingerprint: String,
    saved: u64,
    peers: Vec<String>,
    next: String,
}

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, command: &IdentityCommand) -> Result<u8, Failure> {
    match command {
        IdentityCommand::Show => {
            let doc = IdentityDoc::new(ctx, agent, agent.identity().await?);
            ctx.out.show(&doc, IdentityDoc::lines)?;
        }
        IdentityCommand::Backup(args) => backup(ctx, agent, args).await?,
        IdentityCommand::Rotate(args) => rotate(ctx, agent, args).await?,
        // It opens no agent.
        IdentityCommand::Restore(args) => return restore(ctx, args).await,
    }
    Ok(exit::OK)
}

async fn backup(ctx: &Ctx, agent: &Agent, args: &BackupArgs) -> Result<(), Failure> {
    let passphrase = if args.update {
        passphrase::known(ctx, &args.passphrase).await?
    } else {
        passphrase::new(ctx, &args.passphrase).await?
    };
    let info = agent.backup(&args.file, &passphrase, args.update).await?;
    let doc = IdentityDoc::new(ctx, agent, info);
    ctx.out.show(&doc, |doc| format!("✓ the recovery file is written, and was read back\n{}", doc.lines()))
}

async fn rotate(ctx: &Ctx, agent: &Agent, args: &RotateArgs) -> Result<(), Failure> {
    let passphrase = match &args.file {
        Some(_) => Some(passphrase::known(ctx, &args.passphrase).await?),
        None => None,
    };
    // What peers have acknowledged of the last one is fetched first.
    let _ = ctx.settle(agent).await;
    let info = match args.file.as_deref().zip(passphrase.as_ref()) {
        Some((file, passphrase)) => agent.rotate_with(file, passphrase).await?,
        None => agent.rotate().await?,
    };
    let doc = IdentityDoc::new(ctx, agent, info);
    ctx.out.show(&doc, |doc| format!("✓ a new key speaks for this agent\n{}", doc.lines()))
}

/// Makes the agent; nothing of it is opened yet.
pub(crate) async fn restore(ctx: &Ctx, args: &RestoreArgs) -> Result<u8, Failure> {
    let config = ctx.config()?;
    let passphrase = passphrase::known(ctx, &args.passphrase).await?;
    let restored = Agent::restore(&config, &args.file, &passphrase).await?;
    let doc = RestoredDoc::new(ctx, config.name().as_str(), restored);
    ctx.out.show(&doc, RestoredDoc::lines)?;
    Ok(exit::OK)
}

impl IdentityDoc {
    fn new(ctx: &Ctx, agent: &Agent, info: IdentityInfo) -> Self {
        let backup = info.backup.map(BackupDoc::from);
        Self {
            name: agent.name().to_owned(),
            root: info.root.to_string(),
            fingerprint: info.root.fingerprint(),
            key: HEXLOWER.encode(info.key.as_bytes()),
            rotations: info.rotations,
            next: next_backup(ctx, info.next_key_here, backup.as_ref()),
            next_key_here: info.next_key_here,
            backup,
            waiting: info.waiting,
        }
    }

    fn lines(&self) -> String {
        let mut lines = vec![
            format!("{}  {}", escape(&self.name), self.fingerprint),
            format!("root      {}", self.root),
            format!("key       {}, {} before it", self.key, self.rotations),
            next_key_line(self.next_key_here, self.backup.as_ref()),
        ];
        lines.extend(self.backup.as_ref().and_then(BackupDoc::warning));
        if !self.waiting.is_empty() {
            let names: Vec<String> = self.waiting.iter().map(|name| escape(name)).collect();
            lines.push(format!("have not heard of the new key yet: {}", names.join(", ")));
        }
        lines.extend(self.next.iter().map(|next| format!("next: {next}")));
        lines.join("\n")
    }
}

/// Where the key is that may replace the present one.
pub(crate) fn next_key_line(here: bool, backup: Option<&BackupDoc>) -> String {
    match (here, backup) {
        (true, None) => "next key  in next.key beside the store; no recovery file was made".to_owned(),
        (false, None) => "next key  not here".to_owned(),
        (true, Some(backup)) => {
            format!(
                "next key  in next.key beside the store, and in {}, {}",
                escape(&backup.file),
                ago(backup.saved)
            )
        }
        (false, Some(backup)) => format!("next key  in {}, {}", escape(&backup.file), ago(backup.saved)),
    }
}

/// What to do about the recovery file, if anything.
pub(crate) fn next_backup(ctx: &Ctx, here: bool, backup: Option<&BackupDoc>) -> Option<String> {
    match backup {
        None => here.then(|| ctx.wire("identity backup FILE")),
        Some(backup) => (!backup.missing.is_empty()).then(|| ctx.wire("identity backup FILE --update")),
    }
}

impl From<BackupInfo> for BackupDoc {
    fn from(info: BackupInfo) -> Self {
        Self { file: info.file, saved: info.saved.as_millis(), missing: info.missing }
    }
}

impl BackupDoc {
    /// That it is out of date.
    pub(crate) fn warning(&self) -> Option<String> {
        let names: Vec<String> = self.missing.iter().map(|name| escape(name)).collect();
        (!names.is_empty()).then(|| {
            format!("the recovery file is out of date: it does not know {} as of now", names.join(", "))
        })
    }
}

impl RestoredDoc {
    fn new(ctx: &Ctx, name: &str, restored: Restored) -> Self {
        Self {
            name: name.to_owned(),
            root: restored.root.to_string(),
            fingerprint: restored.root.fingerprint(),
            saved: restored.saved.as_millis(),
            peers: restored.peers,
            next: ctx.wire("peers"),
        }
    }

    fn lines(&self) -> String {
        let peers = if self.peers.is_empty() { "no peers".to_owned() } else { self.peers.join(", ") };
        format!(
            "✓ restored {}  {}  as of {}\n{}: without a session; reset each, or pair again\nnext: {}",
            escape(&self.name),
            self.fingerprint,
            ago(self.saved),
            escape(&peers),
            self.next
        )
    }
}
