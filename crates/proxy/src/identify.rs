//! Who connects, and to what: the listener says the sandbox, the address says the name.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use openmiosa_link::Reason;
use openmiosa_policy::{Host, Target};
use parking_lot::Mutex;

use crate::{dns::names::is_synthetic, gateway::Gateway, record::Event, refusal::Refusal, sandbox::Sandbox};

/// A connection out of a sandbox.
pub struct Connection {
    /// Everything shared.
    pub gateway: Arc<Gateway>,
    /// Whose listener it came through.
    pub sandbox: Arc<Sandbox>,
    /// The port that was connected to.
    pub port: u16,
    /// Whether the sandbox spoke TLS.
    pub tls: bool,
    /// What every request on it is answered with, when the connection itself is wrong.
    pub verdict: Option<Refusal>,
    destination: Destination,
    /// The name in the TLS hello.
    server_name: Option<Host>,
    attempt: Mutex<Option<Event>>,
}

/// What an original destination stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A name that was asked for.
    Name(Host),
    /// A synthetic address without a name in this run.
    Unassigned(Ipv4Addr),
    /// An address that the client wrote itself.
    Literal(IpAddr),
}

impl Destination {
    /// What stands behind an address, for this sandbox.
    pub fn of(sandbox: &Sandbox, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) if is_synthetic(v4) => match sandbox.names.lock().connect(v4, Instant::now()) {
                Some(host) => Self::Name(host),
                None => Self::Unassigned(v4),
            },
            other => Self::Literal(other),
        }
    }
}

impl Connection {
    /// A connection whose protocol is known.
    pub fn new(gateway: Arc<Gateway>, sandbox: Arc<Sandbox>, destination: Destination, port: u16, attempt: Event) -> Self {
        Self { gateway, sandbox, port, tls: false, verdict: None, destination, server_name: None, attempt: Mutex::new(Some(attempt)) }
    }

    /// With what the TLS hello says. A name that disagrees with the address is refused in every request.
    #[must_use]
    pub fn with_tls(mut self, server_name: Option<&str>) -> Self {
        self.tls = true;
        match server_name.map(Host::parse) {
            None if matches!(self.destination, Destination::Literal(_)) => {}
            None => self.verdict = Some(Reason::SniMissing.into()),
            Some(Err(error)) => self.verdict = Some(Refusal::because(Reason::HostSyntax, error.to_string())),
            Some(Ok(host)) => {
                self.verdict = self.agree(&Target::Name(host.clone())).err();
                self.server_name = Some(host);
            }
        }
        self
    }

    /// The name that the leaf certificate carries: the one that the client will check.
    pub fn leaf_name(&self) -> Target {
        match (&self.server_name, &self.destination) {
            (Some(host), _) | (None, Destination::Name(host)) => Target::Name(host.clone()),
            (None, Destination::Unassigned(address)) => Target::Literal((*address).into()),
            (None, Destination::Literal(address)) => Target::Literal(*address),
        }
    }

    /// What the connection is for, as far as it is known without a Host header.
    pub fn settled(&self) -> Option<Target> {
        match (&self.server_name, &self.destination) {
            (Some(host), _) | (None, Destination::Name(host)) => Some(Target::Name(host.clone())),
            (None, Destination::Literal(address)) => Some(Target::Literal(*address)),
            (None, Destination::Unassigned(_)) => None,
        }
    }

    /// Whether a name agrees with everything that the connection has said so far.
    pub fn agree(&self, target: &Target) -> Result<(), Refusal> {
        let mismatch = |what: &str| Err(Refusal::because(Reason::AuthorityMismatch, what));
        if let (Some(server_name), Target::Name(host)) = (&self.server_name, target)
            && server_name != host
        {
            return mismatch("the Host header and the TLS server name differ");
        }
        match (&self.destination, target) {
            (Destination::Name(known), Target::Name(host)) if known == host => Ok(()),
            (Destination::Literal(address), Target::Literal(named)) if address == named => Ok(()),
            (Destination::Unassigned(address), Target::Name(host)) if self.is_of(*address, host) => Ok(()),
            (Destination::Unassigned(_), _) => Err(Refusal::because(Reason::LiteralDenied, "an address that was never handed out")),
            _ => mismatch("the name and the address that is connected to differ"),
        }
    }

    /// The event of the next request: the first takes over the connection's own.
    pub fn next_event(&self) -> Event {
        let protocol = if self.tls { "https" } else { "http" };
        let attempt = self.attempt.lock().take();
        let mut event = attempt.unwrap_or_else(|| Event::open(&self.gateway, &self.sandbox, self.port, protocol));
        event.call.protocol = protocol;
        event.restart();
        event
    }

    /// The event of a connection that no request has taken over.
    pub fn take_attempt(&self) -> Option<Event> {
        self.attempt.lock().take()
    }

    /// After a restart of egressd a client may still use an address that the predecessor handed out.
    fn is_of(&self, address: Ipv4Addr, host: &Host) -> bool {
        let mut names = self.sandbox.names.lock();
        let now = Instant::now();
        match names.connect(address, now) {
            Some(known) => known == *host,
            None => names.readopt(address, host, now),
        }
    }
}

/// The canonical form of an original destination: a mapped IPv4 address is an IPv4 address.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
