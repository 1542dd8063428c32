//! The shim's file programs, run as what they are: programs with standard streams.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{SHIM, nobody, run_tool, told, tool};
use tar::{Builder, EntryType, Header};
use wire_shim::entry::{Entry, Kind, code};
use wire_shim::files::write;
use wire_shim::frame::Decoder;

fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut decoder = Decoder::new();
    decoder.feed(bytes);
    std::iter::from_fn(|| decoder.message().ok().flatten()).collect()
}

#[test]
fn a_folder_comes_out_and_goes_in_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    let long = "n".repeat(180);
    fs::create_dir_all(from.join("a/b").join(&long)).unwrap();
    fs::write(from.join("a/b").join(&long).join("file"), vec![7; 100_000]).unwrap();
    fs::write(from.join("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(from.join("run"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("a/b", from.join("link")).unwrap();
    symlink("../run", from.join("a/up")).unwrap();
    fs::create_dir(from.join("empty")).unwrap();
    let _socket = UnixListener::bind(from.join("socket")).unwrap();

    let (archive, status) = tool(&["tar", from.to_str().unwrap(), "1000000", "100"], b"");
    assert_eq!(status, code::OK);
    let to = folder.path().join("to");
    let (_, status) = tool(&["untar", to.to_str().unwrap(), "1000000", "100"], &archive);
    assert_eq!(status, code::OK);
    assert_eq!(fs::read(to.join("a/b").join(&long).join("file")).unwrap(), vec![7; 100_000]);
    assert_eq!(fs::metadata(to.join("run")).unwrap().mode() & 0o7777, 0o755, "without the set-user bit");
    assert_eq!(
        fs::metadata(to.join("run")).unwrap().mtime(),
        fs::metadata(from.join("run")).unwrap().mtime()
    );
    assert_eq!(fs::read_link(to.join("a/up")).unwrap(), Path::new("../run"));
    assert!(to.join("empty").is_dir() && !to.join("socket").exists());
    // Once more over itself: the same.
    assert_eq!(tool(&["untar", to.to_str().unwrap(), "1000000", "100"], &archive).1, code::OK);

    let file = from.join("run");
    let (archive, status) = tool(&["tar", file.to_str().unwrap(), "100", "1"], b"");
    assert_eq!(status, code::OK);
    let mut archive = tar::Archive::new(archive.as_slice());
    let names: Vec<_> = archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
    assert_eq!(names, [Path::new("run")]);
}

#[test]
fn no_archive_leads_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    let to = folder.path().join("to");
    let entry = |kind, name: &str, link: &str, data: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        // Straight into the header: the library would not write such names.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        (header, data.to_vec())
    };
    let file = |name: &str| entry(EntryType::Regular, name, "", b"x");
    let link = |name: &str, to: &str| entry(EntryType::Symlink, name, to, b"");
    let absolute = outside.to_str().unwrap();
    let hostile = [
        vec![file("../outside")],
        vec![file("a/../../outside")],
        vec![file(absolute)],
        vec![link("l", ".."), file("l/outside")],
        vec![link("l", absolute)],
        vec![link("d/l", "../..")],
        vec![link("d/l1", ".."), link("l2", "d/l1/..")],
        vec![link("l", "d"), file("l/x")],
        vec![entry(EntryType::Link, "h", "../secret", b"")],
        vec![entry(EntryType::Link, "h", "/etc/passwd", b"")],
        vec![link("a/b/c/l", "../../../x"), entry(EntryType::Link, "z", "a/b/c/l", b""), file("z")],
        vec![link("a/l", ".."), entry(EntryType::Link, "z", "a/l", b""), file("z/outside")],
        vec![entry(EntryType::Char, "dev", "", b"")],
        vec![entry(EntryType::Block, "dev", "", b"")],
        vec![entry(EntryType::Fifo, "pipe", "", b"")],
        vec![entry(EntryType::GNUSparse, "sparse", "", b"")],
        vec![file("")],
        vec![entry(EntryType::XHeader, "p", "", b"19 path=../outside\n"), file("fine")],
        vec![entry(EntryType::GNULongName, "n", "", b"../outside\0"), file("fine")],
        vec![entry(EntryType::GNULongLink, "n", "", b"../../etc\0"), link("l", "fine")],
        vec![entry(EntryType::XHeader, "p", "", b"17 size=99999999\n"), file("fine")],
    ];
    fs::write(folder.path().join("secret"), "s").unwrap();
    for (number, entries) in hostile.into_iter().enumerate() {
        let mut builder = Builder::new(Vec::new());
        for (header, data) in &entries {
            builder.append(header, data.as_slice()).unwrap();
        }
        let archive = builder.into_inner().unwrap();
        let (_, status) = tool(&["untar", to.to_str().unwrap(), "1000", "10"], &archive);
        assert_eq!(status, code::REFUSED, "{number}: {:?}", entries[0].0.path_bytes());
        assert!(!outside.exists(), "{number}");
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{number}: {names:?}");
        fs::remove_dir_all(&to).unwrap();
    }
}

