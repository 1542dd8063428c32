//! Asking again for the same program never starts it again.

use std::fs;

use crate::support::{Shim, TOKEN, exited, id, shell};
use wire_shim::protocol::{FromShim, ToShim};

#[test]
fn the_same_id_twice_is_one_start_before_and_after_the_end() {
    let mut shim = Shim::new();
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let mut spec = shell(1, &format!("echo x >>{}; cat", count.display()));
    spec.stdin = true;
    shim.exec(&spec);
    let pid = shim.started(id(1));
    shim.exec(&spec);
    assert_eq!(shim.started(id(1)), pid);
    let mut other = shim.connect();
    other.hello(Some(TOKEN));
    other.exec(&spec);
    assert_eq!(other.started(id(1)), pid);

    shim.send(&ToShim::StdinEnd { exec: id(1), offset: 0 });
    exited(0, &shim.ended(id(1)));
    exited(0, &other.ended(id(1)));
    other.exec(&spec);
    exited(0, &other.ended(id(1)));
    assert_eq!(fs::read_to_string(&count).unwrap(), "x\n");

    shim.send(&ToShim::Forget { req: 1, exec: id(1) });
    shim.find(|message| (*message == FromShim::Done { req: 1 }).then_some(()));
    shim.send(&ToShim::Forget { req: 2, exec: id(1) });
    shim.find(|message| (*message == FromShim::NoExec { exec: id(1), req: Some(2) }).then_some(()));
    spec.stdin = false;
    exited(0, &shim.run(&spec).1);
    assert_eq!(fs::read_to_string(&count).unwrap(), "x\nx\n", "a record that was dropped is no record");
}
