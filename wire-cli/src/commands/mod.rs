//! The commands, one file each.

mod ask;
mod demo;
mod identity;
mod inbox;
mod join;
mod log;
mod pair;
mod peers;
mod relay;
mod reset;
mod send;
mod status;
mod watch;
mod work;

use crate::cli::{
    Command, IdentityArgs, IdentityCommand, LogCommand, LogVerify, PeersArgs, PeersCommand, RelayCommand,
};
use crate::exit::Failure;
use crate::home::Ctx;

/// Runs a command; gives the exit code of what went as it should.
pub(crate) async fn run(ctx: &Ctx, command: Command) -> Result<u8, Failure> {
    match command {
        Command::Demo => demo::run(ctx).await,
        Command::Pair(args) => pair::run(ctx, &args).await,
        Command::Relay(args) => match args.command {
            RelayCommand::Serve(args) => relay::serve(ctx, args).await,
        },
        Command::Run(args) => work::run(ctx, &args).await,
        Command::Spawn(args) => work::spawn(ctx, &args).await,
        Command::Exec(args) => work::exec(ctx, &args).await,
        Command::Ps(args) => work::ps(ctx, &args).await,
        Command::Logs(args) => work::logs(ctx, &args).await,
        Command::Cp(args) => work::cp(ctx, &args).await,
        Command::Stop(args) => work::stop(ctx, &args).await,
        Command::Join(args) => join::run(ctx, &args).await,
        Command::Peers(PeersArgs {
            command:
                Some(PeersCommand::Log { command: LogCommand::Verify(LogVerify { file: Some(file), .. }) }),
        }) => log::verify_file(ctx, &file),
        Command::Peers(args) => ctx.with(ctx.open().await?, async |a| peers::run(ctx, a, &args).await).await,
        Command::Send(args) => ctx.with(ctx.open().await?, async |a| send::run(ctx, a, &args).await).await,
        Command::Ask(args) => ctx.with(ctx.open().await?, async |a| ask::run(ctx, a, &args).await).await,
        Command::Inbox(args) => ctx.with(ctx.open().await?, async |a| inbox::run(ctx, a, &args).await).await,
        Command::Watch(args) => ctx.with(ctx.open().await?, async |a| watch::run(ctx, a, &args).await).await,
        Command::Status(args) => {
            ctx.with(ctx.open().await?, async |a| status::run(ctx, a, &args).await).await
        }
        Command::Identity(IdentityArgs { command: IdentityCommand::Restore(args) }) => {
            identity::restore(ctx, &args).await
        }
        Command::Identity(args) => {
            ctx.with(ctx.open().await?, async |a| identity::run(ctx, a, &args.command).await).await
        }
        Command::Revoke(args) => {
            ctx.with(ctx.open().await?, async |a| peers::revoke(ctx, a, &args.peer).await).await
        }
    }
}
