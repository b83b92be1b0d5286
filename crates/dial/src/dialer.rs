//! From a target to a connection that is checked: static hosts or resolver, guard, connect, peer, TLS.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use openmiosa_policy::{Guard, Host, Networks, Target};
use tokio::{net::TcpStream, time::timeout};

use crate::{connect, error::DialError, meter::Meter, own, resolve::Resolver, tls::Tls, upstream::Upstream};

/// What an operator sets.
pub struct DialerConfig {
    /// Names and ports that are dialled at a fixed address: the only way around the guard.
    pub static_hosts: Vec<(Host, u16, SocketAddr)>,
    /// Authorities trusted besides the system's, as PEM files.
    pub extra_ca_pem: Vec<Vec<u8>>,
    /// For name, connection and TLS together.
    pub connect_timeout: Duration,
    /// Instead of the name servers of the system's configuration.
    pub name_servers: Option<Vec<SocketAddr>>,
}

impl Default for DialerConfig {
    fn default() -> Self {
        Self { static_hosts: Vec::new(), extra_ca_pem: Vec::new(), connect_timeout: Duration::from_secs(10), name_servers: None }
    }
}

/// Why a dialer cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DialerError {
    /// An extra authority that is none.
    #[error("extra certificate authority number {index} cannot be used: {message}")]
    ExtraCa {
        /// Counted from one, in the order of the configuration.
        index: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The resolver or the TLS library refused its settings.
    #[error("the dialer cannot be set up: {0}")]
    Setup(String),
}

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Name or literal address.
    pub target: Target,
    /// The port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

/// Dials origins.
pub struct Dialer {
    statics: HashMap<(Host, u16), SocketAddr>,
    guard: Guard,
    resolver: Resolver,
    tls: Tls,
    connect_timeout: Duration,
}

impl Dialer {
    /// Sets everything up; must be called within the runtime that will dial.
    pub fn new(config: DialerConfig) -> Result<Self, DialerError> {
        let statics: HashMap<_, _> = config.static_hosts.into_iter().map(|(host, port, address)| ((host, port), address)).collect();
        for ((host, port), address) in &statics {
            tracing::info!(%host, port, %address, "static host: dialled without address checks, because the configuration says so");
        }
        Ok(Self {
            statics,
            guard: Guard::new(own::public_addresses()),
            resolver: Resolver::new(config.name_servers.as_deref())?,
            tls: Tls::new(&config.extra_ca_pem)?,
            connect_timeout: config.connect_timeout,
        })
    }

    /// Connects to an origin, within the configured time.
    pub async fn dial(&self, origin: &Origin, networks: &Networks) -> Result<Upstream, DialError> {
        let dialled = timeout(self.connect_timeout, self.dial_unbounded(origin, networks)).await;
        dialled.unwrap_or_else(|_| Err(DialError::timeout(None)))
    }

    /// Whether a connection that exists may be used under these rules.
    pub(crate) fn permits(&self, origin: &Origin, peer: SocketAddr, networks: &Networks) -> bool {
        self.static_address(origin).map_or_else(|| self.guard.check(peer.ip(), networks).is_ok(), |address| address == peer)
    }

    async fn dial_unbounded(&self, origin: &Origin, networks: &Networks) -> Result<Upstream, DialError> {
        let stream = match self.static_address(origin) {
            Some(address) => connect::one(address).await?,
            None => self.connect_guarded(origin, networks).await?,
        };
        let peer = stream.peer_addr().map_err(|error| DialError::resolve(format!("the connection ended at once: {error}")))?;
        // Small writes are whole requests here; waiting for more of them only adds delay.
        stream.set_nodelay(true).map_err(|error| DialError::unreachable(peer, &error))?;
        let (metered, meter) = Meter::wrap(stream);
        if origin.tls {
            let secured = self.tls.handshake(&origin.target, peer, metered).await?;
            Upstream::start(secured, meter, peer).await
        } else {
            Upstream::start(metered, meter, peer).await
        }
    }

    async fn connect_guarded(&self, origin: &Origin, networks: &Networks) -> Result<TcpStream, DialError> {
        let resolved = match &origin.target {
            Target::Name(host) => self.resolver.resolve(host).await?,
            Target::Literal(address) => vec![*address],
        };
        let permitted = self.permitted(resolved, networks)?;
        let stream = connect::first(&permitted, origin.port).await?;
        // What was checked is what was dialled; the peer that the kernel names is checked once more.
        let peer = stream.peer_addr().map_err(|error| DialError::resolve(format!("the connection ended at once: {error}")))?;
        self.guard.check(peer.ip(), networks).map_err(|denied| DialError::denied(&denied))?;
        Ok(stream)
    }

    /// The addresses that may be dialled; an answer with denied ones alone is a refusal.
    fn permitted(&self, resolved: Vec<IpAddr>, networks: &Networks) -> Result<Vec<IpAddr>, DialError> {
        let mut permitted = Vec::with_capacity(resolved.len());
        let mut refusal = None;
        for address in resolved {
            match self.guard.check(address, networks) {
                Ok(()) => permitted.push(address),
                Err(denied) => refusal = Some(DialError::denied(&denied)),
            }
        }
        match refusal {
            Some(refusal) if permitted.is_empty() => Err(refusal),
            _ => Ok(permitted),
        }
    }

    fn static_address(&self, origin: &Origin) -> Option<SocketAddr> {
        match &origin.target {
            Target::Name(host) if !self.statics.is_empty() => self.statics.get(&(host.clone(), origin.port)).copied(),
            _ => None,
        }
    }
}
