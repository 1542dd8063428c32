//! Files and folders go in and out, as archives too; what leads out of its folder does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::rig::Rig;

#[test]
fn files_and_folders_go_both_ways() {
    let rig = Rig::new();
    rig.run(&["spawn", "--name", "NAME", "IMAGE"]).ok();
    let here = tempfile::tempdir().unwrap();
    let path = |name: &str| here.path().join(name).to_str().unwrap().to_owned();
    let there = |path: &str| format!("NAME:{path}");
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 253) as u8).collect();
    fs::write(path("file"), &bytes).unwrap();
    fs::set_permissions(path("file"), fs::Permissions::from_mode(0o755)).unwrap();

    let (doc, code) = rig.json(&["cp", &path("file"), &there("/tmp/")]);
    assert_eq!((code, doc["bytes"].as_u64()), (0, Some(1_000_000)), "{doc}");
    rig.run(&["cp", &there("/tmp/file"), &path("back")]).ok();
    assert!(fs::read(path("back")).unwrap() == bytes);
    assert_eq!(fs::metadata(path("back")).unwrap().permissions().mode() & 0o777, 0o755);

    fs::create_dir_all(path("tree/inner")).unwrap();
    fs::write(path("tree/inner/a"), "a\n").unwrap();
    std::os::unix::fs::symlink("inner/a", path("tree/link")).unwrap();
    rig.run(&["cp", &path("tree"), &there("/tmp/tree")]).ok();
    assert_eq!(rig.run(&["exec", "NAME", "--", "cat", "/tmp/tree/link"]).ok().stdout, "a\n");
    rig.run(&["cp", &there("/tmp/tree"), &path("tree-back")]).ok();
    assert_eq!(fs::read_to_string(path("tree-back/link")).unwrap(), "a\n");

    let archive = rig.bytes(&["cp", &there("/tmp/tree"), "-"], b"");
    assert!(archive.status.success(), "{archive:?}");
    let put = rig.bytes(&["cp", "-", &there("/tmp/again")], &archive.stdout);
    assert!(put.status.success(), "{put:?}");
    assert_eq!(rig.run(&["exec", "NAME", "--", "cat", "/tmp/again/inner/a"]).ok().stdout, "a\n");
}

#[test]
fn nothing_leaves_its_folder_and_nothing_half_done_is_success() {
    let rig = Rig::new();
    rig.run(&["spawn", "--name", "NAME", "IMAGE"]).ok();
    let here = tempfile::tempdir().unwrap();
    let into = here.path().join("into");
    let into = into.to_str().unwrap();
    rig.run(&["exec", "NAME", "--", "sh", "-c", "mkdir /tmp/evil; ln -s /etc /tmp/evil/out"]).ok();
    let said = rig.run(&["cp", "NAME:/tmp/evil", into]).failed(6);
    assert!(said.contains("a link that leads out"), "{said}");
    rig.run(&["exec", "NAME", "--", "sh", "-c", "echo x > /tmp/open; chmod 777 /tmp/open"]).ok();
    rig.run(&["cp", "NAME:/tmp/open", into]).ok();
    let mode = fs::metadata(format!("{into}/open")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "others may not write what was copied");

    for (args, code, what) in [
        (["cp", "NAME:/no/such", into], 1, "not_found"),
        (["cp", into, "NAME:/etc/x"], 6, "denied"),
        (["cp", "NAME:relative", into], 2, "usage"),
        (["cp", "a", "b"], 2, "usage"),
        (["cp", "nobody:/a", into], 1, "not_found"),
    ] {
        let (doc, got) = rig.json(&args);
        assert_eq!((got, doc["error"]["code"].as_str()), (code, Some(what)), "{args:?}: {doc}");
    }
    let large = here.path().join("large");
    fs::File::create(&large).unwrap().set_len(65 << 20).unwrap();
    let (doc, code) = rig.json(&["cp", large.to_str().unwrap(), "NAME:/tmp/large"]);
    assert_eq!((code, doc["error"]["code"].as_str()), (7, Some("disk_full")), "{doc}");
    assert!(doc["error"]["hint"].as_str().unwrap().contains("a larger /tmp"), "{doc}");
    // The limit holds both ways, of a file, of one that says no length, and of a folder.
    fs::create_dir(here.path().join("folder")).unwrap();
    fs::write(here.path().join("folder/two"), "xx").unwrap();
    let folder = here.path().join("folder");
    for from in ["NAME:/tmp/open", large.to_str().unwrap(), "/proc/cpuinfo", folder.to_str().unwrap()] {
        let to = if from.starts_with("NAME") { into } else { "NAME:/tmp/limited" };
        let (doc, code) = rig.json(&["cp", "--limit", "1", from, to]);
        assert_eq!((code, doc["error"]["code"].as_str()), (7, Some("too_large")), "{from}: {doc}");
    }
    // What was moved is counted, not what was announced.
    let (doc, _) = rig.json(&["cp", "/proc/version", "NAME:/tmp/version"]);
    assert_eq!(doc["bytes"].as_u64(), Some(fs::read("/proc/version").unwrap().len() as u64), "{doc}");
}
