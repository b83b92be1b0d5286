//! A snapshot made ready to be asked: patterns parsed once, rules indexed by name.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use crate::{
    glob::{Glob, GlobError},
    host::Host,
    pattern::{Breadth, HostPattern, PatternError},
    snapshot::{Binding, Effect, Rule, Scope, Snapshot},
};

/// The version of the message that this code reads.
const VERSION: u32 = 1;

/// A snapshot that was found sound.
pub struct Compiled {
    snapshot: Snapshot,
    pub(crate) rules: Vec<CompiledRule>,
    exact: HashMap<Host, Vec<usize>>,
    below: HashMap<Host, Vec<usize>>,
    networks: Vec<usize>,
    placeholders: HashMap<String, usize>,
    bound: HashMap<String, Vec<HostPattern>>,
}

/// One rule, parsed.
pub(crate) struct CompiledRule {
    pub id: Arc<str>,
    pub scope: Scope,
    pub effect: Effect,
    pub host: HostPattern,
    pub port: Option<u16>,
    pub methods: Option<Vec<String>>,
    pub path: Option<Glob>,
}

/// Why a snapshot is not taken. The one before it stays in force.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Made for a newer egressd.
    #[error("snapshot version {0} is newer than this program; upgrade it")]
    Version(u32),
    /// A rule's host.
    #[error("rule {id}: {host}: {error}")]
    RuleHost {
        /// `rul_…`
        id: String,
        /// As it stands in the rule.
        host: String,
        /// What is wrong with it.
        error: PatternError,
    },
    /// A rule's path.
    #[error("rule {id}: {error}")]
    RulePath {
        /// `rul_…`
        id: String,
        /// What is wrong with it.
        error: GlobError,
    },
    /// An allow rule over names that anybody can register.
    #[error("rule {id}: {host} covers names of unrelated owners; name the hosts that are meant")]
    RuleBreadth {
        /// `rul_…`
        id: String,
        /// As it stands in the rule.
        host: String,
    },
    /// A binding's host.
    #[error("binding {id}: {host}: {error}")]
    BindingHost {
        /// `bnd_…`
        id: String,
        /// As it stands in the binding.
        host: String,
        /// What is wrong with it.
        error: PatternError,
    },
    /// A binding to names of unrelated owners, or to addresses.
    #[error("binding {id}: {host} covers hosts of unrelated owners; a secret goes to named hosts only")]
    BindingBreadth {
        /// `bnd_…`
        id: String,
        /// As it stands in the binding.
        host: String,
    },
    /// Two bindings with one placeholder, or one with none.
    #[error("binding {id}: its placeholder is empty or another binding's")]
    Placeholder {
        /// `bnd_…`
        id: String,
    },
}

impl Compiled {
    /// Checks and indexes a snapshot.
    pub fn new(snapshot: Snapshot) -> Result<Self, SnapshotError> {
        if snapshot.v > VERSION {
            return Err(SnapshotError::Version(snapshot.v));
        }
        let mut rules = snapshot.rules.iter().map(compile_rule).collect::<Result<Vec<_>, _>>()?;
        // Within one effect the most specific scope is the one that a decision names.
        rules.sort_by_key(|rule| (rule.effect == Effect::Allow, rule.scope));
        let mut compiled = Self {
            exact: HashMap::new(),
            below: HashMap::new(),
            networks: Vec::new(),
            placeholders: HashMap::new(),
            bound: HashMap::new(),
            rules,
            snapshot,
        };
        compiled.index_rules();
        compiled.index_bindings()?;
        Ok(compiled)
    }

    /// The snapshot as it came.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The binding that a placeholder stands for in this sandbox.
    pub fn binding(&self, placeholder: &str) -> Option<&Binding> {
        self.placeholders.get(placeholder).map(|at| &self.snapshot.bindings[*at])
    }

