//! What the commands of containers show: documents, and lines for people. What comes out of a container or
//! an image is a stranger's, and is escaped.

use data_encoding::BASE64;
use serde::Serialize;
use wire_core::spawn::{
    Capped, Control, Exit, ExitReason, NotStarted, Outcome, Relaxation, SpawnReport, Status, ValidLimits,
};
use wire_core::time::Timestamp;

use crate::output::escape;
use crate::views::{ago, left};

/// How a program ended.
#[derive(Serialize)]
pub(super) struct OutcomeDoc {
    outcome: &'static str,
    exit_code: u8,
    signal: Option<i32>,
    oom_seen: bool,
    /// In words, where the code alone does not say it.
    why: Option<String>,
}

impl OutcomeDoc {
    pub(super) fn new(outcome: &Outcome, oom_seen: bool) -> Self {
        let signal = if let Outcome::Signaled(signal) = outcome { Some(*signal) } else { None };
        Self {
            outcome: outcome.code(),
            exit_code: outcome.exit_code(),
            signal,
            oom_seen,
            why: why(outcome, oom_seen),
        }
    }

    /// For standard error, where the code alone does not say it.
    pub(super) fn note(&self) -> Option<String> {
        self.why.as_ref().map(|why| format!("{}: {why}", self.outcome))
    }

    pub(super) fn word(&self) -> String {
        match (self.outcome, self.signal) {
            ("exited", _) => format!("exited {}", self.exit_code),
            ("signaled", Some(signal)) => format!("signaled {signal}"),
            (word, _) => word.to_owned(),
        }
    }
}

fn why(outcome: &Outcome, oom_seen: bool) -> Option<String> {
    Some(match outcome {
        Outcome::OomKilled { shared: false } => {
            "it wanted more memory than it may have (--memory)".to_owned()
        }
        Outcome::OomKilled { shared: true } => {
            "memory ran out, and it or another program of the container was killed for it".to_owned()
        }
        Outcome::TimedOut { killed: true } => "its time was over, and everything was ended".to_owned(),
        Outcome::TimedOut { killed: false } => "its time was over; not all of it could be ended".to_owned(),
        Outcome::NotStarted(why) => match why {
            NotStarted::NotFound => "there is no such program in the container".to_owned(),
            NotStarted::NotExecutable => "it may not be executed, or is no program".to_owned(),
            NotStarted::BadCwd => "its working folder is not there, or may not be entered".to_owned(),
            NotStarted::BadUser => "programs cannot run as that user here".to_owned(),
            NotStarted::Other(words) => words.clone(),
            _ => "it could not be started".to_owned(),
        },
        Outcome::ContainerGone(exit) => format!("the container ended while it ran: {}", reason(exit.reason)),
        Outcome::Lost { why } => why.clone(),
        Outcome::Exited(_) | Outcome::Signaled(_) if oom_seen => {
            "memory ran out while it ran; one of its processes may have been killed for it".to_owned()
        }
        _ => return None,
    })
}

const fn reason(reason: ExitReason) -> &'static str {
    match reason {
        ExitReason::Itself => "its command ended",
        ExitReason::Stopped => "it was stopped",
        ExitReason::Killed => "it was killed",
        ExitReason::Deadline => "its time was over",
        ExitReason::Lease => "whoever held it is gone",
        ExitReason::Removed => "it was removed",
        _ => "nobody knows why",
    }
}

/// A stream that was kept: its beginning and its end.
#[derive(Serialize)]
pub(super) struct CappedDoc {
    /// To be read: what is no text in it is replaced, and a line stands for what was dropped.
    text: String,
    total: u64,
    dropped: u64,
    /// The bytes were no text.
    lossy: bool,
    /// Where the text is not the bytes, these are, in base64: all that was kept, or what was kept of the beginning.
    head: Option<String>,
    /// What was kept of the end.
    tail: Option<String>,
}

impl From<Capped> for CappedDoc {
    fn from(kept: Capped) -> Self {
        let mut kept = kept;
        if kept.dropped == 0 {
            // Where it was divided is nothing to the reader.
            kept.head.append(&mut kept.tail);
        }
        // What is cut in the middle of a character is not the program's fault, and looks the same here.
        let lossy = [&kept.head, &kept.tail].into_iter().any(|bytes| std::str::from_utf8(bytes).is_err());
        let exact = |bytes: &[u8]| (lossy || kept.dropped > 0).then(|| BASE64.encode(bytes));
        let (head, tail) = (exact(&kept.head), exact(&kept.tail));
        Self { text: kept.text(), total: kept.total, dropped: kept.dropped, lossy, head, tail }
    }
}

