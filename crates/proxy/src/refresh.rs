//! After a 401 on an account's token: one question to the server, whoever asks, and perhaps one replay.

use std::{collections::HashMap, sync::Arc};

use openmiosa_link::{
    Text,
    messages::{Refresh, RefreshResult, Refreshed, VERSION},
};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::{gateway::Gateway, identify::Connection, relay::Body, upload::Kept};

type Key = (Text, u64);

/// Refreshes under way, by secret and the version that was refused.
#[derive(Default)]
pub struct Refreshes {
    pending: Mutex<HashMap<Key, Arc<OnceCell<bool>>>>,
}

/// Has the refused tokens refreshed; gives the request's body again when the request should be repeated.
pub async fn after_401(connection: &Connection, connected: &[Key], kept: &Kept) -> Option<Body> {
    let mut renewed = false;
    for key in connected {
        renewed |= refresh(&connection.gateway, &connection.sandbox.id, key).await;
    }
    // Without the whole body the 401 is passed on, and the next request has the new token.
    if renewed { kept.replay() } else { None }
}

/// Whether a version newer than the refused one is lent now.
async fn refresh(gateway: &Gateway, sandbox: &Text, key: &Key) -> bool {
    let (secret, version) = key;
    if gateway.leases.get(secret).is_some_and(|(lent, _)| lent > *version) {
        return true;
    }
    let cell = Arc::clone(gateway.refreshes.pending.lock().entry(key.clone()).or_default());
    let renewed = *cell.get_or_init(|| ask(gateway, sandbox, secret, *version)).await;
    gateway.refreshes.pending.lock().remove(key);
    renewed
}

async fn ask(gateway: &Gateway, sandbox: &str, secret: &str, version: u64) -> bool {
    let question = Refresh { v: VERSION, sandbox, secret, version };
    match gateway.server.post::<Refreshed>("/v1/refresh", &question).await {
        Ok(answer) => {
            tracing::info!(%secret, version, result = ?answer.result, "asked for a refresh after a 401");
            matches!(answer.result, RefreshResult::Refreshed | RefreshResult::Unchanged)
                && gateway.leases.get(secret).is_some_and(|(lent, _)| lent > version)
        }
        Err(error) => {
            tracing::warn!(%error, %secret, "the server could not be asked for a refresh");
            false
        }
    }
}
