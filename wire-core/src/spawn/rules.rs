//! Rules about single parts of a spec or a command: what may be passed on to a program, and how much.
//!
//! ```
//! use wire_core::spawn::{Command, SpecError};
//! let command = Command::new(["/bin/sh"]).env("LD_PRELOAD", "/x.so").cwd("/proc/self/fd/8");
//! let wrong = command.check();
//! assert!(wrong.contains(&SpecError::EnvReserved { name: "LD_PRELOAD".into() }));
//! assert!(wrong.contains(&SpecError::Workdir));
//! ```

use super::command::Command;
use super::spec::User;
use super::spec_error::SpecError;
use super::{image, limits, mount};

/// The most arguments of a command.
pub(super) const MAX_ARGS: usize = 4096;
/// The most bytes of a command's arguments together.
pub(super) const MAX_ARGS_BYTES: usize = 512 << 10;
/// The most variables.
pub(super) const MAX_ENV: usize = 512;
/// The most bytes of all variables together; Linux takes no single one beyond 128 KiB.
pub(super) const MAX_ENV_BYTES: usize = 256 << 10;
/// The most labels.
pub(super) const MAX_LABELS: usize = 64;
/// The most secrets.
pub(super) const MAX_SECRETS: usize = 16;
/// The most bytes of all secrets together.
pub(super) const MAX_SECRETS_BYTES: usize = 512 << 10;
/// The most bytes of input that is given with the spec.
pub(super) const MAX_STDIN_BYTES: usize = 16 << 20;

const MAX_ONE_STRING: usize = (128 << 10) - 1;

impl Command {
    /// What is wrong with a program that is to run in a container that is there.
    pub fn check(&self) -> Vec<SpecError> {
        let mut errors = Vec::new();
        check_argv(&self.argv, &mut errors);
        check_env(&self.env, &mut errors);
        if let Some(folder) = &self.cwd {
            check_workdir(folder, &mut errors);
        }
        if let Some(user) = self.user {
            check_user(user, &mut errors);
        }
        if self.tty.is_some_and(|size| size.cols == 0 || size.rows == 0) {
            errors.push(SpecError::Tty);
        }
        if self.tag.len() > 256 {
            errors.push(SpecError::TooLarge { what: "a tag", most: 256 });
        }
        limits::check_output(self.output, &mut errors);
        errors
    }
}

pub(super) fn check_argv(argv: &[String], errors: &mut Vec<SpecError>) {
    if argv.first().is_none_or(String::is_empty) {
        errors.push(SpecError::EmptyCommand);
    }
    if argv.len() > MAX_ARGS {
        errors.push(SpecError::TooMany { what: "arguments", most: MAX_ARGS });
    }
    if total(argv.iter().map(String::len)) > MAX_ARGS_BYTES {
        errors.push(SpecError::TooLarge { what: "all arguments", most: MAX_ARGS_BYTES });
    }
    if argv.iter().any(|arg| arg.len() > MAX_ONE_STRING) {
        errors.push(SpecError::TooLarge { what: "an argument", most: MAX_ONE_STRING });
    }
    if argv.iter().any(|arg| arg.contains('\0')) {
        errors.push(SpecError::ArgumentNul);
    }
}

pub(super) fn check_env(env: &[(String, String)], errors: &mut Vec<SpecError>) {
    if env.len() > MAX_ENV {
        errors.push(SpecError::TooMany { what: "variables", most: MAX_ENV });
    }
    if total(env.iter().map(|(name, value)| name.len() + value.len())) > MAX_ENV_BYTES {
        errors.push(SpecError::TooLarge { what: "all variables", most: MAX_ENV_BYTES });
    }
    for (name, value) in env {
        check_env_name(name, errors);
        if value.contains('\0') {
            errors.push(SpecError::EnvValue { name: name.clone() });
        }
        if name.len() + 1 + value.len() > MAX_ONE_STRING {
            errors.push(SpecError::TooLarge { what: "a variable", most: MAX_ONE_STRING });
        }
    }
}

pub(super) fn check_env_name(name: &str, errors: &mut Vec<SpecError>) {
    if !image::is_env_name(name) {
        errors.push(SpecError::EnvName { name: name.to_owned() });
    } else if name.starts_with("WIRE_") || name.starts_with("LD_") || name == "GLIBC_TUNABLES" {
        errors.push(SpecError::EnvReserved { name: name.to_owned() });
    }
}

/// Not where a descriptor of the engine's runtime could be entered (CVE-2024-21626). A link of the image
/// can still lead there: the shim enters the folder itself, after all such descriptors are closed.
pub(super) fn check_workdir(folder: &str, errors: &mut Vec<SpecError>) {
    let within = |fence: &str| folder.strip_prefix(fence).is_some_and(|r| r.is_empty() || r.starts_with('/'));
    if !mount::is_plain_absolute(folder) || ["/proc", "/sys", "/dev"].into_iter().any(within) {
        errors.push(SpecError::Workdir);
    }
}

pub(super) fn check_user(user: User, errors: &mut Vec<SpecError>) {
    let User { uid, gid } = user;
    let most = i32::MAX.unsigned_abs();
    if !(1..=most).contains(&uid) || !(1..=most).contains(&gid) {
        errors.push(SpecError::User { uid, gid });
    }
}

pub(super) fn is_visible(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// One part of a path, and not the socket that the shim has there.
pub(super) fn is_secret_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && name != "relay.sock"
}

pub(super) fn total(sizes: impl Iterator<Item = usize>) -> usize {
    sizes.fold(0, usize::saturating_add)
}
