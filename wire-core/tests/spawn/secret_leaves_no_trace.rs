//! A secret that a container is given, as a file, by standard input and in one program's environment, is nowhere
//! else: not at the engine, not in its log or events, not on a disk, not in what we trace or keep.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::support::ground::{Ground, sh};
use crate::support::hardened::docker;
use crate::support::images;
use crate::support::log::Log;
use serde_json::Value;
use wire_core::spawn::{Outcome, SpawnSpec, Stdin};

/// The files at and below a path that hold the token.
fn holding(path: &Path, token: &[u8]) -> Vec<PathBuf> {
    let Ok(about) = path.symlink_metadata() else { return Vec::new() };
    if about.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        return entries.flat_map(|entry| holding(&entry.path(), token)).collect();
    }
    let mut bytes = Vec::new();
    let read = about.is_file()
        && std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).is_ok();
    if read && has(&bytes, token) { vec![path.to_owned()] } else { Vec::new() }
}

fn has(bytes: &[u8], token: &[u8]) -> bool {
    bytes.windows(token.len()).any(|window| window == token)
}

/// What the command line tool says, both ways.
fn said(args: &[&str]) -> Vec<u8> {
    let done = docker(args);
    [done.stdout, done.stderr].concat()
}

#[tokio::test]
async fn it_is_only_where_it_was_given() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut random = [0; 16];
    getrandom::fill(&mut random).unwrap();
    let token = format!("wire-token-{}", data_encoding::HEXLOWER.encode(&random));
    let secret = token.as_bytes();
    let ground = Ground::new().await;
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let since = now().to_string();

    let spec = SpawnSpec::new(images::busybox()).secret("token", secret).stdin(Stdin::Bytes(secret.to_vec()));
    let line = "cat > /tmp/given; cat /run/wire/token /tmp/given; sleep 1000";
    let sandbox = ground.spawn(spec.cmd(["sh", "-c", line])).await;
    let command = sh("cat /run/wire/token - ; printf $TOKEN; cat /proc/1/environ /proc/1/mem");
    let command = command.env("TOKEN", &token).stdin(Stdin::Bytes(secret.to_vec())).tag("a program");
    let shown = format!("{command:?}");
    let output = sandbox.run(command).await.unwrap();
    assert_eq!(
        output.stdout.text(),
        token.repeat(3),
        "it was given in three ways, and the shim keeps it to itself"
    );
    assert!(matches!(output.outcome, Outcome::Exited(1)), "its memory and environment are not to be read");
    let mode = sandbox.run(sh("stat -c '%a %u' /run/wire /run/wire/token")).await.unwrap().stdout.text();
    assert_eq!(mode, "700 65532\n400 65532\n");

    let id = sandbox.id().to_string();
    let inspected: Value = serde_json::from_slice(&said(&["inspect", &id])).unwrap();
    let layers: Vec<PathBuf> = ["UpperDir", "WorkDir", "MergedDir"]
        .iter()
        .filter_map(|name| inspected[0]["GraphDriver"]["Data"][name].as_str().map(PathBuf::from))
        .collect();
    let process = inspected[0]["State"]["Pid"].as_u64().unwrap();
    let places = || {
        let mut places = vec![
            ("inspect", said(&["inspect", &id])),
            ("logs", said(&["logs", &id])),
            ("top", said(&["top", &id, "-eo", "args"])),
            ("diff", said(&["diff", &id])),
            ("events", said(&["events", "--since", &since, "--until", &(now() + 1).to_string()])),
            ("our log", log.lines().join("\n").into_bytes()),
            (
                "what is shown",
                format!("{shown} {sandbox:?} {:?} {:?}", sandbox.report(), ground.docker).into_bytes(),
            ),
        ];
        for name in ["environ", "cmdline"] {
            let path = format!("/proc/{process}/{name}");
            places.push(("the first process", std::fs::read(path).unwrap_or_default()));
        }
        places
    };
    let root = said(&["info", "--format", "{{.DockerRootDir}}"]);
    let root = Path::new(std::str::from_utf8(&root).unwrap().trim());
    let folders = || {
        let volumes = std::fs::read_dir(root.join("volumes")).into_iter().flatten().flatten();
        let shims = volumes
            .map(|entry| entry.path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("wire-"));
        let own = [root.join("containers").join(&id), ground.home.path().to_owned()];
        layers.iter().cloned().chain(shims).chain(own)
    };
    if layers.is_empty() || !root.join("volumes").is_dir() {
        println!("SKIPPED: the engine's folders are not seen from here");
    }
    let search = |when: &str| {
        for (place, bytes) in places() {
            assert!(!has(&bytes, secret), "{when}: {place}: {}", String::from_utf8_lossy(&bytes));
        }
        for folder in folders() {
            assert_eq!(holding(&folder, secret), Vec::<PathBuf>::new(), "{when}");
        }
    };
    assert!(has(&places()[4].1, b"exec_") || has(&places()[4].1, b"start"), "the events are heard");
    assert!(log.lines().len() > 10, "the log does hear");
    search("while it runs");
    sandbox.kill().await.unwrap();
    search("when it has ended");
    docker(&["rm", "-f", "-v", &id]);
    search("when it is removed");
}

/// A search that finds nothing proves little unless it finds what is there.
#[tokio::test]
async fn what_is_in_the_environment_of_a_container_is_found() {
    let ground = Ground::new().await;
    let sandbox = ground.spawn(SpawnSpec::new(images::busybox()).env("PLAIN", "wire-token-plain")).await;
    assert!(has(&said(&["inspect", sandbox.id().as_str()]), b"wire-token-plain"));
    sandbox.remove().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    std::fs::write(folder.path().join("deep/file"), "x wire-token-plain x").unwrap();
    assert_eq!(holding(folder.path(), b"wire-token-plain"), [folder.path().join("deep/file")]);
}
