//! Containers with the full hardening, made by the engine's own API as the adapter makes them, and what
//! the attestor says in them.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use wire_core::spawn::seccomp::{Arch, profile};
use wire_core::spawn::{Attestation, Expected};
use wire_shim::evidence::Evidence;
use wire_shim::frame::{Decoder, encode};
use wire_shim::protocol::{FromShim, ToShim};

use super::shim;

/// A container, removed with this.
pub struct Container {
    pub id: String,
}

/// The architecture that the tests run on.
pub fn arch() -> Arch {
    Arch::from_name(std::env::consts::ARCH).expect("an architecture that there is a profile for")
}

/// The engine's request with every default of the hardening. Tests change it where they loosen.
pub fn body(image: &str, argv: &[&str]) -> Value {
    let tmpfs = |size: u64| format!("rw,noexec,nosuid,nodev,size={size},mode=0700,uid=65532,gid=65532");
    json!({
        "Image": image,
        "Entrypoint": argv,
        "Cmd": [],
        "User": "65532:65532",
        "WorkingDir": "/",
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp"],
        "NetworkDisabled": true,
        "StopSignal": "SIGTERM",
        "Healthcheck": { "Test": ["NONE"] },
        "Labels": { "wire-test": "container" },
        "HostConfig": {
            "Privileged": false,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges", format!("seccomp={}", profile(arch()))],
            "ReadonlyRootfs": true,
            "Tmpfs": { "/tmp": tmpfs(64 << 20), "/run/wire": tmpfs(1 << 20) },
            "Memory": 512 << 20,
            "MemorySwap": 512 << 20,
            "NanoCpus": 1_000_000_000,
            "PidsLimit": 256,
            "Ulimits": [
                { "Name": "core", "Soft": 0, "Hard": 0 },
                { "Name": "nofile", "Soft": 1024, "Hard": 1024 },
            ],
            "NetworkMode": "none",
            "IpcMode": "none",
            "CgroupnsMode": "private",
            "RestartPolicy": { "Name": "no" },
            "Mounts": [bind(shim::folder().to_str().unwrap(), "/.wire")],
        },
    })
}

/// A read-only mount of a folder of this machine.
pub fn bind(source: &str, target: &str) -> Value {
    json!({ "Type": "bind", "Source": source, "Target": target, "ReadOnly": true })
}

impl Container {
    pub fn create(body: &Value) -> Self {
        let (status, answer) = call("POST", "/containers/create", Some(body));
        assert_eq!(status, 201, "{answer}");
        Self { id: answer["Id"].as_str().unwrap().to_owned() }
    }

    pub fn start(body: &Value) -> Self {
        let container = Self::create(body);
        let (status, answer) = call("POST", &format!("/containers/{}/start", container.id), None);
        assert_eq!(status, 204, "{answer}");
        container
    }

    /// Runs to the end.
    pub fn run(body: &Value) -> Output {
        let container = Self::create(body);
        docker(&["start", "--attach", &container.id])
    }

    /// Starts it with its first process's input and output here.
    pub fn start_attached(&self) -> Attached {
        let mut command = Command::new("docker");
        command.args(["start", "--attach", "--interactive", &self.id]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the docker command");
        Attached { child, decoder: Decoder::new() }
    }

    pub fn exec(&self, user: &str, argv: &[&str]) -> Output {
        docker(&[&["exec", "--user", user, &self.id], argv].concat())
    }

    /// What the attestor says when the engine starts it in here as this user.
    pub fn attest(&self, user: &str, expected: &Expected) -> (Evidence, Attestation) {
        let nonce = Nonce::new();
        read(&self.exec(user, &[wire_shim::PATH, "attest", &nonce.hex]), &nonce, expected)
    }

    pub fn inspect(&self) -> Value {
        let (status, answer) = call("GET", &format!("/containers/{}/json", self.id), None);
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.id]).output();
    }
}

/// A connection with the shim as the first process. Closing it is not waited for.
pub struct Attached {
    child: Child,
    decoder: Decoder,
}

impl Attached {
    pub fn say(&mut self, message: &ToShim) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(&encode(message).unwrap()).unwrap();
        input.flush().unwrap();
    }

    pub fn hear(&mut self) -> FromShim {
        loop {
            if let Some(message) = self.decoder.message().unwrap() {
                return message;
            }
            let mut bytes = [0; 65536];
            let n = self.child.stdout.as_mut().unwrap().read(&mut bytes).unwrap();
            assert!(n > 0, "the shim has ended");
            self.decoder.feed(&bytes[..n]);
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the attestor says as the first process of a container made from this.
pub fn attest(mut body: Value, expected: &Expected) -> (Evidence, Attestation) {
    let nonce = Nonce::new();
    body["Entrypoint"] = json!([wire_shim::PATH, "attest", nonce.hex]);
    read(&Container::run(&body), &nonce, expected)
}

/// Reads the answer to this nonce.
pub fn read(output: &Output, nonce: &Nonce, expected: &Expected) -> (Evidence, Attestation) {
    assert!(output.status.success(), "{output:?}");
    let attestation = Attestation::read(&output.stdout, &nonce.bytes, expected).unwrap();
    (Evidence::decode(&output.stdout).unwrap(), attestation)
}

/// What is expected of [`body`], and in it the names of its environment.
pub fn expected() -> Expected {
    let mut expected = Expected::default();
    (expected.env, expected.host_namespaces) = (Some(BTreeSet::new()), host_namespaces());
    expected
}

/// The namespaces of this process, which are the host's where the engine is on the same machine.
pub fn host_namespaces() -> std::collections::BTreeMap<String, u64> {
    ["cgroup", "ipc", "mnt", "net", "pid", "uts"]
        .into_iter()
        .filter_map(|kind| {
            let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
            let number = link.to_str()?.split_once('[')?.1.strip_suffix(']')?.parse().ok()?;
            Some((kind.to_owned(), number))
        })
        .collect()
}

pub struct Nonce {
    pub bytes: [u8; 16],
    pub hex: String,
}

impl Nonce {
    pub fn new() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).unwrap();
        Self { bytes, hex: data_encoding::HEXLOWER.encode(&bytes) }
    }
}

pub fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("the docker command")
}

/// One request to the engine, in the plainest HTTP there is: the answer ends with the connection.
pub fn call(method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut socket = UnixStream::connect("/var/run/docker.sock").expect("an engine that runs");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    socket.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body.trim()).unwrap_or(Value::Null))
}