#[test]
fn another_name_of_a_link_or_a_file_is_one_of_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(Vec::new());
    let mut entry = |kind, name: &str, to: &str, data: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_path(name).unwrap();
        if !to.is_empty() {
            header.set_link_name(to).unwrap();
        }
        header.set_cksum();
        builder.append(&header, data).unwrap();
    };
    entry(EntryType::Regular, "d/file", "", b"same");
    entry(EntryType::Link, "also", "d/file", b"");
    entry(EntryType::Symlink, "d/l", "file", b"");
    entry(EntryType::Link, "d/m", "d/l", b"");
    let archive = builder.into_inner().unwrap();
    let to = folder.path().join("to");
    assert_eq!(tool(&["untar", to.to_str().unwrap(), "1000", "10"], &archive).1, code::OK);
    assert_eq!(fs::metadata(to.join("also")).unwrap().ino(), fs::metadata(to.join("d/file")).unwrap().ino());
    assert_eq!(fs::read_link(to.join("d/m")).unwrap(), Path::new("file"));
}

#[test]
fn folders_that_may_not_be_written_to_come_with_what_is_in_them() {
    let Some((command, _shim)) = nobody() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut builder = Builder::new(Vec::new());
    let modes = [("closed/", 0o555), ("closed/in/", 0o500)];
    for (name, mode) in modes {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_size(0);
        header.set_mode(mode);
        builder.append_data(&mut header, name, &b""[..]).unwrap();
    }
    for name in ["closed/a", "closed/in/b"] {
        let mut header = Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o444);
        builder.append_data(&mut header, name, &b"x"[..]).unwrap();
    }
    let archive = builder.into_inner().unwrap();
    let to = folder.path().join("to");
    let mut again = Command::new(command.get_program());
    again.args(command.get_args());
    // The second time over what is there by then, and may not be written to.
    for command in [command, again] {
        assert_eq!(run_tool(command, &["untar", to.to_str().unwrap(), "10", "10"], &archive).1, code::OK);
        for (name, mode) in modes {
            assert_eq!(fs::metadata(to.join(name)).unwrap().mode() & 0o7777, mode, "{name}");
        }
        assert_eq!(fs::read(to.join("closed/in/b")).unwrap(), b"x");
    }
}

#[test]
fn what_packs_under_a_cap_unpacks_under_it_however_long_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    let mut deep = from.clone();
    for name in ["a", "b", "c", "d"] {
        deep = deep.join(name.repeat(200));
    }
    fs::create_dir_all(&deep).unwrap();
    for number in 0..2000 {
        symlink("t".repeat(900), deep.join(format!("{number:0>200}"))).unwrap();
    }
    let (archive, status) = tool(&["tar", from.to_str().unwrap(), "0", "2004"], b"");
    assert_eq!(status, code::OK);
    let to = folder.path().join("to");
    assert_eq!(tool(&["untar", to.to_str().unwrap(), "0", "2004"], &archive).1, code::OK);
    assert_eq!(tool(&["untar", to.to_str().unwrap(), "0", "2003"], &archive).1, code::LIMIT);
}

#[test]
fn what_is_over_the_caps_is_not_moved() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fs::create_dir(&from).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(from.join(name), vec![0; 1000]).unwrap();
    }
    let (archive, _) = tool(&["tar", from.to_str().unwrap(), "3000", "3"], b"");
    let to = folder.path().join("to");
    for (bytes, count, status) in
        [("3000", "3", code::OK), ("2999", "3", code::LIMIT), ("3000", "2", code::LIMIT)]
    {
        assert_eq!(tool(&["tar", from.to_str().unwrap(), bytes, count], b"").1, status);
        assert_eq!(tool(&["untar", to.to_str().unwrap(), bytes, count], &archive).1, status);
    }
    // A header that promises a terabyte.
    let mut header = Header::new_gnu();
    header.set_size(1 << 40);
    header.set_path("huge").unwrap();
    header.set_cksum();
    assert_eq!(tool(&["untar", to.to_str().unwrap(), "1000000", "9"], header.as_bytes()).1, code::LIMIT);
    assert!(!to.join("huge").exists());
    // And one that promises more than there is.
    header.set_size(5000);
    header.set_cksum();
    assert_eq!(tool(&["untar", to.to_str().unwrap(), "1000000", "9"], header.as_bytes()).1, code::FAILED);
}

