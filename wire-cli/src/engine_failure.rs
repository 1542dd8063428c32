//! What an error of containers is to the caller of `wire`: one code for each, in one place.

use std::io;

use wire_core::spawn::docker::{FileError, InstallationError};
use wire_core::spawn::{EngineError, ExecError, SourceRefusal, SpawnError, SpecError};

use crate::exit::Failure;

impl From<SpawnError> for Failure {
    fn from(error: SpawnError) -> Self {
        let retryable = match &error {
            SpawnError::Engine(error) | SpawnError::Exec(ExecError::Engine(error)) => is_transient(error),
            _ => false,
        };
        said(spawn_code(&error), message(&error), error.hint(), retryable)
    }
}

impl From<ExecError> for Failure {
    fn from(error: ExecError) -> Self {
        let retryable = matches!(&error, ExecError::Engine(error) if is_transient(error));
        said(exec_code(&error), message(&error), error.hint(), retryable)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        said(engine_code(&error), message(&error), error.hint(), is_transient(&error))
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let retryable = match &error {
            FileError::Engine(error) | FileError::Exec(ExecError::Engine(error)) => is_transient(error),
            _ => false,
        };
        said(file_code(&error), message(&error), error.hint(), retryable)
    }
}

fn said(code: &'static str, message: String, hint: &str, retryable: bool) -> Failure {
    Failure::Said { code, message, hint: Some(hint.to_owned()), retryable }
}

/// With what is behind it, where that is not in it already.
fn message(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

const fn is_transient(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Refused { .. }
            | EngineError::Unreachable(_)
            | EngineError::Timeout { .. }
            | EngineError::Server { .. }
    )
}

fn spawn_code(error: &SpawnError) -> &'static str {
    match error {
        SpawnError::Spec(errors) => errors.first().map_or("usage", spec_code),
        SpawnError::Image(_) => "refused",
        SpawnError::Installation(InstallationError::Io { source, .. })
            if source.kind() == io::ErrorKind::StorageFull =>
        {
            "disk_full"
        }
        SpawnError::Installation(InstallationError::Unsafe { .. } | InstallationError::Shim(_)) => {
            "bad_config"
        }
        SpawnError::Unproved(_) | SpawnError::Attestation(_) | SpawnError::ReadBack(_) => "unenforceable",
        SpawnError::Unenforceable(_) => "unenforceable",
        SpawnError::Exec(error) => exec_code(error),
        SpawnError::NameTaken => "name_taken",
        SpawnError::SpecMismatch { .. } => "spec_mismatch",
        SpawnError::ImageMissing(_) | SpawnError::Pull { .. } => "image_missing",
        SpawnError::StartFailed { .. } => "spawn_failed",
        SpawnError::Engine(error) => engine_code(error),
        _ => "internal",
    }
}

fn exec_code(error: &ExecError) -> &'static str {
    match error {
        ExecError::Unsupported { .. } => "unsupported",
        ExecError::Command(errors) => errors.first().map_or("usage", spec_code),
        ExecError::NotRunning | ExecError::Paused => "not_running",
        ExecError::NoExec => "not_found",
        ExecError::Engine(error) => engine_code(error),
        ExecError::Shim(_) => "spawn_failed",
        _ => "internal",
    }
}

fn file_code(error: &FileError) -> &'static str {
    match error {
        FileError::NotFound(_) => "not_found",
        FileError::Denied(_) | FileError::DeniedHere(_) => "denied",
        FileError::Limit(_) => "too_large",
        FileError::Refused(_) => "refused",
        FileError::Full(_) | FileError::FullHere(_) => "disk_full",
        FileError::Path => "usage",
        FileError::Ended(_) => "lost",
        FileError::Exec(error) => exec_code(error),
        FileError::Engine(error) => engine_code(error),
        FileError::Failed(_) | FileError::Source(_) => "copy_failed",
        _ => "internal",
    }
}

const fn engine_code(error: &EngineError) -> &'static str {
    match error {
        EngineError::SocketMissing { .. }
        | EngineError::Refused { .. }
        | EngineError::Unreachable(_)
        | EngineError::Timeout { .. } => "no_engine",
        EngineError::PermissionDenied { .. } => "denied",
        EngineError::Protocol(_) | EngineError::Server { .. } => "spawn_failed",
        EngineError::TooOld { .. } | EngineError::Unsupported { .. } | EngineError::ProxyBlocksHijack => {
            "unsupported"
        }
        EngineError::Endpoint { .. } => "bad_config",
        EngineError::Conflict(_) | EngineError::NeverStarted => "conflict",
        EngineError::NotFound(_) => "not_found",
        EngineError::Source(_) | EngineError::NoArchive => "copy_failed",
        _ => "internal",
    }
}

/// Most of it is a command line that is wrong; the rest is right, and not done here.
const fn spec_code(error: &SpecError) -> &'static str {
    match error {
        SpecError::Unenforceable { .. } | SpecError::Egress => "unenforceable",
        SpecError::NeedsShim { .. }
        | SpecError::Engine { .. }
        | SpecError::Architecture { .. }
        | SpecError::Runtime { .. } => "unsupported",
        SpecError::ImageVolume { .. }
        | SpecError::ImageLabel { .. }
        | SpecError::ImageConfig(_)
        | SpecError::Source {
            why:
                SourceRefusal::Never
                | SourceRefusal::Socket
                | SourceRefusal::Special
                | SourceRefusal::OutsideRoots,
            ..
        } => "refused",
        _ => "usage",
    }
}

