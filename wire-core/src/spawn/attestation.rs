//! What the attestor has seen, beside what was asked for: one row for each control.
//!
//! 1. [`Expected`] says what the container should be like: the defaults, changed by what the spec says. A
//!    container carries it in a label of ours, for whoever looks later.
//! 2. [`Attestation::read`] takes the evidence's bytes, refuses an old answer, and judges.
//! 3. Each row says what holds, what is loosened because somebody asked for it, and what is broken. What
//!    could not be seen is unknown, which is no better than broken: [`Attestation::holds`] is then false.
//!
//! It is evidence against a wrong configuration, not against a kernel that was broken into; and it comes
//! from whoever one is connected with. Later ones, above all through the engine's exec, prove only what
//! that exec is like.

mod answers;
mod expected;
mod judge;
mod label;
mod of_spec;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};
use wire_shim::evidence::{Evidence, EvidenceError};

use super::control::Control;
use super::words::plain;
pub use expected::{Expected, ExpectedMount};

/// The most characters that are shown of what was seen.
const WORDS: usize = 400;

/// How a control was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It holds, as by default.
    Holds,
    /// It is loosened, as the spec says and no further.
    Relaxed,
    /// It could not be seen.
    Unknown,
    /// It does not hold.
    Broken,
}

impl Verdict {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Relaxed => "relaxed",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
        }
    }
}

/// One control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub control: Control,
    /// What should be seen.
    pub expected: String,
    /// What was. It comes from the container: no control characters, bounded.
    pub seen: String,
    /// What follows.
    pub verdict: Verdict,
}

/// The evidence, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    rows: Vec<Row>,
}

/// Evidence that cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// It cannot be read.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// It answers another question than this one.
    #[error("the evidence does not carry the nonce that was sent")]
    Nonce,
    /// Nothing says what is expected: the container is of another version.
    #[error("the container's labels do not say what is expected of it")]
    Unsaid,
}

impl AttestationError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Evidence(EvidenceError::Version(_)) | Self::Unsaid => {
                "the container was started by another version; start a new one"
            }
            Self::Evidence(_) => "do not trust the container; remove it and start a new one",
            Self::Nonce => "an old answer was played back; do not trust the container, remove it",
        }
    }
}

impl Attestation {
    /// Judges the evidence that came for this nonce.
    pub fn read(bytes: &[u8], nonce: &[u8], expected: &Expected) -> Result<Self, AttestationError> {
        let evidence = Evidence::decode(bytes)?;
        if evidence.nonce != nonce {
            return Err(AttestationError::Nonce);
        }
        Ok(Self::judge(&evidence, expected))
    }

    /// Judges evidence, whatever its nonce.
    pub fn judge(evidence: &Evidence, expected: &Expected) -> Self {
        let row = |control: &Control| {
            let found = judge::look(*control, evidence, expected);
            let verdict = match (found.strict, found.loose) {
                (Some(true), _) => Verdict::Holds,
                (_, Some(true)) if expected.relaxed.contains(control) => Verdict::Relaxed,
                (None, _) => Verdict::Unknown,
                _ => Verdict::Broken,
            };
            Row { control: *control, expected: found.expected, seen: plain(&found.seen, WORDS), verdict }
        };
        Self { rows: Control::ALL.iter().map(row).collect() }
    }

    /// All rows, in the order of [`Control::ALL`].
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The control's row.
    pub fn row(&self, control: Control) -> Option<&Row> {
        self.rows.iter().find(|row| row.control == control)
    }

    /// Everything is as it was asked for.
    pub fn holds(&self) -> bool {
        self.broken().next().is_none()
    }

    /// The rows that are not as they were asked for, or could not be seen.
    pub fn broken(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Broken | Verdict::Unknown))
    }

    /// The controls that were found loosened, as the spec says.
    pub fn relaxed(&self) -> BTreeSet<Control> {
        self.rows.iter().filter(|row| row.verdict == Verdict::Relaxed).map(|row| row.control).collect()
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "control": row.control.name(),
                "expected": row.expected,
                "seen": row.seen,
                "verdict": row.verdict.name(),
            })
        };
        json!({ "holds": self.holds(), "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

impl fmt::Display for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |cell: fn(&Row) -> usize| self.rows.iter().map(cell).max().unwrap_or_default();
        let (name, expected) = (width(|r| r.control.name().len()), width(|r| r.expected.chars().count()));
        writeln!(f, "{:name$}  {:7}  {:expected$}  SEEN", "CONTROL", "VERDICT", "EXPECTED")?;
        for row in &self.rows {
            let (control, verdict) = (row.control.name(), row.verdict.name());
            writeln!(f, "{control:name$}  {verdict:7}  {:expected$}  {}", row.expected, row.seen)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