#[test]
fn single_files_are_read_written_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let path = file.to_str().unwrap();
    assert_eq!(tool(&["write", path, "640"], b"0123456789").1, code::OK);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(tool(&["read", path], b"").0, b"0123456789");
    assert_eq!(tool(&["read", path, "4"], b"").0, b"456789");
    assert_eq!(tool(&["read", path, "4", "3"], b"").0, b"456");
    assert_eq!(tool(&["write", path], b"new").1, code::OK);
    assert_eq!(fs::read(&file).unwrap(), b"new");

    symlink("file", folder.path().join("link")).unwrap();
    let listed = entries(&tool(&["list", folder.path().to_str().unwrap()], b"").0);
    let mut kinds: Vec<_> = listed.iter().map(|entry| (entry.name.0.clone(), entry.kind)).collect();
    kinds.sort();
    assert_eq!(kinds, [(b"file".to_vec(), Kind::File), (b"link".to_vec(), Kind::Link)]);
    let stat = entries(&tool(&["stat", path], b"").0);
    assert_eq!((stat[0].size, stat[0].mode, stat[0].kind), (3, 0o644, Kind::File));

    let none = folder.path().join("none");
    assert_eq!(tool(&["read", none.to_str().unwrap()], b"").1, code::MISSING);
    assert_eq!(tool(&["stat", none.to_str().unwrap()], b"").1, code::MISSING);
    assert_eq!(tool(&["read", folder.path().to_str().unwrap()], b"").1, code::FAILED);
    assert_eq!(tool(&["write", "/proc/none/file"], b"").1, code::MISSING);
    assert_eq!(tool(&["unknown"], b"").1, code::USAGE);
    assert_eq!(tool(&["read"], b"").1, code::USAGE);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing unfinished stays: {left:?}");
}

/// A pipe, a socket and, where this user may make one, a device, by path.
fn specials(folder: &Path) -> Vec<PathBuf> {
    let made = |name: &str, kind: &[&str]| {
        let path = folder.join(name);
        let done = Command::new("mknod").arg(&path).args(kind).output().unwrap();
        done.status.success().then_some(path)
    };
    let socket = folder.join("socket");
    drop(UnixListener::bind(&socket).unwrap());
    [made("pipe", &["p"]).unwrap(), socket].into_iter().chain(made("device", &["c", "1", "7"])).collect()
}

#[test]
fn a_pipe_a_socket_or_a_device_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let kind = |path: &Path| path.symlink_metadata().unwrap().file_type();
    for path in specials(folder.path()) {
        let before = kind(&path);
        let (_, said, status) = told(&["write", path.to_str().unwrap()], b"x");
        assert_eq!((status, kind(&path)), (code::REFUSED, before), "{path:?}: {said}");
        assert!(said.contains("has that name, and is not replaced"), "{said}");

        for entry in [EntryType::Regular, EntryType::Symlink] {
            let mut header = Header::new_gnu();
            header.set_entry_type(entry);
            header.set_size(0);
            header.set_mode(0o644);
            header.set_path(path.file_name().unwrap()).unwrap();
            header.set_link_name("elsewhere").unwrap();
            header.set_cksum();
            let archive = [header.as_bytes().as_slice(), &[0; 1024]].concat();
            let (_, said, status) = told(&["untar", folder.path().to_str().unwrap(), "10", "10"], &archive);
            assert_eq!((status, kind(&path)), (code::REFUSED, before), "{path:?}: {said}");
            assert!(said.contains("has that name, and is not replaced"), "{said}");
        }
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_str().unwrap().starts_with('.')), "{names:?}");
}

