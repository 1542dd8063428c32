//! Network file systems are refused: locks on them fail silently, and SQLite's log needs shared memory.

use std::path::Path;

use super::StoreError;

/// Errs if `dir` is on a file system that other machines may hold too. Checked on Linux only.
#[cfg(target_os = "linux")]
pub(super) fn refuse(dir: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt as _;

    let error = |kind: &str| StoreError::NetworkFileSystem { path: dir.to_owned(), kind: kind.to_owned() };
    let stat = rustix::fs::statfs(dir).map_err(|e| StoreError::io(dir, e.into()))?;
    // Magic numbers are 32 bits wide; the field is signed on some machines.
    match kind(stat.f_type as u32) {
        Kind::Local => Ok(()),
        Kind::Network(name) => Err(error(name)),
        Kind::Fuse => {
            let meta = std::fs::metadata(dir).map_err(|e| StoreError::io(dir, e))?;
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
            match remote_fuse(&mounts, major, minor) {
                Some(name) => Err(error(name)),
                None => Ok(()),
            }
        }
    }
}

/// Errs if `dir` is on a file system that other machines may hold too. Checked on Linux only.
#[cfg(not(target_os = "linux"))]
pub(super) fn refuse(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(target_os = "linux")]
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Local,
    Network(&'static str),
    Fuse,
}

/// Values of `linux/magic.h` and of the file systems' own sources.
#[cfg(target_os = "linux")]
fn kind(magic: u32) -> Kind {
    Kind::Network(match magic {
        0x6969 => "nfs",
        0x517b => "smb",
        0xff53_4d42 => "cifs",
        0xfe53_4d42 => "smb2",
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x7375_7245 => "coda",
        0x564c => "ncp",
        0x00c3_6400 => "ceph",
        0x0bd0_0bd3 => "lustre",
        0x7461_636f => "ocfs2",
        0x4750_4653 => "gpfs",
        0x6573_5546 => return Kind::Fuse,
        _ => return Kind::Local,
    })
}

/// The name of a FUSE file system that is backed by a network, in the format of proc(5) `mountinfo`.
///
/// Others, such as the overlays of rootless containers, are local.
#[cfg(target_os = "linux")]
fn remote_fuse(mounts: &str, major: u32, minor: u32) -> Option<&'static str> {
    const REMOTE: [&str; 14] = [
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.goofys",
        "fuse.mount-s3",
        "fuse.blobfuse2",
        "fuse.davfs",
        "fuse.glusterfs",
        "fuse.ceph-fuse",
        "fuse.curlftpfs",
        "fuse.juicefs",
        "fuse.seaweedfs",
        "fuse.smbnetfs",
    ];
    let device = format!("{major}:{minor}");
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&*device))?;
    let found = mount.split_once(" - ")?.1.split(' ').next()?;
    REMOTE.into_iter().find(|name| *name == found)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_of_this_machine_is_told_apart_from_remote_ones() {
        assert_eq!(kind(0xef53), Kind::Local);
        assert_eq!(kind(0x0102_1994), Kind::Local);
        for (magic, name) in [(0x6969, "nfs"), (0xff53_4d42, "cifs"), (0x0102_1997, "9p")] {
            assert_eq!(kind(magic), Kind::Network(name));
        }
        assert_eq!(kind(0x6573_5546), Kind::Fuse);
    }

    #[test]
    fn fuse_is_judged_by_what_is_mounted() {
        let mounts = "22 1 0:20 / / rw,relatime - fuse.fuse-overlayfs fuse-overlayfs rw\n\
                      23 22 0:47 / /mnt/my\\040files rw shared:3 - fuse.sshfs me@host: rw\n";
        assert_eq!(remote_fuse(mounts, 0, 47), Some("fuse.sshfs"));
        assert_eq!(remote_fuse(mounts, 0, 20), None);
        assert_eq!(remote_fuse(mounts, 0, 99), None);
        assert_eq!(remote_fuse("garbage", 0, 1), None);
    }

    #[test]
    fn a_pseudo_file_system_is_read_without_error() {
        assert!(refuse(Path::new("/proc")).is_ok());
        assert!(matches!(refuse(Path::new("/no/such/folder")), Err(StoreError::Io { .. })));
    }
}
