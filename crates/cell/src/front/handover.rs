//! `listeners.sock`: giving each sandbox's sockets to the gateway, whichever one says hello last.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
    time::Duration,
};

use openmiosa_link::PeerPolicy;
use parking_lot::Mutex;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with};
use serde::Deserialize;
use serde_json::json;
use tokio::{io::Interest, sync::oneshot, time::timeout};

use super::{channel::Channel, sandbox::Sandbox};

/// How long the gateway has to take a sandbox's sockets, and to let go of them.
const PATIENCE: Duration = Duration::from_secs(2);
/// Above every packet that a gateway sends.
const PACKET: usize = 16 << 10;
const BACKLOG: i32 = 8;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum FromGateway {
    Hello {
        boot: String,
    },
    Added {
        sandbox: String,
    },
    Removed {
        sandbox: String,
    },
    #[serde(other)]
    Unknown,
}

struct Gateway {
    channel: Channel,
    /// One packet at a time, so that what is said of a sandbox last is true.
    telling: tokio::sync::Mutex<()>,
    leaving: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

/// The gateway that there is, if there is one, and the sandboxes that it serves.
#[derive(Default)]
pub struct Handover {
    gateway: Mutex<Option<Arc<Gateway>>>,
    sandboxes: Mutex<HashMap<String, Arc<Sandbox>>>,
}

impl Handover {
    /// Serves gateways that connect.
    pub async fn serve(self: Arc<Self>, listener: OwnedFd, peers: PeerPolicy) -> io::Result<()> {
        let listener = openmiosa_sys::watch_descriptor(listener)?;
        loop {
            let accepted =
                listener.async_io(Interest::READABLE, |l| Ok(accept_with(l, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?)).await;
            match accepted {
                Ok(socket) if peers.admits(&socket) => {
                    tokio::spawn(Arc::clone(&self).attend(socket));
                }
                Ok(_) => tracing::warn!("refused a gateway with an unknown user id; name it with --egress-uid"),
                Err(error) => {
                    tracing::warn!(%error, "a gateway could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Tells the gateway of a new sandbox.
    pub async fn add(&self, sandbox: &Arc<Sandbox>) {
        self.sandboxes.lock().insert(sandbox.id.clone(), Arc::clone(sandbox));
        let gateway = self.gateway.lock().clone();
        if let Some(gateway) = gateway {
            self.give(&gateway, sandbox).await;
        }
    }

    /// Takes a sandbox's sockets back, and closes our own.
    pub async fn remove(&self, sandbox: &Sandbox) {
        self.sandboxes.lock().remove(&sandbox.id);
        let gateway = self.gateway.lock().clone();
        if let Some(gateway) = gateway {
            let (sender, receiver) = oneshot::channel();
            gateway.leaving.lock().insert(sandbox.id.clone(), sender);
            let packet = json!({"op": "remove", "sandbox": sandbox.id}).to_string();
            let told = timeout(PATIENCE, async {
                let telling = gateway.telling.lock().await;
                gateway.channel.send(packet.as_bytes(), &[]).await?;
                drop(telling);
                receiver.await.map_err(io::Error::other)
            });
            if !matches!(told.await, Ok(Ok(()))) {
                tracing::warn!(sandbox = %sandbox.id, "the gateway did not say that it has let go");
            }
            gateway.leaving.lock().remove(&sandbox.id);
        }
        sandbox.sockets.lock().take();
    }

    async fn attend(self: Arc<Self>, socket: OwnedFd) {
        let Ok(channel) = Channel::new(socket) else { return };
        let gateway = Arc::new(Gateway { channel, telling: tokio::sync::Mutex::default(), leaving: Mutex::default() });
        while let Ok((bytes, _)) = gateway.channel.receive(PACKET).await {
            if bytes.is_empty() {
                break;
            }
            match serde_json::from_slice(&bytes) {
                Ok(FromGateway::Hello { boot }) => {
                    self.welcome(&gateway, &boot);
                    // Aside, because a gateway answers each sandbox before it takes the next: whoever does not listen to it
                    // meanwhile is not listened to either, once the sockets between them are full.
                    tokio::spawn(Arc::clone(&self).give_all(Arc::clone(&gateway)));
                }
                Ok(FromGateway::Removed { sandbox }) => {
                    if let Some(sender) = gateway.leaving.lock().remove(&sandbox) {
                        let _ = sender.send(());
                    }
                }
                Ok(FromGateway::Added { sandbox }) => tracing::debug!(%sandbox, "the gateway serves it"),
                Ok(FromGateway::Unknown) => {}
                Err(error) => tracing::warn!(%error, "the gateway said something unknown"),
            }
        }
        gateway.leaving.lock().clear();
        let mut current = self.gateway.lock();
        if current.as_ref().is_some_and(|c| Arc::ptr_eq(c, &gateway)) {
            *current = None;
            tracing::info!("the gateway has gone; connections wait for the next one");
        }
    }

    fn welcome(&self, gateway: &Arc<Gateway>, boot: &str) {
        let former = self.gateway.lock().replace(Arc::clone(gateway));
        if let Some(former) = former.filter(|f| !Arc::ptr_eq(f, gateway)) {
            // Closing its side ends its loop: the newest hello is the gateway.
            former.leaving.lock().clear();
            former.channel.shut_down();
        }
        tracing::info!(boot, sandboxes = self.sandboxes.lock().len(), "a gateway said hello");
    }

    async fn give_all(self: Arc<Self>, gateway: Arc<Gateway>) {
        let sandboxes: Vec<_> = self.sandboxes.lock().values().cloned().collect();
        for sandbox in sandboxes {
            self.give(&gateway, &sandbox).await;
        }
    }

    async fn give(&self, gateway: &Gateway, sandbox: &Sandbox) {
        let _telling = gateway.telling.lock().await;
        // It may have gone while the others were told.
        if !self.sandboxes.lock().contains_key(&sandbox.id) {
            return;
        }
        let Some(sockets) = sandbox.sockets.lock().clone() else { return };
        let packet =
            json!({"op": "add", "sandbox": sandbox.id, "network": sandbox.network, "tcp": sockets.tcp.len(), "udp": sockets.udp.len()})
                .to_string();
        let descriptors: Vec<_> = sockets.tcp.iter().chain(&sockets.udp).map(AsFd::as_fd).collect();
        // A gateway that does not read must not keep sandboxes from being made; the next hello gives it everything again.
        match timeout(PATIENCE, gateway.channel.send(packet.as_bytes(), &descriptors)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, sandbox = %sandbox.id, "the gateway could not be given its sockets"),
            Err(_) => {
                tracing::warn!(sandbox = %sandbox.id, "the gateway does not take its sockets; it is disconnected");
                gateway.channel.shut_down();
            }
        }
    }
}

/// Makes the socket; it belongs to the gateway's user when that is another one.
pub fn open(path: &Path, gateway: Option<u32>) -> io::Result<OwnedFd> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(0o600))?;
    if let Some(uid) = gateway.filter(|_| rustix::process::geteuid().is_root()) {
        std::os::unix::fs::chown(path, Some(uid), None)?;
    }
    listen(&socket, BACKLOG)?;
    Ok(socket)
}
