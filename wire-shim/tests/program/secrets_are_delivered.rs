//! Secrets are files for the container's user alone, there before anything runs, or nothing runs.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::support::{Shim, exited, setup, shell};
use wire_shim::protocol::{ExecId, Refusal, SecretFile, ToShim, exit};

fn file(name: &str) -> SecretFile {
    SecretFile { name: name.into(), bytes: b"s3cret".to_vec() }
}

#[test]
fn the_command_finds_them() {
    let mut shim = Shim::bare();
    let path = shim.run_dir.path().join("invite");
    let mut setup = setup();
    setup.files = vec![file("invite"), file("other")];
    setup.main = Some(shell(0, &format!("cat {}", path.display())));
    shim.configure(setup);
    shim.attach(ExecId::MAIN, 1);
    let (output, end) = shim.collect(ExecId::MAIN, 1);
    exited(0, &end);
    assert_eq!(output.text(), "s3cret");
    assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o400);
}

#[test]
fn one_that_cannot_be_written_ends_it_all() {
    for name in ["", "..", "a/b", "/etc/x", "taken", "link"] {
        let mut shim = Shim::bare();
        let folder = shim.run_dir.path().to_owned();
        fs::write(folder.join("taken"), "").unwrap();
        symlink(folder.join("elsewhere"), folder.join("link")).unwrap();
        let mut setup = setup();
        setup.files = vec![file(name)];
        let marker = folder.join("ran");
        setup.main = Some(shell(0, &format!("touch {}", marker.display())));
        shim.send(&ToShim::Configure(Box::new(setup)));
        assert_eq!(shim.refused(), Some(Refusal::Setup), "{name:?}");
        assert!(!folder.join("elsewhere").exists() && !marker.exists());
        assert_eq!(shim.wait().code(), Some(i32::from(exit::SETUP)));
    }
}
