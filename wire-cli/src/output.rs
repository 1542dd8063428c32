//! Everything that is written: documents and lines on standard output, the rest on standard error.
//!
//! What a peer or relay sent is data: it is shown escaped, so that it can neither drive a terminal nor
//! pose as something that this program says.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use wire_core::pairing::DisplayName;

use crate::exit::Failure;

/// Version of every document.
const V: u8 = 1;
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

/// How results are shown: documents for programs, or lines for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

#[derive(Serialize)]
struct Doc<'a, T> {
    v: u8,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Serialize)]
struct ErrorDoc {
    error: ErrorBody,
}

/// A failure, in a document.
#[derive(Serialize)]
pub(crate) struct ErrorBody {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) retryable: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Shows a result: one document, or the lines that `human` makes of it.
    pub(crate) fn show<T: Serialize>(
        self,
        body: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if self.json { self.doc(body) } else { self.line(&human(body)) }
    }

    /// Writes a document, in one line.
    fn doc<T: Serialize>(self, body: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(&Doc { v: V, body })
            .map_err(|e| Failure::internal(format!("cannot write the result: {e}")))?;
        put(&json_escape(&text))
    }

    /// Writes lines for people. A `✓` at the very beginning is green where there are colours.
    fn line(self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        match text.strip_prefix('✓') {
            Some(rest) => put(&format!("{GREEN}✓{PLAIN}{rest}")),
            None => put(text),
        }
    }

    /// Tells a person something that is no result.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        let _ = writeln!(anstream::stderr(), "{}", escape(text.as_ref()));
    }

    /// Asks a person; the answer is typed on the same line.
    pub(crate) fn prompt(self, text: &str) {
        let mut stderr = anstream::stderr();
        let _ = write!(stderr, "{text}");
        let _ = stderr.flush();
    }

    /// Says why the command failed, and gives its exit code.
    pub(crate) fn failure(self, failure: &Failure) -> u8 {
        let (code, message, hint, retryable) = match failure {
            Failure::Said { code, message, hint, retryable } => (*code, message.as_str(), hint, *retryable),
            Failure::Stopped(_) => ("interrupted", "interrupted", &None, true),
            Failure::PipeClosed => return failure.exit(),
        };
        // Where nothing can be written, standard error may still have a reader.
        let error = || ErrorBody { code, message: message.to_owned(), hint: hint.clone(), retryable };
        let is_told = self.json && self.doc(&ErrorDoc { error: error() }).is_ok();
        if !is_told {
            let mut stderr = anstream::stderr();
            let _ = writeln!(stderr, "{RED}error:{PLAIN} {}", escape_block(message));
            if let Some(hint) = hint.as_deref() {
                let _ = writeln!(stderr, "  next: {}", escape(hint));
            }
        }
        failure.exit()
    }
}

/// One whole line on standard output, at once: its reader may wait for it.
fn put(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    stdout.write_all(format!("{text}\n").as_bytes())?;
    Ok(stdout.flush()?)
}

/// A text of somebody else's, on one line. What controls a terminal, reorders or hides is spelt out.
pub(crate) fn escape(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same over several lines.
pub(crate) fn escape_block(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_plain(c) || keep(c) => shown.push(c),
            '\n' | '\t' | '\r' => shown.extend(c.escape_default()),
            c => shown.extend(c.escape_unicode()),
        }
    }
    shown
}

/// JSON that is safe on a terminal too: strings may hold what JSON itself does not ask to escape.
fn json_escape(json: &str) -> Cow<'_, str> {
    if json.chars().all(is_plain) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if is_plain(c) {
            safe.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Cow::Owned(safe)
}

fn is_plain(c: char) -> bool {
    DisplayName::is_plain(c.encode_utf8(&mut [0; 4]))
}

/// Sends what `WIRE_LOG` asks for to standard error; warnings if it says nothing.
pub(crate) fn start_log() {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .with_env_var("WIRE_LOG")
        .from_env_lossy();
    // In a process that has a log of its own, that one stays.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Log).try_init();
}

struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = escape_block(&String::from_utf8_lossy(line));
        io::stderr().write_all(text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clearing of the screen, a C1 sequence, a right-to-left override, an invisible space, a bell.
    const HOSTILE: &str = "\u{1b}[2Jhi\u{9b}31m\u{202e}evil\u{200b}\r\n\tok\u{7}\u{e0041}";

    #[test]
    fn nothing_of_a_strangers_text_reaches_the_terminal_as_a_command() {
        let shown = escape(HOSTILE);
        assert!(shown.chars().all(is_plain), "{shown:?}");
        assert_eq!(shown, r"\u{1b}[2Jhi\u{9b}31m\u{202e}evil\u{200b}\r\n\tok\u{7}\u{e0041}");
        assert_eq!(escape_block("a\n\tb\u{1b}"), "a\n\tb\\u{1b}");
        assert_eq!(escape("Zoë 🦪 says \"ok\""), "Zoë 🦪 says \"ok\"");
    }

    #[test]
    fn json_keeps_its_meaning_and_loses_what_drives_a_terminal() {
        let json = serde_json::to_string(HOSTILE).unwrap();
        assert!(!json.chars().all(is_plain), "serde alone is not enough");
        let safe = json_escape(&json);
        assert!(safe.chars().all(is_plain), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), HOSTILE);
    }
}
