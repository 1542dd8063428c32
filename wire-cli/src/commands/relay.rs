//! `wire relay serve`: a relay as flags, environment and `relay.toml` describe it.

use std::collections::BTreeMap;
use std::env::VarError;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;
use tokio::net::TcpListener;
use wire_relay::{Limits, OpenError, Relay, RelayConfig, serve as serve_on};

use crate::cli::ServeArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;

/// The name of the relay's configuration file inside the home folder.
const FILE: &str = "relay.toml";
/// The variables of the environment that a relay looks at.
const ENV: [&str; 5] =
    ["WIRE_RELAY_LISTEN", "WIRE_RELAY_DATA", "WIRE_RELAY_HOSTS", "WIRE_RELAY_ALLOW_PLAIN_HTTP", "PORT"];
const KEYS: [&str; 5] = ["listen", "data", "hosts", "allow_plain_http", "limits"];

#[derive(Serialize)]
struct ListeningDoc {
    listening: SocketAddr,
    data: PathBuf,
}

/// Serves until it is told to stop; what is under way then may finish.
pub(crate) async fn serve(ctx: &Ctx, args: ServeArgs) -> Result<u8, Failure> {
    let home = ctx.config()?.home().to_owned();
    let while_stdin = args.while_stdin;
    let mut env = BTreeMap::new();
    for key in ENV {
        match std::env::var(key) {
            Ok(value) if !value.is_empty() => drop(env.insert(key, value)),
            Err(VarError::NotUnicode(_)) => return Err(bad(format!("{key} is not text"))),
            _ => {}
        }
    }
    let config = configure(&home, args, |key| env.get(key).cloned())?;
    let (address, data) = (config.listen, config.data.clone());
    let mut relay = open(&config).await?;
    let mut listener = bind(address).await?;
    let listening = listener.local_addr()?;
    if ctx.out.is_json() {
        ctx.out.show(&ListeningDoc { listening, data }, |_| String::new())?;
    }
    ctx.out.note(format!("listening on {listening}"));
    let stop = ctx.stop.clone();
    let told = async move {
        tokio::select! {
            _ = stop.requested() => {}
            () = end_of_stdin(), if while_stdin => {}
        }
    };
    let mut told = std::pin::pin!(told);
    loop {
        match serve_on(listener, relay, told.as_mut()).await {
            Ok(()) => return Ok(exit::OK),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                ctx.out.note(format!("{error}; the store is opened again"));
                relay = open(&config).await?;
                listener = bind(listening).await?;
            }
            Err(error) => {
                return Err(Failure::said("store", format!("the relay ended: {error}"))
                    .hint("look at the disk, then start it again"));
            }
        }
    }
}

async fn open(config: &RelayConfig) -> Result<Relay, Failure> {
    let config = config.clone();
    tokio::task::spawn_blocking(move || Relay::open(&config))
        .await
        .map_err(|_| Failure::internal("opening the relay failed"))?
        .map_err(not_opened)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|e| not_bound(address, &e))
}

/// Whoever holds the other end lets the relay live, and takes it along however it dies.
async fn end_of_stdin() {
    // An input that cannot be read has ended too.
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}

/// What flags say, else the environment, else the file, else the defaults.
fn configure(
    home: &Path,
    args: ServeArgs,
    env: impl Fn(&str) -> Option<String>,
) -> Result<RelayConfig, Failure> {
    let file = File::read(&home.join(FILE))?;
    let data = args.data.or_else(|| env("WIRE_RELAY_DATA").map(PathBuf::from)).or(file.data);
    let mut config = RelayConfig::new(data.unwrap_or_else(|| home.join("relay"))).limits(file.limits);
    if let Some(listen) = &file.listen {
        config.listen = address(listen)?;
    }
    if let Some(port) = env("PORT") {
        let port = port.parse().map_err(|_| bad(format!("PORT: {port} is not a port")))?;
        config.listen.set_port(port);
    }
    if let Some(listen) = args.listen.or_else(|| env("WIRE_RELAY_LISTEN")) {
        config.listen = address(&listen)?;
    }
    let from_env = || env("WIRE_RELAY_HOSTS").map(|hosts| hosts.split(',').map(str::to_owned).collect());
    let hosts = Some(args.hosts).filter(|hosts| !hosts.is_empty()).or_else(from_env).or(file.hosts);
    let plain = args.allow_plain_http
        || env("WIRE_RELAY_ALLOW_PLAIN_HTTP").map_or(file.allow_plain_http, |value| value == "true");
    if !config.listen.ip().is_loopback() && !plain {
        return Err(bad(format!(
            "{} is beyond this machine, and this relay speaks plain HTTP",
            config.listen
        ))
        .hint("listen on 127.0.0.1 behind a proxy that adds TLS, or say --allow-plain-http"));
    }
    Ok(config.hosts(hosts.unwrap_or_default()))
}

fn address(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| bad(format!("listen: {text} is not an address such as 127.0.0.1:8770")))
}

/// What `relay.toml` says.
#[derive(Debug, Default)]
struct File {
    listen: Option<String>,
    data: Option<PathBuf>,
    hosts: Option<Vec<String>>,
    allow_plain_http: bool,
    limits: Limits,
}

