//! A relay in one program: `cargo run --example relay [DIRECTORY]`, ended by Ctrl-C. Agents on this
//! machine find it by themselves. `--once`: any port, prove the key to ourselves, end.
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wire_core::mailbox::{Challenge, RelayProof};
use wire_relay::{Relay, RelayConfig, serve};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let argument = std::env::args().nth(1);
    let once = argument.as_deref() == Some("--once");
    let scratch = tempfile::tempdir()?;
    let config =
        RelayConfig::new(argument.filter(|_| !once).map_or(scratch.path().into(), std::path::PathBuf::from));
    let relay = Relay::open(&config)?;
    let listener = TcpListener::bind(if once { "127.0.0.1:0".parse()? } else { config.listen }).await?;
    let host = listener.local_addr()?.to_string();
    println!("http://{host} keeps everything in {}", config.data.display());
    if !once {
        return Ok(serve(listener, relay, async { drop(tokio::signal::ctrl_c().await) }).await?);
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(serve(listener, relay.clone(), async { drop(stopped.await) }));
    let challenge = Challenge::random(&mut rand_core::UnwrapErr(getrandom::SysRng));
    let (question, mut answer) = (challenge.to_text(), Vec::new());
    let head = format!("GET /v1/relay?c={question} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let mut socket = TcpStream::connect(&host).await?;
    socket.write_all(head.as_bytes()).await?;
    socket.read_to_end(&mut answer).await?;
    let body = answer.windows(4).position(|at| at == b"\r\n\r\n").map_or(0, |at| at + 4);
    let info = RelayProof::from_bytes(&answer[body..])?.verify(&challenge, &host)?;
    anyhow::ensure!(info.relay_id == relay.relay_id(), "another relay answered");
    println!("it proved to be {:?}", info.relay_id);
    drop(stop);
    Ok(running.await??)
}
