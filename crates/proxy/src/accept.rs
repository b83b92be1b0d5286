//! Accepting: limits, the original destination, and what is refused before it is anything.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
};
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::Gateway,
    identify::canonical,
    sandbox::{Sandbox, Tokens},
    stack,
};

/// Says where a connection was meant to go.
pub trait OriginalDestination: Send + Sync + 'static {
    /// The address that the client connected to.
    fn of(&self, stream: &TcpStream) -> io::Result<SocketAddr>;
    /// Addresses of the sandbox itself, which are never a destination.
    fn is_own(&self, address: IpAddr) -> bool;
}

/// A transparent listener: the accepted socket's own address is the original destination.
pub struct Transparent {
    /// The sandbox's own addresses.
    pub own: Vec<IpAddr>,
}

impl OriginalDestination for Transparent {
    fn of(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        stream.local_addr()
    }

    fn is_own(&self, address: IpAddr) -> bool {
        address.is_loopback() || address.is_unspecified() || self.own.contains(&address)
    }
}

/// A connection with its original destination.
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// Where it was meant to go.
    pub destination: SocketAddr,
    /// Its share of the limits, given back when it ends.
    pub permits: [OwnedSemaphorePermit; 2],
}

/// Accepts from one listener until told otherwise; nothing before the sandbox has its snapshot and its authority.
pub async fn run(
    gateway: Arc<Gateway>,
    sandbox: Arc<Sandbox>,
    listener: TcpListener,
    destination: Arc<dyn OriginalDestination>,
    tokens: Tokens,
) {
    let accepting = async {
        loop {
            sandbox.until_ready().await;
            match accept(&gateway, &sandbox, &listener, &*destination).await {
                Ok(Some(accepted)) => spawn(&gateway, &sandbox, accepted, tokens.connections.clone()),
                Ok(None) => {}
                Err(error) => {
                    // Out of descriptors, most likely: pause, so that those in use can come back.
                    tracing::warn!(%error, sandbox = %sandbox.id, "accept failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::select! {
        () = gateway.stop.cancelled() => {}
        () = tokens.accepting.cancelled() => {}
        () = accepting => {}
    }
}

async fn accept(
    gateway: &Gateway,
    sandbox: &Sandbox,
    listener: &TcpListener,
    destination: &dyn OriginalDestination,
) -> io::Result<Option<Accepted>> {
    // Permits first: beyond the limits connections wait in the kernel's queue, where they cost nothing.
    let closed = |_| io::Error::other("the limit is gone");
    let permits = [
        Arc::clone(&sandbox.connections).acquire_owned().await.map_err(closed)?,
        Arc::clone(&gateway.connections).acquire_owned().await.map_err(closed)?,
    ];
    let (stream, _) = listener.accept().await?;
    let Ok(address) = destination.of(&stream) else { return Ok(None) };
    let address = canonical(address);
    if destination.is_own(address.ip()) {
        // The sandbox found the listener's own port. There is nothing behind it.
        tracing::info!(sandbox = %sandbox.id, "refused a connection to the listener itself");
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        return Ok(None);
    }
    stream.set_nodelay(true)?;
    Ok(Some(Accepted { stream, destination: address, permits }))
}

fn spawn(gateway: &Arc<Gateway>, sandbox: &Arc<Sandbox>, accepted: Accepted, end: CancellationToken) {
    let (gateway, sandbox) = (Arc::clone(gateway), Arc::clone(sandbox));
    tokio::spawn(async move {
        sandbox.open.fetch_add(1, Ordering::Relaxed);
        gateway.metrics.connections.inc();
        tokio::select! {
            () = end.cancelled() => {}
            () = stack::serve(Arc::clone(&gateway), Arc::clone(&sandbox), accepted) => {}
        }
        gateway.metrics.connections.dec();
        sandbox.open.fetch_sub(1, Ordering::Relaxed);
    });
}
