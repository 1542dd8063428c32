//! The hardening is of use only if programs run under it: shells, interpreters with their threads and
//! collectors, a compiler, a version control. They are this machine's own, mounted read-only; one that is
//! not here is skipped, and said so.
//!
//! What a program was refused is found by running it with `"defaultAction": "SCMP_ACT_LOG"` and the
//! kernel's log.

use std::path::Path;

use crate::support::hardened::{Container, bind, body};
use crate::support::images;
use serde_json::json;

#[test]
fn busybox() {
    let script = "set -e
        cd /tmp; echo one > a; cp a b; ln -s a c; mkfifo p; mkdir -p d/e; mv b d/e/; cat d/e/b c
        (echo through > p &) ; cat p
        tar cf t.tar d; tar tf t.tar | grep -q d/e/b; gzip t.tar; gunzip t.tar.gz
        find . -type f ! -name sums | sort | xargs sha256sum > sums; sha256sum -c sums > /dev/null
        seq 1 1000 | awk '{ s += $1 } END { print s }'
        for i in 1 2 3 4 5 6 7 8; do (sleep 0; echo $i > n$i) & done; wait; ls n* | wc -l
        chmod 600 a; chgrp 65532 a; touch -d '2001-02-03 04:05:06' a; stat -c %a,%Y a
        dd if=/dev/zero of=z bs=1k count=64 2> /dev/null; wc -c < z; kill -0 $$; id -u
        trap 'echo caught' USR1; kill -USR1 $$; sync; df /tmp > /dev/null; ps > /dev/null; uname -s";
    let output = Container::run(&body(&images::busybox(), &["/bin/sh", "-c", script]));
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = text.lines().collect();
    let expected =
        ["one", "one", "through", "500500", "8", "600,981173106", "65536", "65532", "caught", "Linux"];
    assert_eq!(lines, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn bash() {
    let script = "set -euo pipefail; coproc cat; echo hello >&${COPROC[1]}; read -r x <&${COPROC[0]}; echo $x
        diff <(seq 3) <(printf '1\\n2\\n3\\n'); (ulimit -n 64; ulimit -n); printf '%s\\n' {1..3} | sort -r | head -1";
    runs("/usr/bin/bash", &["-c", script], "hello\n64\n3\n");
}

#[test]
fn python() {
    let script = r#"
import asyncio, ctypes, hashlib, mmap, os, random, secrets, select, signal, socket, sqlite3, subprocess, tempfile, threading, time
threads = [threading.Thread(target=lambda: hashlib.sha256(b'x' * 100000).digest()) for _ in range(16)]
[t.start() for t in threads]; [t.join() for t in threads]
assert subprocess.run(['/bin/echo', 'child'], capture_output=True).stdout == b'child\n'
a, b = socket.socketpair(); a.send(b'1'); assert b.recv(1) == b'1'
server = socket.create_server(('127.0.0.1', 0)); server.getsockname(); socket.if_nameindex()
epoll = select.epoll(); epoll.register(a); m = mmap.mmap(-1, 1 << 20); m[0] = 1
fd = os.memfd_create('m'); os.write(fd, b'x'); os.mkfifo('/job/fifo'); os.pidfd_open(os.getpid()); os.eventfd(0)
db = sqlite3.connect('/job/db'); db.execute('pragma journal_mode=wal'); db.execute('create table t (x)'); db.commit()
signal.setitimer(signal.ITIMER_REAL, 0); os.sched_setaffinity(0, os.sched_getaffinity(0)); os.copy_file_range
assert secrets.token_bytes(8) and os.getrandom(8) and ctypes.CDLL(None).getpid() == os.getpid()
pid = os.fork()
if pid == 0: os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
async def main():
    p = await asyncio.create_subprocess_exec('/bin/cat', stdin=-1, stdout=-1)
    out, _ = await p.communicate(b'loop'); await asyncio.to_thread(time.sleep, 0); return out
print(asyncio.run(main()).decode())
"#;
    runs("/usr/bin/python3", &["-c", script], "loop\n");
}

#[test]
fn git() {
    let script = "set -e; cd /job; export HOME=/job; git init -q r; cd r
        git config user.email a@b.c; git config user.name a; echo 1 > f; git add f; git commit -qm one
        git checkout -qb side; echo 2 > f; git commit -qam two; git checkout -q -; git merge -q side
        git clone -q . ../clone; git -C ../clone gc -q; git -C ../clone log --format=%s";
    runs_if(&["git"], "/usr/bin/bash", &["-c", script], "two\none\n");
}

#[test]
fn gcc_and_what_it_makes() {
    let script = r#"set -e; cd /job
        cat > t.c <<'C'
#include <pthread.h>
#include <stdio.h>
static void *f(void *x) { return x; }
int main(void) { pthread_t t; void *r; if (pthread_create(&t, 0, f, "thread")) return 1; pthread_join(t, &r); puts(r); return 0; }
C
        gcc -O2 -pthread -o t t.c; ./t"#;
    runs_if(&["gcc"], "/usr/bin/bash", &["-c", script], "thread\n");
}

#[test]
fn node() {
    let script = "const { Worker } = require('worker_threads'); const cp = require('child_process'); const fs = require('fs');
        const crypto = require('crypto'); fs.writeFileSync('/job/f', crypto.randomBytes(8)); fs.watch('/job').close();
        const net = require('net').createServer().listen(0, '127.0.0.1', () => net.close());
        require('dns').lookup('localhost', () => {}); require('os').networkInterfaces(); cp.execSync('true');
        new Worker(\"require('worker_threads').parentPort.postMessage(WebAssembly.validate(new Uint8Array()))\", { eval: true })
          .on('message', () => console.log('worker'))";
    runs("/usr/bin/node", &["-e", script], "worker\n");
}

#[test]
fn perl() {
    let script = "use IPC::Open2; my $p = open2(my $o, my $i, 'cat'); print $i \"hi\\n\"; close $i; print <$o>; waitpid $p, 0;";
    runs("/usr/bin/perl", &["-e", script], "hi\n");
}

#[test]
fn java() {
    let source = "public class T { public static void main(String[] a) throws Exception { \
        var t = new Thread(() -> { System.gc(); new java.util.Random().ints(200000).parallel().sum(); }); t.start(); t.join(); \
        new ProcessBuilder(\"/bin/true\").start().waitFor(); System.out.println(\"collected\"); } }";
    let script = format!("cd /job; echo '{source}' > T.java; java -Xmx128m T.java");
    runs_if(&["java", "javac"], "/usr/bin/bash", &["-c", &script], "collected\n");
}

/// A compiled program that names its runtime's own ways into the kernel.
#[test]
fn rust() {
    let script = r#"set -e; cd /job
        cat > t.rs <<'R'
use std::{io::Write, net::{TcpListener, TcpStream, UdpSocket}, process::Command, sync::mpsc, thread};
fn main() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap(); let at = server.local_addr().unwrap();
    let (tx, rx) = mpsc::channel();
    for n in 0..8 { let tx = tx.clone(); thread::spawn(move || tx.send(n).unwrap()); }
    drop(tx); assert_eq!(rx.iter().sum::<i32>(), 28);
    TcpStream::connect(at).unwrap().write_all(b"x").unwrap(); UdpSocket::bind("[::1]:0").ok();
    assert!(Command::new("/bin/true").status().unwrap().success()); println!("rusty");
}
R
        "$0/bin/rustc" --edition 2021 -C opt-level=1 t.rs; ./t"#;
    let output = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let root = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let mounts = [bind(&root, "/rust")];
    ran(Container::run(&with_programs("/usr/bin/bash", &["-c", script, "/rust"], &mounts)), "rusty\n");
}

fn runs(program: &str, args: &[&str], says: &str) {
    runs_if(&[], program, args, says);
}

fn runs_if(needs: &[&str], program: &str, args: &[&str], says: &str) {
    let there = |name: &str| ["/usr/bin", "/usr/local/bin"].iter().any(|f| Path::new(f).join(name).exists());
    let name = program.rsplit('/').next().unwrap();
    if let Some(missing) = needs.iter().copied().chain([name]).find(|n| !there(n)) {
        println!("SKIPPED: this machine has no {missing}");
        return;
    }
    ran(Container::run(&with_programs(program, args, &[])), says);
}

fn ran(output: std::process::Output, says: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out == says, "{:?}\n{out}\n{err}", output.status);
}

/// The whole hardening; this machine's programs; and a folder in which what is made can be executed.
fn with_programs(program: &str, args: &[&str], mounts: &[serde_json::Value]) -> serde_json::Value {
    let mut body = body(&images::skeleton(), &[&[program], args].concat());
    body["HostConfig"]["Tmpfs"]["/job"] =
        json!("rw,exec,nosuid,nodev,size=134217728,mode=0700,uid=65532,gid=65532");
    let list = body["HostConfig"]["Mounts"].as_array_mut().unwrap();
    let folders = std::fs::read_dir("/etc").unwrap().flatten().map(|e| e.path().display().to_string());
    let java = folders.filter(|path| path.starts_with("/etc/java"));
    let files = ["/usr", "/etc/alternatives", "/etc/ld.so.cache"].map(str::to_owned);
    list.extend(
        files.into_iter().chain(java).filter(|p| Path::new(p).exists()).map(|path| bind(&path, &path)),
    );
    list.extend(mounts.iter().cloned());
    body
}