/// What a spec came to.
#[derive(Serialize)]
pub(super) struct ReportDoc {
    image: String,
    image_asked: String,
    user: String,
    shim: bool,
    runtime: Option<String>,
    limits: LimitsDoc,
    relaxed: Vec<RelaxedDoc>,
    unenforced: Vec<&'static str>,
    env_removed: Vec<String>,
    expires: Option<u64>,
}

/// As they hold: bytes, thousandths of a processor, processes, files.
#[derive(Serialize)]
struct LimitsDoc {
    memory: u64,
    millicpus: u64,
    pids: u32,
    nofile: u64,
    tmpfs: u64,
    wall_ms: Option<u64>,
}

#[derive(Serialize)]
struct RelaxedDoc {
    name: &'static str,
    detail: Option<String>,
}

impl From<&SpawnReport> for ReportDoc {
    fn from(report: &SpawnReport) -> Self {
        let relaxed =
            |relaxation: &Relaxation| RelaxedDoc { name: relaxation.name(), detail: detail(relaxation) };
        let ValidLimits { memory, millicpus, pids, nofile, tmpfs, wall_ms, .. } = report.limits;
        Self {
            image: report.image.to_string(),
            image_asked: report.image_asked.clone(),
            user: report.user.to_string(),
            shim: report.shim,
            runtime: report.runtime.clone(),
            limits: LimitsDoc { memory, millicpus, pids: pids.get(), nofile, tmpfs, wall_ms },
            relaxed: report.relaxed.iter().map(relaxed).collect(),
            unenforced: report.unenforced.iter().map(|resource| resource.name()).collect(),
            env_removed: report.env_removed.clone(),
            expires: report.expires.map(Timestamp::as_millis),
        }
    }
}

impl ReportDoc {
    /// `loosened: exec_tmp, bind /work (writable)`, if anything is.
    pub(super) fn line(&self) -> Option<String> {
        let words = self.relaxed.iter().map(|relaxed| match &relaxed.detail {
            Some(detail) => format!("{} {}", relaxed.name, escape(detail)),
            None => relaxed.name.to_owned(),
        });
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| format!("loosened: {}", words.join(", ")))
    }
}

fn detail(relaxation: &Relaxation) -> Option<String> {
    Some(match relaxation {
        Relaxation::Bind { target, writable } | Relaxation::Volume { target, writable } => {
            format!("{target} ({})", if *writable { "writable" } else { "read-only" })
        }
        Relaxation::ExecTmpfs { target } => target.clone(),
        Relaxation::Network { name } | Relaxation::Runtime { name } => name.clone(),
        Relaxation::Shm { size } => format!("{size} bytes"),
        Relaxation::Unlimited(resource) => resource.name().to_owned(),
        _ => return None,
    })
}

/// A container in a list.
#[derive(Serialize)]
pub(super) struct ContainerDoc {
    pub(super) name: String,
    id: String,
    /// The image's name, if it still has one, else its id.
    image: Option<String>,
    state: &'static str,
    key: String,
    peer: Option<String>,
    created: Option<u64>,
    started: Option<u64>,
    expires: Option<u64>,
    /// It ends with the process that made it.
    tied: bool,
    /// Rows of the attestation.
    loosened: Vec<&'static str>,
    exit: Option<ExitDoc>,
}

/// How a container ended.
#[derive(Serialize)]
pub(super) struct ExitDoc {
    code: Option<i32>,
    signal: Option<i32>,
    oom_seen: bool,
    /// Why, as far as this process knows.
    reason: &'static str,
    at: Option<u64>,
}

impl ExitDoc {
    pub(super) const fn code(&self) -> Option<i32> {
        self.code
    }
}

impl From<&Exit> for ExitDoc {
    fn from(exit: &Exit) -> Self {
        Self {
            code: exit.code,
            signal: exit.signal,
            oom_seen: exit.oom_seen,
            reason: exit.reason.name(),
            at: exit.at.map(Timestamp::as_millis),
        }
    }
}

