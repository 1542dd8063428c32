//! `--json`: one document each, with the keys that programs rely on.

use crate::rig::{Rig, docker};
use serde_json::{Value, json};

fn keys(doc: &Value) -> Vec<&str> {
    doc.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn run_tells_everything_at_the_end() {
    let rig = Rig::new();
    let script = "head -c 2000000 /dev/zero | tr '\\0' x; echo err >&2; exit 3";
    let (doc, code) =
        rig.json(&["run", "--exec-tmp", "--tmp-mount", "/cache:1m", "IMAGE", "--", "sh", "-c", script]);
    assert_eq!(code, 3, "{doc}");
    let want = [
        "attested",
        "exit_code",
        "id",
        "interrupted",
        "name",
        "new",
        "oom_seen",
        "outcome",
        "removed",
        "report",
        "signal",
        "stderr",
        "stdout",
        "timings",
        "v",
        "why",
    ];
    assert_eq!(keys(&doc), want);
    assert_eq!(
        (&doc["outcome"], &doc["exit_code"], &doc["attested"]),
        (&json!("exited"), &json!(3), &json!(true))
    );
    let whole = json!({
        "text": "err\n", "total": 4, "dropped": 0, "lossy": false, "head": null, "tail": null,
    });
    assert_eq!(doc["stderr"], whole);
    assert_eq!(doc["stdout"]["total"], 2_000_000);
    let kept = doc["stdout"]["text"].as_str().unwrap().matches('x').count() as u64;
    assert_eq!(kept + doc["stdout"]["dropped"].as_u64().unwrap(), 2_000_000);
    assert_eq!(doc["report"]["relaxed"], json!([{ "name": "exec_tmp", "detail": null }]));
    assert_eq!((&doc["report"]["limits"]["pids"], &doc["report"]["runtime"]), (&json!(256), &json!("runc")));
    assert!(doc["timings"]["spawn_ms"].is_u64() && doc["timings"]["run_ms"].is_u64());
    rig.has_nothing();
}

#[test]
fn the_others_tell_what_they_did() {
    let rig = Rig::new();
    let name = rig.name.as_str();
    let (doc, _) = rig.json(&["spawn", "--name", name, "IMAGE", "--", "printf", "é\\377"]);
    assert_eq!(keys(&doc), ["attested", "expires", "id", "name", "new", "next", "report", "spawn_ms", "v"]);
    let logs = rig.run(&["--json", "logs", "-f", name]).ok().stdout;
    let lines: Vec<Value> = logs.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<u8> = lines
        .iter()
        .filter_map(|line| line["body"].as_str())
        .flat_map(|body| data_encoding::BASE64.decode(body.as_bytes()).unwrap())
        .collect();
    assert_eq!(
        (said.as_slice(), &lines.last().unwrap()["end"]["outcome"]),
        ("é\u{ff}".as_bytes().get(..2).map(|e| [e, b"\xff"].concat()).unwrap().as_slice(), &json!("exited"))
    );
    // It has ended, so its end is told though nobody waits for it.
    assert_eq!(rig.run(&["--json", "logs", name]).ok().stdout, logs);
    let (doc, code) = rig.json(&["exec", name, "--", "sh", "-c", "echo out; exit 5"]);
    assert_eq!((code, &doc["exit_code"], &doc["stdout"]["text"]), (5, &json!(5), &json!("out\n")));
    let (doc, _) = rig.json(&["exec", name, "--", "printf", "a\\377"]);
    assert_eq!((&doc["stdout"]["lossy"], &doc["stdout"]["head"]), (&json!(true), &json!("Yf8=")));
    let (doc, _) = rig.json(&["ps"]);
    assert_eq!(keys(&doc), ["containers", "engine", "swept", "v"]);
    assert!(doc["engine"]["Engine"].is_string(), "{}", doc["engine"]);
    let container = &doc["containers"][0];
    let want = [
        "created", "exit", "expires", "id", "image", "key", "loosened", "name", "peer", "started", "state",
        "tied",
    ];
    assert_eq!(keys(container), want);
    assert_eq!(container["state"], "running");
    // An image may have more names than one, and any of them is shown.
    let id = |image: &str| docker(&["image", "inspect", "--format", "{{.Id}}", image]);
    assert_eq!(id(container["image"].as_str().unwrap()), id(&rig.image));
    let (doc, code) = rig.json(&["ps", name, "--attest"]);
    assert_eq!((code, &doc["attestation"]["holds"]), (0, &json!(true)));
    let (doc, code) = rig.json(&["stop", name, "no-such-container"]);
    assert_eq!(code, 1, "{doc}");
    let [stopped, missing] = doc["containers"].as_array().unwrap().as_slice() else { panic!("{doc}") };
    assert_eq!((&stopped["name"], &stopped["removed"]), (&json!(name), &json!(true)));
    assert_eq!(
        (&missing["asked"], &missing["error"]["code"]),
        (&json!("no-such-container"), &json!("not_found"))
    );
    rig.has_nothing();
}
