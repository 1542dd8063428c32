//! When `wire run` is killed, the container ends by itself, and whoever looks next removes it.

use crate::rig::{Rig, docker};

#[test]
fn a_killed_process_leaves_nothing() {
    let rig = Rig::new();
    let mut running = rig.start(&["run", "IMAGE", "--", "sh", "-c", "echo ready; sleep 1000"]);
    assert_eq!(running.line(), "ready");
    let [name] = rig.containers().try_into().unwrap();
    running.kill();
    // The engine says when it has ended.
    docker(&["wait", &name]);
    let done = rig.run(&["ps", "--all"]).ok();
    assert!(
        done.stderr.contains(&format!("removed {name}: the process that it was made for is gone")),
        "{done:?}"
    );
    assert!(done.stdout.starts_with("no containers"), "{done:?}");
    rig.has_nothing();
}
