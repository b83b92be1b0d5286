//! From a placeholder to the value that may stand in its place: here, now, for this host.

use openmiosa_policy::{Binding, BindingState, Compiled, Host, Place};

use crate::{lease::LeaseTable, refusal::Refusal, secret::Secret};

/// All that settles whether a placeholder may be swapped in one request.
pub struct Resolver<'a> {
    /// The sandbox's snapshot.
    pub compiled: &'a Compiled,
    /// What is lent.
    pub leases: &'a LeaseTable,
    /// The verified name that the request goes to; `None` when there is only an address.
    pub host: Option<&'a Host>,
    /// The port that it goes to.
    pub port: u16,
    /// Whether it travels over verified TLS.
    pub tls: bool,
    /// Whether a placeholder is another sandbox's.
    pub foreign: &'a (dyn Fn(&str) -> bool + Sync),
}

/// A placeholder that may be swapped, with what to swap in.
#[derive(Clone)]
pub struct Resolved<'a> {
    /// The binding that it stands for.
    pub binding: &'a Binding,
    /// The version of the value.
    pub version: u64,
    /// The value.
    pub secret: Secret,
}

impl<'a> Resolver<'a> {
    /// Finds the value, or says why there is none for this request.
    pub fn resolve(&self, placeholder: &str, place: Place) -> Result<Resolved<'a>, Refusal> {
        let Some(binding) = self.compiled.binding(placeholder) else {
            return Err(if (self.foreign)(placeholder) { Refusal::Foreign } else { Refusal::Unknown });
        };
        self.check_way(binding)?;
        let name = || binding.name.clone();
        if !binding.places.contains(&place) {
            return Err(Refusal::Place { name: name(), place });
        }
        match binding.state {
            BindingState::NeedsReauth => return Err(Refusal::Unavailable { name: name(), why: "the account must be connected again" }),
            BindingState::Expired => return Err(Refusal::Unavailable { name: name(), why: "it has expired" }),
            BindingState::Active | BindingState::Inert => {}
        }
        let lent = self.leases.get(&binding.secret);
        let (version, secret) = lent.ok_or_else(|| Refusal::Unavailable { name: name(), why: "its value is not lent to this gateway" })?;
        Ok(Resolved { binding, version, secret })
    }

    /// Host, port and TLS: refused on these before anything is said about the value.
    fn check_way(&self, binding: &Binding) -> Result<(), Refusal> {
        let name = || binding.name.clone();
        if binding.state == BindingState::Inert || binding.hosts.is_empty() {
            return Err(Refusal::Inert { name: name() });
        }
        let Some(host) = self.host else {
            return Err(Refusal::Unbound { name: name() });
        };
        let on_some_port = binding.ports.iter().any(|port| self.compiled.bound(binding, host, *port));
        if on_some_port && !self.tls {
            return Err(Refusal::NeedsTls { name: name() });
        }
        if !self.tls || !self.compiled.bound(binding, host, self.port) {
            return Err(Refusal::Unbound { name: name() });
        }
        Ok(())
    }
}
