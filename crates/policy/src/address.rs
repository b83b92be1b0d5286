//! Whether an address may be dialled: checked on what was resolved and again on the peer that is connected.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::ranges::{embedded, is_metadata, special};

/// What the rules of a sandbox say about addresses, for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Private ranges that an allow rule names.
    pub allowed: Vec<IpNet>,
    /// Ranges that a deny rule names.
    pub denied: Vec<IpNet>,
}

/// Refuses addresses that are not the public Internet.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    own: Vec<IpAddr>,
}

/// Why an address is not dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A cloud's metadata service; no rule opens it.
    #[error("{0} is a cloud's metadata service, which no rule opens")]
    Metadata(IpAddr),
    /// A deny rule names its range.
    #[error("{0} is in {1}, which a rule denies")]
    Rule(IpAddr, IpNet),
    /// Private, loopback or otherwise special, and no rule names its range.
    #[error("{0} is not a public address ({1}); a rule must name its range")]
    Special(IpAddr, &'static str),
}

impl Guard {
    /// A guard that also keeps callers from this machine's own addresses.
    pub fn new(own: Vec<IpAddr>) -> Self {
        Self { own: own.into_iter().map(|address| address.to_canonical()).collect() }
    }

    /// Judges one address, in each form that a translator could turn it into.
    pub fn check(&self, address: IpAddr, networks: &Networks) -> Result<(), Denied> {
        let address = address.to_canonical();
        self.check_one(address, networks)?;
        if let IpAddr::V6(address) = address {
            for inner in embedded(address) {
                self.check_one(IpAddr::V4(inner), networks)?;
            }
        }
        Ok(())
    }

    fn check_one(&self, address: IpAddr, networks: &Networks) -> Result<(), Denied> {
        if is_metadata(address) {
            return Err(Denied::Metadata(address));
        }
        if let Some(network) = networks.denied.iter().find(|network| network.contains(&address)) {
            return Err(Denied::Rule(address, *network));
        }
        let own = self.own.contains(&address).then_some("this machine's own");
        match special(address).or(own) {
            Some(range) if !networks.allowed.iter().any(|network| network.contains(&address)) => Err(Denied::Special(address, range)),
            _ => Ok(()),
        }
    }
}