impl File {
    fn read(path: &Path) -> Result<Self, Failure> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|why| bad(format!("{}: {why}", path.display()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(bad(format!("cannot read {}: {e}", path.display()))),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| e.message().to_owned())?;
        let mut file = Self::default();
        for (key, value) in table {
            let wrong = || format!("`{key}` has a value of another kind");
            match key.as_str() {
                "listen" => file.listen = Some(value.as_str().ok_or_else(wrong)?.to_owned()),
                "data" => file.data = Some(value.as_str().ok_or_else(wrong)?.into()),
                "hosts" => file.hosts = Some(value.try_into().map_err(|_| wrong())?),
                "allow_plain_http" => file.allow_plain_http = value.as_bool().ok_or_else(wrong)?,
                "limits" => {
                    for (key, value) in value.as_table().ok_or_else(wrong)? {
                        set_limit(&mut file.limits, key, value)?;
                    }
                }
                _ => return Err(format!("unknown key `{key}`; there are: {}", KEYS.join(", "))),
            }
        }
        Ok(file)
    }
}

fn set_limit(limits: &mut Limits, key: &str, value: &toml::Value) -> Result<(), String> {
    macro_rules! set {
        ($($field:ident)*) => {
            match key {
                $(stringify!($field) => limits.$field = number(key, value)?,)*
                _ => {
                    let known = [$(stringify!($field)),*].join(", ");
                    return Err(format!("unknown key `limits.{key}`; there are: {known}"));
                }
            }
        };
    }
    set!(max_envelope max_pending max_pending_bytes bytes_per_day envelope_life tombstone code_life
        code_linger invite_life claim_lapse quarantine open_places open_codes_per_origin
        open_invites_per_origin missed_claims_per_minute creates_per_minute work_bits tracked_origins
        tracked_quotas cached_certificates);
    Ok(())
}

fn number<T: TryFrom<i64>>(key: &str, value: &toml::Value) -> Result<T, String> {
    let number = value.as_integer().and_then(|n| T::try_from(n).ok());
    number.ok_or_else(|| format!("`limits.{key}` is not a number that fits"))
}

fn bad(message: String) -> Failure {
    Failure::said("bad_config", message).hint("correct it and start again")
}

fn not_opened(error: OpenError) -> Failure {
    let code = match &error {
        OpenError::Newer(_) => "store_newer",
        OpenError::Corrupt { .. } => "store_corrupt",
        OpenError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => "disk_full",
        _ => "store",
    };
    Failure::said(code, error.to_string()).hint(error.hint())
}

fn not_bound(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::said("listen", format!("cannot listen on {address}: {error}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => failure.hint("does a relay run already? or choose another: --listen"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(toml: &str, env: &[(&str, &str)], args: ServeArgs) -> Result<RelayConfig, String> {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), toml).unwrap();
        let env = |key: &str| env.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned());
        configure(home.path(), args, env).map_err(|failure| match failure {
            Failure::Said { code, message, .. } => format!("{code}: {message}"),
            other => panic!("{other:?}"),
        })
    }

    fn listen(toml: &str, env: &[(&str, &str)], flag: Option<&str>) -> String {
        let args = ServeArgs { listen: flag.map(str::to_owned), ..ServeArgs::default() };
        configured(toml, env, args).map_or_else(|e| e, |c| c.listen.to_string())
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let file = "listen = '127.0.0.1:2'";
        let env = [("WIRE_RELAY_LISTEN", "127.0.0.1:3"), ("PORT", "4")];
        assert_eq!(listen("", &[], None), "127.0.0.1:8770");
        assert_eq!(listen(file, &[], None), "127.0.0.1:2");
        assert_eq!(listen(file, &env[1..], None), "127.0.0.1:4");
        assert_eq!(listen(file, &env, None), "127.0.0.1:3");
        assert_eq!(listen(file, &env, Some("127.0.0.1:5")), "127.0.0.1:5");
    }

    #[test]
    fn plain_http_beyond_this_machine_has_to_be_allowed() {
        assert!(listen("", &[], Some("0.0.0.0:80")).starts_with("bad_config: 0.0.0.0:80 is beyond"));
        assert_eq!(listen("allow_plain_http = true", &[], Some("0.0.0.0:80")), "0.0.0.0:80");
        let env = [("WIRE_RELAY_ALLOW_PLAIN_HTTP", "true")];
        assert_eq!(listen("", &env, Some("[::]:80")), "[::]:80");
    }

    #[test]
    fn limits_and_hosts_come_from_the_file_and_typos_are_found() {
        let toml = "hosts = ['Relay.example.org']\n[limits]\nmax_pending = 7\ncode_life = 1000";
        let config = configured(toml, &[], ServeArgs::default()).unwrap();
        assert_eq!((config.limits.max_pending, config.limits.code_life), (7, 1000));
        assert_eq!(config.hosts, ["relay.example.org"]);
        for (toml, fault) in [
            ("lisen = ''", "unknown key `lisen`"),
            ("listen = 1", "another kind"),
            ("listen = 'here'", "is not an address"),
            ("[limits]\nmax = 1", "unknown key `limits.max`"),
            ("[limits]\nmax_pending = -1", "not a number that fits"),
            ("=", "relay.toml"),
        ] {
            let error = configured(toml, &[], ServeArgs::default()).unwrap_err();
            assert!(error.starts_with("bad_config: ") && error.contains(fault), "{toml}: {error}");
        }
    }
}
