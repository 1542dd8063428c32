//! The attestor's word comes with the configuration, and again whenever it is asked for.

use std::process::Command;

use crate::support::{Shim, exited, setup, shell, without_rights};
use wire_shim::protocol::{ExecId, FromShim, Refusal, ToShim, exit};

#[test]
fn the_evidence_has_the_nonce_and_comes_before_the_command() {
    let mut shim = Shim::bare();
    let mut setup = setup();
    setup.nonce = Some([0x5a; 16]);
    setup.main = Some(shell(0, "echo main"));
    shim.send(&ToShim::Configure(Box::new(setup)));
    // Sent in one go: it waits for the configuration.
    shim.attach(ExecId::MAIN, 1);
    let FromShim::Configured { evidence } = shim.next() else { panic!("not configured first") };
    assert!(evidence.windows(16).any(|bytes| bytes == [0x5a; 16]));
    let (output, end) = shim.collect(ExecId::MAIN, 1);
    exited(0, &end);
    assert_eq!(output.text(), "main\n");

    shim.send(&ToShim::Attest { req: 3, nonce: [0xa5; 16] });
    let evidence = shim.find(|message| match message {
        FromShim::Evidence { req: 3, evidence } => Some(evidence.clone()),
        FromShim::Evidence { .. } | _ => None,
    });
    assert!(evidence.windows(16).any(|bytes| bytes == [0xa5; 16]));
}

#[test]
fn more_questions_than_can_be_looked_into_are_declined_and_the_container_goes_on() {
    let mut shim = Shim::new();
    for req in 0..20 {
        shim.send(&ToShim::Attest { req, nonce: [3; 16] });
    }
    let (mut seen, mut declined) = (0, 0);
    while seen + declined < 20 {
        match shim.next() {
            FromShim::Evidence { evidence, .. } => {
                assert!(!evidence.is_empty());
                seen += 1;
            }
            FromShim::Declined { why: Refusal::Busy, .. } => declined += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(seen >= 4, "{seen}");
    exited(0, &shim.run(&shell(1, "true")).1);
}

#[test]
fn one_that_cannot_attest_refuses_its_configuration_and_ends() {
    let Some((command, _folder)) = without_rights("61234") else { return };
    let mut alone = Command::new("prlimit");
    alone.arg("--nproc=1").arg(command.get_program()).args(command.get_args());
    let mut shim = Shim::start(alone);
    let mut setup = setup();
    setup.nonce = Some([1; 16]);
    shim.send(&ToShim::Configure(Box::new(setup)));
    assert_eq!(shim.refused(), Some(Refusal::Setup));
    assert_eq!(shim.wait().code(), Some(i32::from(exit::SETUP)));
}
