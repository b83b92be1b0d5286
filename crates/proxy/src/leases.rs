//! A value lent, or taken back: in the table first, then every request past its gate, then acknowledged.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use openmiosa_link::messages::{LeasePut, Purpose};
use thiserror::Error;

use crate::{gateway::Gateway, snapshots};

/// Why a lease is not taken.
#[derive(Debug, Error)]
pub enum LendError {
    /// A newer version is held.
    #[error("version {held} is held")]
    Stale {
        /// The one held.
        held: u64,
    },
    /// It was not sealed to this run of this egressd, or was changed on its way.
    #[error("the value cannot be opened: it is not sealed to this boot")]
    Unopened,
}

/// Takes a lease. From its return on, no request can send its first byte with an older value.
pub async fn put(gateway: &Gateway, message: &LeasePut) -> Result<(), LendError> {
    let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| LendError::Unopened);
    let (enc, ciphertext) = (decode(&message.sealed.enc)?, decode(&message.sealed.ciphertext)?);
    let context = message.sealing_context(&gateway.boot);
    let value = gateway.keys.open(&enc, &ciphertext, context.as_bytes()).map_err(|_| LendError::Unopened)?;
    let lifetime = message.expires_in_ms.map(Duration::from_millis);
    gateway.leases.put(&message.lease, message.version, value, lifetime).map_err(|stale| LendError::Stale { held: stale.held })?;
    if message.purpose == Purpose::AuthorityKey {
        snapshots::adopt_authority(gateway, &message.lease).await;
    }
    pass_gates(gateway, &message.lease).await;
    tracing::info!(lease = %message.lease, version = message.version, "lease in force");
    Ok(())
}

/// Takes a lease back and cuts the exchanges that use it.
pub async fn delete(gateway: &Gateway, lease: &str) -> usize {
    gateway.leases.delete(lease);
    pass_gates(gateway, lease).await;
    let cut =
        gateway.all_sandboxes().iter().map(|sandbox| sandbox.live.cut(|entry| entry.secrets.iter().any(|secret| **secret == *lease))).sum();
    gateway.metrics.cut.inc_by(cut as u64);
    tracing::info!(%lease, cut, "lease taken back");
    cut
}

/// Drops what has expired, so that a value does not stay in memory for want of a request.
pub async fn expire(gateway: std::sync::Arc<Gateway>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = gateway.stop.cancelled() => return,
            _ = ticks.tick() => {
                for lease in gateway.leases.remove_expired() {
                    tracing::info!(%lease, "lease expired");
                }
            }
        }
    }
}

/// Waits for every request that may be between its last check and its first byte with this lease.
async fn pass_gates(gateway: &Gateway, lease: &str) {
    for sandbox in gateway.all_sandboxes() {
        let state = sandbox.state().filter(|state| state.compiled.snapshot().bindings.iter().any(|binding| binding.secret == lease));
        if let Some(state) = state {
            sandbox.pass_gate().await;
            state.echoes.forget();
        }
    }
}
