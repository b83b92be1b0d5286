//! A new snapshot in force: stored, every request past its gate, what it refuses cut; only then acknowledged.

use std::sync::Arc;

use openmiosa_authority::Authority;
use openmiosa_link::{Text, messages::Purpose};
use openmiosa_policy::{BindingState, Compiled, Snapshot, SnapshotError};
use thiserror::Error;

use crate::{
    decide::would_refuse,
    dns::window,
    echo,
    gateway::Gateway,
    live::Entry,
    sandbox::{Sandbox, State},
};

/// Why a snapshot is not taken.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// A newer one is in force.
    #[error("revision {held} is in force")]
    Stale {
        /// The one in force.
        held: u64,
    },
    /// It cannot be enforced as it stands.
    #[error("the snapshot is not valid: {0}")]
    Invalid(#[from] SnapshotError),
}

/// Applies a snapshot; gives its revision and how many exchanges it cut.
pub async fn apply(gateway: &Gateway, snapshot: Snapshot) -> Result<(u64, usize), ApplyError> {
    let sandbox = gateway.sandbox_or_new(&snapshot.sandbox);
    let _one_at_a_time = sandbox.changes.lock().await;
    let revision = snapshot.revision;
    let held = sandbox.state();
    match held.as_ref().map(|state| state.revision()) {
        Some(held) if held > revision => return Err(ApplyError::Stale { held }),
        Some(held) if held == revision => return Ok((revision, 0)),
        _ => {}
    }
    let authority = authority_for(gateway, &snapshot, held.as_deref());
    let tenant = Text::from(snapshot.tenant.as_str());
    sandbox.store(Some(State { compiled: Compiled::new(snapshot)?, authority, tenant, echoes: echo::Cache::default() }));
    sandbox.pass_gate().await;
    let cut = cut_refused(gateway, &sandbox);
    gateway.pool.close_older(&sandbox.id, revision);
    tracing::info!(sandbox = %sandbox.id, revision, cut, "snapshot in force");
    Ok((revision, cut))
}

/// Takes a sandbox away: its listeners, its connections, its snapshot.
pub async fn delete(gateway: &Arc<Gateway>, id: &str) -> usize {
    let Some(sandbox) = gateway.sandbox(id) else { return 0 };
    let _one_at_a_time = sandbox.changes.lock().await;
    window::flush_one(gateway, &sandbox, true);
    sandbox.store(None);
    sandbox.pass_gate().await;
    let cut = sandbox.close();
    gateway.pool.close_sandbox(&sandbox.id);
    gateway.forget(id);
    tracing::info!(sandbox = %sandbox.id, cut, "sandbox taken away");
    cut
}

/// Gives the sandboxes that wait for this authority's key what they wait for.
pub async fn adopt_authority(gateway: &Gateway, lease: &str) {
    for sandbox in gateway.all_sandboxes() {
        let _one_at_a_time = sandbox.changes.lock().await;
        let Some(state) = sandbox.state().filter(|state| state.compiled.snapshot().authority.lease == lease) else { continue };
        let snapshot = state.compiled.snapshot().clone();
        let authority = authority_for(gateway, &snapshot, None);
        // It compiled before, so it compiles again.
        if let Ok(compiled) = Compiled::new(snapshot) {
            sandbox.store(Some(State { compiled, authority, tenant: state.tenant.clone(), echoes: echo::Cache::default() }));
        }
    }
}

/// The authority in force goes on when nothing about it has changed: its leaves are cached in it.
fn authority_for(gateway: &Gateway, snapshot: &Snapshot, held: Option<&State>) -> Option<Arc<Authority>> {
    let reference = &snapshot.authority;
    let same = |state: &&State| {
        let known = &state.compiled.snapshot().authority;
        known.lease == reference.lease && known.certificate_pem == reference.certificate_pem
    };
    if let Some(authority) = held.filter(same).and_then(|state| state.authority.clone()) {
        return Some(authority);
    }
    let (_, key) = gateway.leases.get(&reference.lease)?;
    match Authority::from_parts(&reference.certificate_pem, key.expose()) {
        Ok(authority) => Some(Arc::new(authority)),
        Err(error) => {
            tracing::error!(%error, sandbox = %snapshot.sandbox, purpose = Purpose::AuthorityKey.as_str(), "the sandbox's authority cannot be used");
            None
        }
    }
}

/// Cuts exchanges that the snapshot in force refuses, or whose binding is gone.
fn cut_refused(gateway: &Gateway, sandbox: &Sandbox) -> usize {
    let Some(state) = sandbox.state() else { return 0 };
    let cut = sandbox.live.cut(|entry| would_refuse(&state, &entry.asked) || !bindings_stand(&state, entry));
    gateway.metrics.cut.inc_by(cut as u64);
    cut
}

fn bindings_stand(state: &State, entry: &Entry) -> bool {
    let bindings = &state.compiled.snapshot().bindings;
    entry.bindings.iter().all(|used| {
        bindings.iter().any(|binding| {
            let still_bound = match &entry.asked.target {
                openmiosa_policy::Target::Name(host) => state.compiled.bound(binding, host, entry.asked.port),
                openmiosa_policy::Target::Literal(_) => false,
            };
            binding.id == **used && binding.state == BindingState::Active && still_bound
        })
    })
}
