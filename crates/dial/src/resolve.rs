//! Names to addresses, by the system's name servers: whole names only, no search list, no hosts file.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    proto::rr::Name,
    system_conf::read_system_conf,
};
use openmiosa_policy::Host;

use crate::{dialer::DialerError, error::DialError};

/// More addresses than this in one answer are not looked at.
const MAX_ADDRESSES: usize = 16;

pub(crate) struct Resolver {
    resolver: Option<TokioResolver>,
}

impl Resolver {
    pub fn new(servers: Option<&[SocketAddr]>) -> Result<Self, DialerError> {
        let config = match servers {
            Some(servers) => ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(|server| name_server(*server)).collect()),
            None => match read_system_conf() {
                Ok((config, _)) => ResolverConfig::from_parts(None, Vec::new(), config.name_servers().to_vec()),
                Err(error) => {
                    tracing::warn!(%error, "no name servers are configured; only static hosts and literal addresses can be reached");
                    return Ok(Self { resolver: None });
                }
            },
        };
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options();
        let resolver = builder.build().map_err(|error| DialerError::Setup(error.to_string()))?;
        Ok(Self { resolver: Some(resolver) })
    }

    pub async fn resolve(&self, host: &Host) -> Result<Vec<IpAddr>, DialError> {
        let resolver = self.resolver.as_ref().ok_or_else(|| DialError::resolve("this machine has no name servers"))?;
        let mut name = Name::from_ascii(host.as_str()).map_err(DialError::resolve)?;
        name.set_fqdn(true);
        let answer = resolver.lookup_ip(name).await.map_err(DialError::resolve)?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in answer.iter().take(MAX_ADDRESSES) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(DialError::resolve("it has no address"));
        }
        Ok(addresses)
    }
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.ndots = 0;
    options.timeout = Duration::from_secs(2);
    options.attempts = 2;
    options.cache_size = 4096;
    options.positive_max_ttl = Some(Duration::from_secs(300));
    options.negative_max_ttl = Some(Duration::from_secs(30));
    options
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at_port = |protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![at_port(ProtocolConfig::Udp), at_port(ProtocolConfig::Tcp)])
}
