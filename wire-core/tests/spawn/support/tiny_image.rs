//! An image of one static program, made without a registry: `/t exit N`, `/t cat`, `/t say OUT ERR`, `/t wait`,
//! `/t flood BYTES`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use wire_core::spawn::docker::client::Client;
use wire_core::spawn::{ImageId, ImageName};

const PROGRAM: &str = r#"
use std::io::{Read, Write};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let arg = |n: usize| args.get(n).map(String::as_str).unwrap_or("");
    match arg(1) {
        "exit" => std::process::exit(arg(2).parse().unwrap()),
        "cat" => { std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).unwrap(); }
        "say" => { print!("{}", arg(2)); eprint!("{}", arg(3)); }
        "wait" => loop { std::thread::sleep(std::time::Duration::from_secs(3600)) },
        "flood" => {
            let mut left: usize = arg(2).parse().unwrap();
            let block = [1u8; 65536];
            let mut out = std::io::stdout().lock();
            while left > 0 {
                let n = left.min(block.len());
                out.write_all(&block[..n]).unwrap();
                left -= n;
            }
        }
        "line" => { let mut b = [0]; while std::io::stdin().read(&mut b).unwrap() == 1 && b[0] != b'\n' {} println!("got it"); }
        other => { eprintln!("{other}?"); std::process::exit(99) }
    }
}
"#;

/// Built once, in `target`: the file's name holds a hash of its source.
fn program() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut hash = DefaultHasher::new();
        PROGRAM.hash(&mut hash);
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tiny-{:x}", hash.finish()));
        if built.exists() {
            return built;
        }
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (source, made) = (folder.path().join("tiny.rs"), folder.path().join("tiny"));
        std::fs::write(&source, PROGRAM).unwrap();
        let done = Command::new("rustc")
            .args(["--edition=2024", "-O", "-Ctarget-feature=+crt-static", "-Cstrip=symbols", "-o"])
            .args([&made, &source])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::rename(made, &built).unwrap();
        built
    })
}

/// The image's archive.
pub fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_path_with_name(program(), "t").unwrap();
    tar.into_inner().unwrap()
}

/// Imports it under a name of its own, to be removed by that.
pub async fn import(client: &Client, name: &str) -> (ImageId, ImageName) {
    let name = ImageName::parse(&format!("wire-test/{name}:{}", std::process::id())).unwrap();
    let labels = [format!("LABEL wire.test={}", std::process::id())];
    let changes: Vec<&str> = labels.iter().map(String::as_str).collect();
    let id = client.image_import(std::io::Cursor::new(archive()), Some(&name), &changes).await.unwrap();
    (id, name)
}
