//! Listening sockets from cell: taken as they come, given up when a sandbox goes.

use std::{
    io,
    net::{TcpListener as StdListener, UdpSocket as StdUdp},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use openmiosa_link::{
    PeerPolicy,
    listeners::{Channel, FromCell, Network, ToCell},
    messages::VERSION,
};
use tokio::net::{TcpListener, UdpSocket};

use crate::{
    accept::{self, OriginalDestination, Transparent},
    dns,
    gateway::Gateway,
    sandbox::Sandbox,
};

/// While cell is away.
const PAUSE: Duration = Duration::from_millis(200);

/// Keeps a connection to cell until the gateway stops.
pub async fn run(gateway: Arc<Gateway>, path: PathBuf, peers: PeerPolicy) {
    loop {
        let ended = tokio::select! {
            () = gateway.stop.cancelled() => return,
            ended = attend(&gateway, &path, &peers) => ended,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "no connection to cell");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attend(gateway: &Arc<Gateway>, path: &Path, peers: &PeerPolicy) -> io::Result<()> {
    let channel = Channel::connect(path)?;
    if !peers.admits(channel.descriptor()) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "listeners.sock is served by an unknown user"));
    }
    channel.send(&ToCell::Hello { v: VERSION, boot: &gateway.boot }).await?;
    tracing::info!("connected to cell");
    while let Some((message, descriptors)) = channel.receive().await? {
        match message {
            FromCell::Add { sandbox, network, tcp, udp } => {
                if let Err(error) = add(gateway, &sandbox, &network, descriptors, tcp, udp) {
                    tracing::error!(%error, %sandbox, "the sandbox's sockets cannot be used");
                    continue;
                }
                channel.send(&ToCell::Added { sandbox: &sandbox }).await?;
            }
            FromCell::Remove { sandbox } => {
                remove(gateway, &sandbox);
                channel.send(&ToCell::Removed { sandbox: &sandbox }).await?;
            }
            FromCell::Unknown => tracing::debug!("cell says something of a later version"),
        }
    }
    Ok(())
}

fn add(gateway: &Arc<Gateway>, id: &str, network: &Network, descriptors: Vec<OwnedFd>, tcp: usize, udp: usize) -> io::Result<()> {
    if tcp == 0 || descriptors.len() != tcp + udp {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the packet has other descriptors than it says"));
    }
    let mut own = vec![network.address4.into()];
    own.extend(network.address6.map(std::net::IpAddr::from));
    let (mut listeners, mut sockets) = (Vec::new(), Vec::new());
    for (number, descriptor) in descriptors.into_iter().enumerate() {
        if number < tcp {
            listeners.push(StdListener::from(descriptor));
        } else {
            sockets.push(StdUdp::from(descriptor));
        }
    }
    let sandbox = gateway.sandbox_or_new(id);
    let destination: Arc<dyn OriginalDestination> = Arc::new(Transparent { own });
    serve(gateway, &sandbox, listeners, sockets, &destination)?;
    tracing::info!(sandbox = %id, tcp, udp, steering = %network.steering, "listening");
    Ok(())
}

/// Serves a sandbox through these sockets, in the place of earlier ones.
pub fn serve(
    gateway: &Arc<Gateway>,
    sandbox: &Arc<Sandbox>,
    listeners: Vec<StdListener>,
    sockets: Vec<StdUdp>,
    destination: &Arc<dyn OriginalDestination>,
) -> io::Result<()> {
    let tokens = sandbox.listen();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept::run(Arc::clone(gateway), Arc::clone(sandbox), listener, Arc::clone(destination), tokens.clone()));
    }
    for socket in sockets {
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let (gateway, sandbox, stop) = (Arc::clone(gateway), Arc::clone(sandbox), tokens.accepting.clone());
        tokio::spawn(async move {
            // As with connections: questions wait in the socket until there is a snapshot.
            tokio::select! {
                () = stop.cancelled() => return,
                () = sandbox.until_ready() => {}
            }
            dns::server::serve_udp(gateway, sandbox, socket, stop).await;
        });
    }
    Ok(())
}

fn remove(gateway: &Arc<Gateway>, id: &str) {
    let Some(sandbox) = gateway.sandbox(id) else { return };
    dns::window::flush_one(gateway, &sandbox, true);
    let cut = sandbox.close();
    gateway.pool.close_sandbox(&sandbox.id);
    tracing::info!(sandbox = %id, cut, "listeners given up");
}