impl ContainerDoc {
    pub(super) fn new(status: &Status, image: Option<String>) -> Self {
        let labels = &status.labels;
        Self {
            name: status.name.to_string(),
            id: status.id.to_string(),
            image,
            state: status.state.name(),
            key: labels.key.clone(),
            peer: labels.peer.clone(),
            created: status.created.map(Timestamp::as_millis),
            started: status.started.map(Timestamp::as_millis),
            expires: labels.expires.map(Timestamp::as_millis),
            tied: labels.tied.is_some() && labels.expires.is_none(),
            loosened: status.relaxed.iter().copied().map(Control::name).collect(),
            exit: status.exit.as_ref().map(ExitDoc::from),
        }
    }

    pub(super) const HEAD: [&'static str; 7] = ["NAME", "ID", "IMAGE", "STATE", "AGE", "ENDS", "LOOSENED"];

    pub(super) fn row(&self) -> [String; 7] {
        [
            self.name.clone(),
            short(&self.id).to_owned(),
            escape(self.image.as_deref().unwrap_or("?")),
            self.state_word(),
            self.created.map(ago).unwrap_or_default(),
            self.ends(),
            self.loosened.join(","),
        ]
    }

    /// A line for each thing that is known.
    pub(super) fn lines(&self) -> Vec<String> {
        let or_none = |text: &str| if text.is_empty() { "nothing".to_owned() } else { escape(text) };
        let mut lines = vec![
            format!("{}  {}", self.name, self.state_word()),
            format!("id        {}", self.id),
            format!("image     {}", escape(self.image.as_deref().unwrap_or("?"))),
            format!("key       {}", escape(&self.key)),
            format!("made      {}", self.created.map(ago).unwrap_or_default()),
            format!("ends      {}", self.ends()),
            format!("loosened  {}", or_none(&self.loosened.join(", "))),
        ];
        lines.extend(self.peer.as_ref().map(|peer| format!("for       {}", escape(peer))));
        lines
    }

    fn state_word(&self) -> String {
        match &self.exit {
            Some(ExitDoc { code: Some(code), .. }) => format!("{} {code}", self.state),
            _ => self.state.to_owned(),
        }
    }

    fn ends(&self) -> String {
        match (self.expires, self.tied) {
            _ if self.exit.is_some() => "it has ended".to_owned(),
            (Some(end), _) => format!("in {}", left(end)),
            (None, true) => "with its process".to_owned(),
            (None, false) => String::new(),
        }
    }
}

/// As people type ids.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Rows under heads, each column as wide as its widest cell.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let all = || [&head].into_iter().chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_code_does_not_say_is_said_in_words() {
        let doc = |outcome, oom| OutcomeDoc::new(&outcome, oom);
        assert_eq!(doc(Outcome::Exited(7), false).note(), None);
        assert_eq!(doc(Outcome::Signaled(15), false).word(), "signaled 15");
        for outcome in [
            Outcome::OomKilled { shared: false },
            Outcome::TimedOut { killed: true },
            Outcome::NotStarted(NotStarted::NotFound),
            Outcome::Lost { why: "gone".to_owned() },
        ] {
            let doc = doc(outcome, false);
            assert!(doc.note().is_some_and(|note| note.starts_with(doc.outcome)), "{}", doc.outcome);
        }
        assert!(doc(Outcome::Exited(0), true).note().is_some_and(|note| note.contains("memory")));
    }

    #[test]
    fn text_that_was_kept_whole_is_whole() {
        let capped = |head: &[u8], tail: &[u8], dropped| {
            let mut kept = Capped::default();
            (kept.head, kept.tail, kept.dropped) = (head.to_vec(), tail.to_vec(), dropped);
            kept.total = (head.len() + tail.len()) as u64 + dropped;
            CappedDoc::from(kept)
        };
        let cut = "é".as_bytes().split_at(1);
        let whole = capped(cut.0, cut.1, 0);
        assert_eq!((whole.text.as_str(), whole.lossy), ("é", false));
        assert_eq!((whole.head, whole.tail), (None, None));
        let binary = capped(b"a\xff", b"\0", 0);
        assert!(binary.lossy);
        assert_eq!((binary.head.as_deref(), binary.tail.as_deref()), (Some("Yf8A"), Some("")));
        let cut = capped(b"a", b"b", 5);
        assert!(cut.text.contains("5 bytes") && !cut.lossy);
        assert_eq!((cut.head.as_deref(), cut.tail.as_deref()), (Some("YQ=="), Some("Yg==")));
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a".to_owned(), "b".to_owned()], ["long".to_owned(), String::new()]];
        assert_eq!(table(["N", "M"], &rows), "N     M\na     b\nlong");
    }
}
