//! The fullest log of a whole conversation holds no word of the code and nothing of what was said.

use crate::support::{Running, Side, World};

#[test]
fn the_log_tells_no_secret() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let logged = |side: &Side, args: &[&str]| {
        let mut command = side.command();
        command.env("WIRE_LOG", "trace").args(args);
        Running::start(command)
    };
    let mut pairing = logged(&alice, &["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    let mut joining = logged(&bob, &["join", "-"]);
    joining.type_in(&code);
    let mut log = joining.end().ok().stderr;
    pairing.json();
    log += &pairing.end().ok().stderr;
    log += &logged(&alice, &["send", "bob", "xylophone"]).end().ok().stderr;
    log += &logged(&bob, &["inbox", "--ack", "all"]).end().ok().stderr;
    assert!(log.contains("TRACE"), "{log}");
    let words: Vec<&str> = code.split(['-', '@']).skip(1).take(3).collect();
    // The words of the comparison are shown on purpose; the log is what has a level.
    let log: Vec<&str> =
        log.lines().filter(|line| line.contains("TRACE") || line.contains("DEBUG")).collect();
    for line in log {
        assert!(!line.contains("xylophone"), "{line}");
        // One word alone may be one of the log's own.
        assert!(words.iter().filter(|word| line.contains(*word)).count() < 2, "{words:?}: {line}");
    }
}
