//! Who may make a container now: one maker at a time of a name, and of a key.

use super::engine::Docker;
use super::installation::InstallationError;
use super::turn::Turn;
use crate::spawn::error::EngineError;
use crate::spawn::valid::ValidSpec;

/// The turn to make what has this name, and of what has this key.
pub(super) struct Turns {
    pub(super) name: Turn,
    /// Under the name that the key alone gives, if that is another one.
    _key: KeyTurn,
}

struct KeyTurn(Option<Turn>);

impl Turns {
    /// The key's first, so that no two wait for each other.
    pub(super) async fn of(docker: &Docker, spec: &ValidSpec) -> Result<Self, InstallationError> {
        let keyed = docker.owner().name_for(spec.key());
        let installation = docker.installation();
        let key = if keyed == *spec.name() { None } else { Some(installation.turn(&keyed).await?) };
        let key = KeyTurn(key);
        Ok(Self { name: installation.turn(spec.name()).await?, _key: key })
    }
}

impl Drop for KeyTurn {
    /// A note in it is of a container that has the key's own name.
    fn drop(&mut self) {
        self.0.take().filter(|turn| turn.noted().is_none()).into_iter().for_each(Turn::forget);
    }
}

/// Nothing was made in this turn. Its note stays only as long as a container that it speaks of may be there.
pub(super) async fn leave(docker: &Docker, turn: Turn) {
    let over = match turn.noted() {
        None => true,
        Some(note) => {
            matches!(docker.client().inspect(&note.container).await, Err(EngineError::NotFound(_)))
        }
    };
    if over {
        turn.forget();
    }
}
