//! What the shim's words mean to whoever asked.

use wire_shim::protocol::{Cause, End, How};

use crate::spawn::outcome::{NotStarted, Outcome};

/// What an end means for whoever asked for the program.
pub(crate) fn outcome(end: &End) -> Outcome {
    match (&end.how, end.cause) {
        (How::NotStarted { why, detail }, _) => Outcome::NotStarted(not_started(*why, detail)),
        (_, Cause::Timeout | Cause::Deadline) => Outcome::TimedOut { killed: end.tree_gone },
        (How::Signaled(9), Cause::Itself) if end.oom => Outcome::OomKilled { shared: end.shared },
        (How::Signaled(signal), _) => Outcome::Signaled(*signal),
        (How::Exited(code), _) => Outcome::Exited(*code),
    }
}

fn not_started(why: wire_shim::protocol::NotStarted, detail: &str) -> NotStarted {
    use wire_shim::protocol::NotStarted as Why;
    match why {
        Why::NotFound => NotStarted::NotFound,
        Why::NotExecutable => NotStarted::NotExecutable,
        Why::BadCwd => NotStarted::BadCwd,
        Why::Busy | Why::Other | _ => NotStarted::Other(in_words(detail)),
    }
}

/// With what the kernel does not say.
fn in_words(detail: &str) -> String {
    if detail.starts_with("Resource temporarily unavailable") {
        return format!("{detail}: as many processes run as there may be (Limits::pids, --pids)");
    }
    detail.to_owned()
}

pub(super) const fn refusal(why: wire_shim::protocol::Refusal) -> &'static str {
    use wire_shim::protocol::Refusal as Why;
    match why {
        Why::Version => "the shim speaks another version",
        Why::Token => "the token is not the container's",
        Why::Configured => "the container is configured already",
        Why::NotConfigured => "the container is not configured yet",
        Why::Busy => "too many connections, readings or questions at once",
        Why::Setup => "the configuration could not be carried out",
        Why::Failed => "the container's system refused what it takes",
        Why::Malformed | _ => "it does not understand what it was sent",
    }
}
