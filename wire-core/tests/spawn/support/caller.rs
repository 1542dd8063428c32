//! Another process of the same test program, to be killed: an ignored test of it, told by its environment what
//! to do, that says in lines of its output how far it is.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

pub struct Caller {
    child: Killer,
    lines: mpsc::UnboundedReceiver<String>,
}

/// Can kill it from anywhere, once.
#[derive(Clone)]
pub struct Killer(Arc<Mutex<Option<Child>>>);

impl Killer {
    /// With SIGKILL. Returns when it is gone.
    pub fn kill(&self) {
        if let Some(mut child) = self.0.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Caller {
    pub fn start(test: &str, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]).envs(env.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
        });
        Self { child: Killer(Arc::new(Mutex::new(Some(child)))), lines }
    }

    /// The rest of the next line that begins with this word, or `None` if it ends before.
    pub async fn says(&mut self, word: &str) -> Option<String> {
        let next = async {
            while let Some(line) = self.lines.recv().await {
                if let Some(rest) = line.strip_prefix(word) {
                    return Some(rest.trim().to_owned());
                }
            }
            None
        };
        tokio::time::timeout(Duration::from_secs(100), next).await.expect("a word of the other process")
    }

    pub fn killer(&self) -> Killer {
        self.child.clone()
    }

    pub fn kill(&self) {
        self.child.kill();
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.child.kill();
    }
}

/// Says it, on a line of its own whatever the test harness writes.
pub fn say(words: &str) {
    println!("\n{words}");
}