    /// Whether a binding's value may go to a host and port.
    pub fn bound(&self, binding: &Binding, host: &Host, port: u16) -> bool {
        let hosts = self.bound.get(&binding.id);
        binding.ports.contains(&port) && hosts.is_some_and(|hosts| hosts.iter().any(|pattern| pattern.matches_host(host)))
    }

    /// Whether any value may go to a host and port.
    pub fn binds(&self, host: &Host, port: u16) -> bool {
        self.snapshot.bindings.iter().any(|binding| self.bound(binding, host, port))
    }

    /// The rules whose host matches, denials first, the most specific scope first within each.
    pub(crate) fn candidates(&self, host: Option<&Host>, literal: Option<IpAddr>) -> Vec<&CompiledRule> {
        let mut found = Vec::new();
        if let Some(host) = host {
            found.extend(self.exact.get(host).into_iter().flatten().copied());
            let mut rest = host.as_str();
            while let Some((_, suffix)) = rest.split_once('.') {
                found.extend(self.below.get(suffix).into_iter().flatten().copied());
                rest = suffix;
            }
        }
        if let Some(address) = literal {
            found.extend(self.networks.iter().copied().filter(|at| self.rules[*at].host.matches_literal(address)));
        }
        found.sort_unstable();
        found.into_iter().map(|at| &self.rules[at]).collect()
    }

    /// The rules about address ranges.
    pub(crate) fn network_rules(&self) -> impl Iterator<Item = &CompiledRule> {
        self.networks.iter().map(|at| &self.rules[*at])
    }

    fn index_rules(&mut self) {
        for (at, rule) in self.rules.iter().enumerate() {
            match &rule.host {
                HostPattern::Exact(name) => self.exact.entry(name.clone()).or_default().push(at),
                HostPattern::Below(suffix) => self.below.entry(suffix.clone()).or_default().push(at),
                HostPattern::Network(_) => self.networks.push(at),
            }
        }
    }

    fn index_bindings(&mut self) -> Result<(), SnapshotError> {
        for (at, binding) in self.snapshot.bindings.iter().enumerate() {
            let hosts = binding.hosts.iter().map(|host| binding_host(&binding.id, host)).collect::<Result<Vec<_>, _>>()?;
            self.bound.insert(binding.id.clone(), hosts);
            let taken = self.placeholders.insert(binding.placeholder.clone(), at).is_some();
            if taken || binding.placeholder.is_empty() {
                return Err(SnapshotError::Placeholder { id: binding.id.clone() });
            }
        }
        Ok(())
    }
}

fn compile_rule(rule: &Rule) -> Result<CompiledRule, SnapshotError> {
    let host =
        HostPattern::parse(&rule.host).map_err(|error| SnapshotError::RuleHost { id: rule.id.clone(), host: rule.host.clone(), error })?;
    // Denying all of a registry is a wish that can be meant; allowing it is a mistake.
    if rule.effect == Effect::Allow && host.breadth() == Breadth::Registry {
        return Err(SnapshotError::RuleBreadth { id: rule.id.clone(), host: rule.host.clone() });
    }
    let path = rule.path_glob.as_deref().map(Glob::parse).transpose();
    Ok(CompiledRule {
        id: rule.id.as_str().into(),
        scope: rule.scope,
        effect: rule.effect,
        host,
        port: rule.port,
        methods: rule.methods.clone().filter(|methods| !methods.is_empty()),
        path: path.map_err(|error| SnapshotError::RulePath { id: rule.id.clone(), error })?,
    })
}

fn binding_host(id: &str, host: &str) -> Result<HostPattern, SnapshotError> {
    let pattern =
        HostPattern::parse(host).map_err(|error| SnapshotError::BindingHost { id: id.to_owned(), host: host.to_owned(), error })?;
    if pattern.breadth() != Breadth::Owned || matches!(pattern, HostPattern::Network(_)) {
        return Err(SnapshotError::BindingBreadth { id: id.to_owned(), host: host.to_owned() });
    }
    Ok(pattern)
}