#[cfg(test)]
mod tests {
    use wire_core::spawn::Outcome;

    use super::*;

    #[track_caller]
    fn check(error: impl Into<Failure>, want: &str, exit: u8) {
        let failure = error.into();
        let Failure::Said { code, hint, .. } = &failure else { panic!("{failure:?}") };
        assert_eq!((*code, failure.exit()), (want, exit));
        assert!(hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{failure:?}");
    }

    #[test]
    fn every_error_has_its_code_and_exit() {
        let path = || "/x".to_owned();
        check(EngineError::SocketMissing { path: path() }, "no_engine", 1);
        check(EngineError::PermissionDenied { path: path() }, "denied", 6);
        check(EngineError::Refused { path: path() }, "no_engine", 1);
        check(EngineError::Unreachable("x".into()), "no_engine", 1);
        check(EngineError::Timeout { verb: "x" }, "no_engine", 1);
        check(EngineError::Protocol(path()), "spawn_failed", 1);
        check(EngineError::Server { code: 500, message: path() }, "spawn_failed", 1);
        check(EngineError::TooOld { have: path(), need: "1.41" }, "unsupported", 6);
        check(EngineError::Unsupported { engine: path() }, "unsupported", 6);
        check(EngineError::ProxyBlocksHijack, "unsupported", 6);
        check(EngineError::Endpoint { scheme: path() }, "bad_config", 2);
        check(EngineError::Conflict(path()), "conflict", 1);
        check(EngineError::NotFound(path()), "not_found", 1);
        check(EngineError::BadRequest(path()), "internal", 1);
        check(EngineError::Source(path()), "copy_failed", 1);
        check(EngineError::NoArchive, "copy_failed", 1);

        let source = |kind: io::ErrorKind| InstallationError::Io { path: "x".into(), source: kind.into() };
        check(SpawnError::from(source(io::ErrorKind::StorageFull)), "disk_full", 7);
        check(SpawnError::from(source(io::ErrorKind::PermissionDenied)), "internal", 1);
        let shared = InstallationError::Unsafe { path: "x".into(), fault: "x" };
        check(SpawnError::from(shared), "bad_config", 2);
        check(SpawnError::NameTaken, "name_taken", 1);
        check(SpawnError::ImageMissing(path()), "image_missing", 1);
        check(SpawnError::Pull { image: path(), why: path() }, "image_missing", 1);
        check(SpawnError::from(InstallationError::Shim(path())), "bad_config", 2);
        check(SpawnError::Unenforceable(vec![path()]), "unenforceable", 6);
        check(SpawnError::ReadBack(Vec::new()), "unenforceable", 6);
        let failed = SpawnError::StartFailed { stage: "start", cleaned: true, detail: path() };
        check(failed, "spawn_failed", 1);
        check(SpawnError::Exec(ExecError::NotRunning), "not_running", 1);
        check(SpawnError::Engine(EngineError::ProxyBlocksHijack), "unsupported", 6);

        check(ExecError::Unsupported { what: "x" }, "unsupported", 6);
        check(ExecError::Paused, "not_running", 1);
        check(ExecError::NoExec, "not_found", 1);
        check(ExecError::Shim(path()), "spawn_failed", 1);
        check(ExecError::Command(vec![SpecError::EmptyCommand]), "usage", 2);
        check(ExecError::Engine(EngineError::Timeout { verb: "x" }), "no_engine", 1);
    }

    #[test]
    fn so_it_is_for_files() {
        let words = || "x".to_owned();
        check(FileError::NotFound(words()), "not_found", 1);
        check(FileError::Denied(words()), "denied", 6);
        check(FileError::DeniedHere(words()), "denied", 6);
        check(FileError::Limit(words()), "too_large", 7);
        check(FileError::Refused(words()), "refused", 6);
        check(FileError::Full(words()), "disk_full", 7);
        check(FileError::FullHere(words()), "disk_full", 7);
        check(FileError::Failed(words()), "copy_failed", 1);
        check(FileError::Path, "usage", 2);
        check(FileError::Ended(Outcome::Signaled(9)), "lost", 1);
        check(FileError::Exec(ExecError::Unsupported { what: "x" }), "unsupported", 6);
        check(FileError::Engine(EngineError::NotFound(words())), "not_found", 1);
    }

    #[test]
    fn of_a_spec_the_first_fault_counts() {
        let spec = |error: SpecError| SpawnError::Spec(vec![error, SpecError::Key]);
        let source = |why| SpecError::Source { source_path: "/x".into(), why };
        check(spec(SpecError::User { uid: 0, gid: 0 }), "usage", 2);
        check(spec(SpecError::Lifetime), "usage", 2);
        check(spec(source(SourceRefusal::Missing)), "usage", 2);
        check(spec(source(SourceRefusal::Socket)), "refused", 6);
        check(spec(source(SourceRefusal::Never)), "refused", 6);
        check(spec(SpecError::ImageVolume { path: "/data".into() }), "refused", 6);
        check(spec(SpecError::NeedsShim { what: "x" }), "unsupported", 6);
        check(spec(SpecError::Runtime { name: "runsc".into() }), "unsupported", 6);
        check(spec(SpecError::Unenforceable { what: "memory" }), "unenforceable", 6);
    }

    #[test]
    fn the_cause_is_told_once() {
        let Failure::Said { message, retryable, .. } = EngineError::Unreachable("gone away".into()).into()
        else {
            panic!()
        };
        assert_eq!(message, "the connection to the container engine broke: gone away");
        assert!(retryable);
    }
}
