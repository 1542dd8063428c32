//! A time limit ends everything, is no code of the program's, and is said.

use crate::rig::Rig;

#[test]
fn it_says_that_it_timed_out() {
    let rig = Rig::new();
    let run = ["run", "--timeout", "1s", "IMAGE", "--", "sh", "-c", "echo begun; sleep 1000 & wait"];
    let done = rig.run(&run);
    assert_eq!(done.stdout, "begun\n");
    assert!(done.failed(125).starts_with("timed_out: "));
    let (doc, code) = rig.json(&run);
    assert_eq!(
        (doc["outcome"].as_str(), doc["exit_code"].as_u64(), code),
        (Some("timed_out"), Some(125), 125)
    );
    assert_eq!(doc["stdout"]["text"], "begun\n");
    rig.has_nothing();
}

#[test]
fn one_program_times_out_and_the_container_stays() {
    let rig = Rig::new();
    rig.run(&["spawn", "--name", "NAME", "IMAGE"]).ok();
    let done = rig.run(&["exec", "NAME", "--timeout", "100ms", "--", "sleep", "1000"]);
    assert!(done.failed(125).starts_with("timed_out: "));
    assert_eq!(rig.run(&["exec", "NAME", "--", "echo", "here"]).ok().stdout, "here\n");
}
