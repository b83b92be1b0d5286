//! Hello to the server, until it hears, and again whenever it does not know this boot.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use openmiosa_link::messages::{Epoch, Hello, VERSION};

use crate::gateway::Gateway;

/// While the server is away.
const PAUSE: Duration = Duration::from_millis(200);
/// A server that came back without having been told of us hears of us by then.
const AGAIN: Duration = Duration::from_secs(15);

/// Greets until the gateway stops.
pub async fn run(gateway: Arc<Gateway>) {
    let mut known = false;
    loop {
        match hello(&gateway).await {
            Ok(epoch) => {
                if !known {
                    tracing::info!(epoch, "the server knows this boot");
                }
                known = true;
                gateway.journal.wake();
            }
            Err(error) => {
                if known {
                    tracing::warn!(%error, "the server is away; serving under the last revisions");
                }
                known = false;
            }
        }
        let pause = if known { AGAIN } else { PAUSE };
        tokio::select! {
            () = gateway.stop.cancelled() => return,
            () = gateway.greet.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn hello(gateway: &Gateway) -> Result<u64, openmiosa_link::ClientError> {
    let public_key = BASE64_STANDARD.encode(gateway.keys.public());
    let message =
        Hello { v: VERSION, gateway: &gateway.id, boot: &gateway.boot, public_key: &public_key, version: env!("CARGO_PKG_VERSION") };
    let answer: Epoch = gateway.server.post("/v1/hello", &message).await?;
    gateway.hear_epoch(answer.epoch);
    Ok(answer.epoch)
}