#[test]
fn an_archive_that_breaks_leaves_the_file_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "old").unwrap();
    let mut header = Header::new_gnu();
    header.set_size(1000);
    header.set_mode(0o644);
    header.set_path("file").unwrap();
    header.set_cksum();
    let broken = [header.as_bytes().as_slice(), &[7; 900]].concat();
    let untar = ["untar", folder.path().to_str().unwrap(), "2000", "10"];
    let (_, said, status) = told(&untar, &broken);
    assert_eq!((status, fs::read(&file).unwrap()), (code::FAILED, b"old".to_vec()), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing unfinished stays");
    let whole = [broken.as_slice(), &[7; 124], &[0; 1024]].concat();
    let (_, said, status) = told(&untar, &whole);
    assert_eq!((status, fs::read(&file).unwrap()), (code::OK, vec![7; 1000]), "{said}");
}

#[test]
fn of_a_link_the_name_is_replaced_and_what_it_points_to_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "old").unwrap();
    symlink("file", &link).unwrap();
    assert_eq!(tool(&["write", link.to_str().unwrap()], b"new").1, code::OK);
    assert!(link.symlink_metadata().unwrap().is_file());
    assert_eq!((fs::read(&file).unwrap(), fs::read(&link).unwrap()), (b"old".to_vec(), b"new".to_vec()));
}

/// A device that is always full, where this user may make one and use it.
#[test]
fn that_there_is_no_room_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    let made = Command::new("mknod").arg(&full).args(["c", "1", "7"]).output();
    let Ok(full) = made.and_then(|_| File::options().write(true).open(&full)) else {
        return println!("SKIPPED: no device can be made here");
    };
    let done =
        Command::new(SHIM).arg("tar").arg(folder.path()).args(["10", "10"]).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(code::FULL.into()), "{done:?}");
}

/// The bytes of an archive with one file.
fn of_one_file(name: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_size(600);
    header.set_mode(0o644);
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    [header.as_bytes().as_slice(), &[0; 1024]].concat()
}

#[test]
fn an_archive_that_does_not_say_where_it_ends_is_cut_off_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let untar = ["untar", folder.path().to_str().unwrap(), "2000", "10"];
    let file = of_one_file("file");
    for (archive, whole) in [
        (&b""[..], false),
        (&file, false),
        (&[file.as_slice(), &[0; 512]].concat(), true),
        (&[file.as_slice(), &[0; 1024]].concat(), true),
        (&[0; 1024], true),
    ] {
        let (_, said, status) = told(&untar, archive);
        let want = if whole { code::OK } else { code::FAILED };
        assert_eq!((status, said.contains("cut off")), (want, !whole), "{} bytes: {said}", archive.len());
    }
}

#[test]
fn what_is_refused_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let (_, said, status) = told(&["untar", path, "2000", "10"], &of_one_file("a/../b"));
    assert_eq!(status, code::REFUSED);
    assert_eq!(said, format!("{path}: a/../b: the archive holds a path that leads up\n"));
}

#[test]
fn a_write_that_is_ended_leaves_nothing_that_is_not_whole() {
    use rustix::process::Signal;
    for (signal, code) in [(Signal::TERM, Some(code::FAILED.into())), (Signal::KILL, None)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "old").unwrap();
        let mut write = Command::new(SHIM).arg("write").arg(&file).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = write.stdin.take().unwrap();
        stdin.write_all(b"ne").unwrap();
        // It reads when it has the file.
        while rustix::io::ioctl_fionread(&stdin).unwrap() > 0 {
            std::thread::yield_now();
        }
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let named = names() > 1;
        rustix::process::kill_process(rustix::process::Pid::from_child(&write), signal).unwrap();
        assert_eq!(write.wait().unwrap().code(), code);
        drop(stdin);
        if code.is_none() && named {
            return println!("SKIPPED: files of this file system have names from the first");
        }
        assert_eq!((fs::read(&file).unwrap(), names()), (b"old".to_vec(), 1));
    }
}

#[test]
fn what_a_killed_write_has_left_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let left = folder.path().join(format!(".file.{}.0", std::process::id()));
    fs::write(&left, "half").unwrap();
    write(&file, 0o600, &mut &b"first"[..]).unwrap();
    // One begins while another one is at it.
    let mut both = Nested(&file);
    write(&file, 0o600, &mut both).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"outer");
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert_eq!(names, [left, file]);
}

/// Writes the same file when it is read first.
struct Nested<'a>(&'a Path);

impl Read for Nested<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if fs::read(self.0)? != b"first" {
            return Ok(0);
        }
        write(self.0, 0o600, &mut &b"inner"[..]).map_err(std::io::Error::other)?;
        into[..5].copy_from_slice(b"outer");
        Ok(5)
    }
}
