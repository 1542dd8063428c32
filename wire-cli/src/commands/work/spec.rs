//! From the command line to a spec.

use std::io::Read as _;
use std::path::Path;

use rustix::process::{getgid, getuid};
use tokio::io::AsyncReadExt as _;
use wire_core::spawn::{
    ImageId, ImageName, Limits, Mount, Network, Pull, Relaxation, Resource, ShimMode, SpawnError, SpawnSpec,
    SpecError, TtySize,
};

use crate::cli::{ContainerArgs, PullArg, Secret, Unlimited, Variable, secret};
use crate::exit::Failure;
use crate::home::Ctx;

/// More of a secret is never read; all of them together may be half of it.
const MAX_SECRET: u64 = 1 << 20;

/// The spec, without command, lifetime, input and terminal.
pub(super) async fn of(ctx: &Ctx, args: &ContainerArgs, stdin: bool) -> Result<SpawnSpec, Failure> {
    // What is wrong whatever engine there is needs none to be told.
    if ImageName::parse(&args.image).is_err() && ImageId::parse(&args.image).is_err() {
        return Err(SpawnError::Spec(vec![SpecError::Image { name: args.image.clone() }]).into());
    }
    let mut spec = SpawnSpec::new(&args.image).limits(limits(args)).pull(match args.pull {
        PullArg::Never => Pull::Never,
        PullArg::Missing => Pull::Missing,
    });
    spec = args.name.iter().fold(spec, SpawnSpec::name);
    spec = args.key.iter().fold(spec, SpawnSpec::key);
    spec = args.labels.iter().fold(spec, |spec, (key, value)| spec.label(key, value));
    spec = args.workdir.iter().fold(spec, SpawnSpec::workdir);
    spec = args.image_env.iter().fold(spec, SpawnSpec::image_env);
    for variable in &args.env {
        spec = spec.env(&variable.name, value(variable)?);
    }
    for bind in &args.mounts {
        let mount = Mount::bind(absolute(&bind.source)?, &bind.target);
        spec = spec.mount(if bind.writable { mount } else { mount.read_only() });
    }
    spec = args.tmp_mounts.iter().fold(spec, |spec, (at, size)| spec.mount(Mount::tmpfs(at, *size)));
    if let Some((uid, gid)) = user(args)? {
        spec = spec.user(uid, gid);
    }
    spec = args.network.iter().fold(spec, |spec, name| spec.network(Network::Named(name.clone())));
    spec = args.runtime.iter().fold(spec, SpawnSpec::runtime);
    spec = relaxations(args).fold(spec, SpawnSpec::relax);
    if args.no_shim {
        spec = spec.shim(ShimMode::Off);
    }
    let secrets: Vec<Secret> = args
        .secrets
        .iter()
        .map(|word| secret(&word.0))
        .collect::<Result<_, _>>()
        .map_err(|wrong| Failure::usage(format!("--secret: {wrong}")).hint("wire run --help"))?;
    let piped = secrets.iter().filter(|secret| secret.file.is_none()).count();
    if piped + usize::from(stdin) > 1 {
        return Err(Failure::usage("standard input can be read once only")
            .hint("give secrets as files, for example --secret key=/dev/fd/3"));
    }
    for secret in &secrets {
        spec = spec.secret(&secret.name, read(ctx, secret).await?);
    }
    Ok(spec)
}

/// A terminal for the program: as large as ours, and of its kind unless the caller says another.
pub(super) fn terminal(spec: SpawnSpec, size: TtySize, env: &[Variable]) -> SpawnSpec {
    match term(env) {
        Some(term) => spec.tty(size).env("TERM", term),
        None => spec.tty(size),
    }
}

/// Our `TERM`, if the caller says none.
pub(super) fn term(env: &[Variable]) -> Option<String> {
    let is_said = env.iter().any(|variable| variable.name == "TERM");
    std::env::var("TERM").ok().filter(|term| !is_said && !term.is_empty())
}

/// The variable's value; without one, that of our own.
pub(super) fn value(variable: &Variable) -> Result<String, Failure> {
    if let Some(value) = &variable.value {
        return Ok(value.clone());
    }
    let name = &variable.name;
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => Failure::usage(format!("the variable {name} is not set here"))
            .hint(format!("set it, or give its value: --env {name}=VALUE")),
        std::env::VarError::NotUnicode(_) => Failure::usage(format!("the variable {name} is no text"))
            .hint("pass binary data by standard input or a file"),
    })
}

fn limits(args: &ContainerArgs) -> Limits {
    let mut limits = Limits::default();
    limits.memory = args.memory.unwrap_or(limits.memory);
    limits.cpus = args.cpus.unwrap_or(limits.cpus);
    limits.pids = args.pids.unwrap_or(limits.pids);
    limits.nofile = args.nofile.unwrap_or(limits.nofile);
    limits.tmpfs = args.tmpfs;
    limits.wall = args.timeout;
    limits
}

fn relaxations(args: &ContainerArgs) -> impl Iterator<Item = Relaxation> {
    let unlimited = args.unlimited.iter().map(|what| {
        Relaxation::Unlimited(match what {
            Unlimited::Memory => Resource::Memory,
            Unlimited::Swap => Resource::Swap,
            Unlimited::Cpu => Resource::Cpu,
            Unlimited::Pids => Resource::Pids,
        })
    });
    let exec_tmp = args.exec_tmp.then_some(Relaxation::ExecTmp);
    let writable_root = args.writable_root.then_some(Relaxation::WritableRoot);
    let shm = args.shm.map(|size| Relaxation::Shm { size });
    exec_tmp.into_iter().chain(writable_root).chain(shm).chain(unlimited)
}

/// Whom programs run as. With a folder of this machine it is who owns this process, so that its files
/// are theirs.
fn user(args: &ContainerArgs) -> Result<Option<(u32, u32)>, Failure> {
    if args.user.is_some() || args.mounts.is_empty() {
        return Ok(args.user);
    }
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    if uid == 0 || gid == 0 {
        return Err(Failure::usage("with --mount programs run as you, and no container runs as root")
            .hint("say whose files they are: --user UID:GID"));
    }
    Ok(Some((uid, gid)))
}

fn absolute(source: &str) -> Result<String, Failure> {
    let absolute = std::path::absolute(source).ok();
    absolute.and_then(|path| path.into_os_string().into_string().ok()).ok_or_else(|| {
        Failure::usage("the folder that we are in is gone, or its name is no text")
            .hint("give --mount an absolute path")
    })
}

async fn read(ctx: &Ctx, secret: &Secret) -> Result<Vec<u8>, Failure> {
    let reading = async {
        match secret.file.clone() {
            None => {
                let mut bytes = Vec::new();
                tokio::io::stdin().take(MAX_SECRET).read_to_end(&mut bytes).await.map(|_| bytes)
            }
            // A named pipe may take its time.
            Some(file) => tokio::task::spawn_blocking(move || read_file(&file))
                .await
                .unwrap_or_else(|error| Err(std::io::Error::other(error))),
        }
        .map_err(|error| {
            Failure::usage(format!("cannot read the secret {}: {error}", secret.name))
                .hint("give a file that can be read, or - for standard input")
        })
    };
    ctx.stop.or(reading).await
}

fn read_file(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(MAX_SECRET).read_to_end(&mut bytes)?;
    Ok(bytes)
}
