//! The front's side of the spawner.

use std::{collections::HashMap, os::fd::OwnedFd, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    channel::Channel,
    problem::{Outcome, Problem},
};
use crate::{control::PACKET, limits::Groups, redirect::Network, spawner::Report, spec::LaunchOrder};

/// What the front holds of a sandbox that runs.
pub struct Parts {
    /// Its PID 1 on the host.
    pub pid: i32,
    /// The same, safe from reuse.
    pub pidfd: OwnedFd,
    /// The channel to init.
    pub init: OwnedFd,
    /// Its root folder.
    pub root: OwnedFd,
    /// Its network.
    pub network: Network,
    /// The gateway's listeners.
    pub tcp: Vec<OwnedFd>,
    /// The gateway's DNS sockets.
    pub udp: Vec<OwnedFd>,
    /// Its control groups.
    pub groups: Groups,
    /// Cancelled when nothing of it runs any more.
    pub gone: CancellationToken,
}

/// Asks the spawner for sandboxes.
pub struct SpawnerClient {
    channel: Channel,
    waiting: Mutex<HashMap<String, oneshot::Sender<Result<Parts, String>>>>,
    alive: Mutex<HashMap<String, CancellationToken>>,
    lost: CancellationToken,
}

impl SpawnerClient {
    /// Starts listening to it. `lost` is cancelled when the spawner has died.
    pub fn start(socket: OwnedFd, lost: CancellationToken) -> std::io::Result<Arc<Self>> {
        let client = Arc::new(Self { channel: Channel::new(socket)?, waiting: Mutex::default(), alive: Mutex::default(), lost });
        tokio::spawn(Arc::clone(&client).listen());
        Ok(client)
    }

    /// Has a sandbox made.
    pub async fn launch(&self, order: &LaunchOrder) -> Outcome<Parts> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().insert(order.id.clone(), sender);
        let request = serde_json::to_vec(order).map_err(|e| Problem::internal(e.to_string()))?;
        if request.len() > PACKET {
            return Err(Problem::invalid("the sandbox's description is too long"));
        }
        self.channel.send(&request, &[]).await?;
        match receiver.await {
            Ok(Ok(parts)) => Ok(parts),
            Ok(Err(why)) => Err(Problem::host_unsupported(format!("{why}; run `cell check` to see what this host lacks"))),
            Err(_) => Err(Problem::internal("the spawner has died")),
        }
    }

    async fn listen(self: Arc<Self>) {
        loop {
            match self.channel.receive(PACKET).await {
                Ok((bytes, descriptors)) if !bytes.is_empty() => match serde_json::from_slice(&bytes) {
                    Ok(report) => self.take(report, descriptors),
                    Err(error) => tracing::error!(%error, "the spawner said something unknown"),
                },
                _ => break,
            }
        }
        tracing::error!("the spawner has gone, and every sandbox with it");
        self.waiting.lock().clear();
        self.lost.cancel();
    }

    fn take(&self, report: Report, descriptors: Vec<OwnedFd>) {
        match report {
            Report::Launched { id, pid, network, tcp, groups } => {
                let gone = CancellationToken::new();
                let parts = parts(pid, network, tcp, groups, gone.clone(), descriptors)
                    .ok_or_else(|| "the spawner sent too few descriptors".to_owned());
                self.alive.lock().insert(id.clone(), gone);
                if let Some(sender) = self.waiting.lock().remove(&id) {
                    // Nobody waits any more: the parts are dropped, init loses its channel, and the sandbox ends.
                    let _ = sender.send(parts);
                }
            }
            Report::Failed { id, why } => {
                if let Some(sender) = self.waiting.lock().remove(&id) {
                    let _ = sender.send(Err(why));
                }
            }
            Report::Gone { id } => {
                if let Some(gone) = self.alive.lock().remove(&id) {
                    gone.cancel();
                }
            }
        }
    }
}

fn parts(pid: i32, network: Network, tcp: usize, groups: Groups, gone: CancellationToken, descriptors: Vec<OwnedFd>) -> Option<Parts> {
    let mut descriptors = descriptors.into_iter();
    let (pidfd, init, root) = (descriptors.next()?, descriptors.next()?, descriptors.next()?);
    let listeners: Vec<_> = descriptors.by_ref().take(tcp).collect();
    Some(Parts { pid, pidfd, init, root, network, tcp: listeners, udp: descriptors.collect(), groups, gone })
}
