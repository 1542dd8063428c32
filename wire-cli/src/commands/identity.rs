//! `wire identity`.

use data_encoding::HEXLOWER;
use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::IdentityInfo;

use crate::cli::IdentityCommand;
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::output::escape;

#[derive(Serialize)]
struct IdentityDoc {
    name: String,
    root: String,
    fingerprint: String,
    /// The key that speaks for it today, in hexadecimal.
    key: String,
    rotations: u32,
    next_key_here: bool,
    /// Peers that have not acknowledged the last rotation.
    waiting: Vec<String>,
}

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, command: &IdentityCommand) -> Result<u8, Failure> {
    match command {
        IdentityCommand::Show => {
            let doc = IdentityDoc::new(agent, agent.identity().await?);
            ctx.out.show(&doc, IdentityDoc::lines)?;
        }
        IdentityCommand::Rotate => {
            // What peers have acknowledged of the last one is fetched first.
            let _ = ctx.settle(agent).await;
            let doc = IdentityDoc::new(agent, agent.rotate().await?);
            ctx.out.show(&doc, |doc| format!("✓ a new key speaks for this agent\n{}", doc.lines()))?;
        }
    }
    Ok(exit::OK)
}

impl IdentityDoc {
    fn new(agent: &Agent, info: IdentityInfo) -> Self {
        Self {
            name: agent.name().to_owned(),
            root: info.root.to_string(),
            fingerprint: info.root.fingerprint(),
            key: HEXLOWER.encode(info.key.as_bytes()),
            rotations: info.rotations,
            next_key_here: info.next_key_here,
            waiting: info.waiting,
        }
    }

    fn lines(&self) -> String {
        let next = if self.next_key_here { "in next.key beside the store" } else { "not here" };
        let mut lines = vec![
            format!("{}  {}", escape(&self.name), self.fingerprint),
            format!("root      {}", self.root),
            format!("key       {}, {} before it", self.key, self.rotations),
            format!("next key  {next}"),
        ];
        if !self.waiting.is_empty() {
            let names: Vec<String> = self.waiting.iter().map(|name| escape(name)).collect();
            lines.push(format!("have not heard of the new key yet: {}", names.join(", ")));
        }
        lines.join("\n")
    }
}
