//! What a spec came to: every limit, every loosening, and what nothing holds.
//!
//! ```
//! use wire_core::spawn::{Relaxation, Resource, SpawnSpec, fake};
//! let spec = SpawnSpec::new("debian:12").cmd(["/bin/true"]).relax(Relaxation::WritableRoot);
//! let report = fake::valid(spec).report();
//! assert_eq!(report.relaxed, [Relaxation::WritableRoot]);
//! assert_eq!(report.unenforced, [Resource::Disk]);
//! assert_eq!(report.limits.tmpfs, 64 << 20);
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use super::control::Control;
use super::ids::{ImageId, SpawnName};
use super::limits::{Resource, ValidLimits};
use super::relax::Relaxation;
use super::spec::User;
use super::valid::ValidSpec;
use crate::time::Timestamp;

/// What a spec came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpawnReport {
    /// The container's name.
    pub name: SpawnName,
    /// The image, by content.
    pub image: ImageId,
    /// The image, as it was asked for.
    pub image_asked: String,
    /// Whom programs run as.
    pub user: User,
    /// Whether the first process is the shim.
    pub shim: bool,
    /// The runtime, if it was said to the engine.
    pub runtime: Option<String>,
    /// Every limit, as it holds.
    pub limits: ValidLimits,
    /// Every default that does not hold.
    pub relaxed: Vec<Relaxation>,
    /// Every limit that nothing holds.
    pub unenforced: Vec<Resource>,
    /// Variables of the image that programs do not get.
    pub env_removed: Vec<String>,
    /// When it may be removed by anybody of the owner.
    pub expires: Option<Timestamp>,
    /// How long its making took. Not known of what is only planned, or was found.
    pub timings: Option<Timings>,
}

/// How long the making of a container took, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Until it was there, with its volumes and the shim's.
    pub created: Duration,
    /// From then on until its first process ran and the engine's description was compared.
    pub started: Duration,
    /// From then on until it was proved from inside. Without the shim nothing is.
    pub proved: Duration,
}

impl SpawnReport {
    pub(super) fn of(spec: &ValidSpec) -> Self {
        Self {
            name: spec.name.clone(),
            image: spec.image.clone(),
            image_asked: spec.image_asked.clone(),
            user: spec.user,
            shim: spec.shim,
            runtime: spec.runtime.clone(),
            limits: spec.limits,
            relaxed: spec.relaxed.iter().cloned().collect(),
            unenforced: spec.unenforced.iter().copied().collect(),
            env_removed: spec.env_removed.iter().cloned().collect(),
            expires: spec.life.expires,
            timings: None,
        }
    }

    /// The rows of the attestation that may differ from the defaults.
    pub fn flipped(&self) -> BTreeSet<Control> {
        self.relaxed.iter().flat_map(|relaxation| relaxation.flips().iter().copied()).collect()
    }
}
