//! The decision: an explicit deny refuses in both modes, else `audit_only` passes, else an allow must match, else the default holds.

use std::{net::IpAddr, sync::Arc};

use crate::{
    address::Networks,
    compiled::{Compiled, CompiledRule},
    host::Host,
    method::is_passable,
    path::CanonicalPath,
    pattern::HostPattern,
    ranges::is_metadata_name,
    reason::Reason,
    snapshot::{Effect, Mode},
};

/// What is decided on: one request in its canonical form.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The name that the request is for.
    pub host: Option<&'a Host>,
    /// The address, where the client wrote one itself.
    pub literal: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The method as it was sent.
    pub method: &'a str,
    /// The path that will be forwarded.
    pub path: &'a CanonicalPath,
}

/// What came out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it passes.
    pub effect: Effect,
    /// The rule that settled it.
    pub rule: Option<Arc<str>>,
    /// Set when it does not pass.
    pub reason: Option<Reason>,
    /// The mode that it was decided under.
    pub mode: Mode,
}

impl Compiled {
    /// Decides one request.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let mode = self.snapshot().mode;
        let decided = match self.verdict(request) {
            Ok(rule) => (Effect::Allow, rule, None),
            Err((reason, rule)) => (Effect::Deny, rule, Some(reason)),
        };
        let (effect, rule, reason) = decided;
        Decision { effect, rule: rule.map(|rule| Arc::clone(&rule.id)), reason, mode }
    }

    /// The address ranges that the guard may pass, or must not, for this request.
    pub fn networks(&self, request: &Request<'_>) -> Networks {
        let mut networks = Networks::default();
        for rule in self.network_rules().filter(|rule| applies(rule, request)) {
            if let HostPattern::Network(network) = rule.host {
                match rule.effect {
                    Effect::Allow => networks.allowed.push(network),
                    Effect::Deny => networks.denied.push(network),
                }
            }
        }
        networks
    }

    fn verdict(&self, request: &Request<'_>) -> Result<Option<&CompiledRule>, (Reason, Option<&CompiledRule>)> {
        if request.host.is_none() && request.literal.is_none() {
            return Err((Reason::HostSyntax, None));
        }
        if !is_passable(request.method) {
            return Err((Reason::MethodDenied, None));
        }
        if request.host.is_some_and(|host| is_metadata_name(host.as_str())) {
            return Err((Reason::AddrDenied, None));
        }
        let rules = self.candidates(request.host, request.literal);
        if let Some(rule) = rules.iter().find(|rule| rule.effect == Effect::Deny && applies(rule, request)) {
            return Err((Reason::HostDenied, Some(rule)));
        }
        let mut allows = rules.iter().copied().filter(|rule| rule.effect == Effect::Allow);
        if request.literal.is_some() {
            let named = allows.find(|rule| matches!(rule.host, HostPattern::Network(_)) && applies(rule, request));
            return named.map(Some).ok_or((Reason::LiteralDenied, None));
        }
        match allows.find(|rule| applies(rule, request)) {
            Some(rule) => Ok(Some(rule)),
            None if self.snapshot().mode == Mode::AuditOnly || self.snapshot().default_effect == Effect::Allow => Ok(None),
            None => Err((nearest_reason(&rules, request), None)),
        }
    }
}

/// Whether a rule whose host matches also matches the rest. Denials are read loosely, allowances strictly.
fn applies(rule: &CompiledRule, request: &Request<'_>) -> bool {
    let port = rule.port.is_none_or(|port| port == request.port);
    port && method_applies(rule, request.method)
        && rule.path.as_ref().is_none_or(|glob| match rule.effect {
            Effect::Allow => glob.allows(request.path),
            Effect::Deny => glob.denies(request.path),
        })
}

fn method_applies(rule: &CompiledRule, method: &str) -> bool {
    rule.methods.as_ref().is_none_or(|methods| {
        methods.iter().any(|allowed| match rule.effect {
            Effect::Allow => allowed == method,
            Effect::Deny => allowed.eq_ignore_ascii_case(method),
        })
    })
}

/// Says what was nearly right, so that the person who writes the rule knows which part to change.
fn nearest_reason(rules: &[&CompiledRule], request: &Request<'_>) -> Reason {
    let mut allows = rules.iter().filter(|rule| rule.effect == Effect::Allow).peekable();
    if allows.peek().is_none() {
        return Reason::HostDenied;
    }
    let on_port: Vec<_> = allows.filter(|rule| rule.port.is_none_or(|port| port == request.port)).collect();
    if on_port.is_empty() {
        Reason::PortDenied
    } else if on_port.iter().all(|rule| !method_applies(rule, request.method)) {
        Reason::MethodDenied
    } else {
        Reason::HostDenied
    }
}
