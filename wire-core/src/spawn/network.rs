//! What a container can reach.
//!
//! ```
//! use wire_core::spawn::Network;
//! assert_eq!(Network::default(), Network::None);
//! ```

use super::host::HostView;
use super::ids::SpawnName;
use super::spec_error::SpecError;

/// What a container can reach. The host's own network cannot be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// Itself.
    #[default]
    None,
    /// These hosts, by name. Refused as `unenforceable` until there is a proxy that holds it.
    Egress(Vec<String>),
    /// A network of the engine that is there already, of the driver `bridge`, `macvlan`, `ipvlan` or
    /// `overlay`. Containers in it reach each other and, by its gateway, what listens on the host, even if
    /// it is internal.
    Named(String),
}

/// Names that mean something else to the engine than a network.
const NOT_NETWORKS: &[&str] = &["host", "none", "default", "container", "ns", "nat", "ingress"];
const DRIVERS: &[&str] = &["bridge", "macvlan", "ipvlan", "overlay"];

/// The name of the network, if it is not none.
pub(super) fn check(
    asked: &Network,
    ports: &[u16],
    host: &HostView,
    errors: &mut Vec<SpecError>,
) -> Option<String> {
    if !ports.is_empty() {
        errors.push(match asked {
            Network::None => SpecError::PortsWithoutNetwork,
            Network::Egress(_) | Network::Named(_) => SpecError::Ports,
        });
    }
    match asked {
        Network::None => None,
        Network::Egress(_) => {
            errors.push(SpecError::Egress);
            None
        }
        Network::Named(name) => {
            let known = SpawnName::parse(name).is_ok()
                && !NOT_NETWORKS.contains(&name.as_str())
                && host.networks.get(name).is_some_and(|driver| DRIVERS.contains(&driver.as_str()));
            if !known {
                errors.push(SpecError::Network { name: name.clone() });
            }
            Some(name.clone())
        }
    }
}
