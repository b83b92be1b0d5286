//! The part of the configuration file that egressd reads: `[egress]`, `[upstream]` and `[log]`.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, path::PathBuf, time::Duration};

use openmiosa_journal::Durability;
use openmiosa_policy::Host;
use serde::Deserialize;
use thiserror::Error;

/// Why the configuration cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The file is not what it should be.
    #[error("the configuration is not valid: {0}")]
    Invalid(#[from] toml::de::Error),
    /// A static host is not `host:port = address:port`.
    #[error("upstream.static_hosts: {0:?} = {1:?} is not \"host:port\" = \"address:port\"")]
    StaticHost(String, String),
}

/// What egressd takes from the file. Other sections belong to the server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Limits and durability.
    pub egress: Egress,
    /// The operator's own routes and trust.
    pub upstream: Upstream,
    /// Level of the log.
    pub log: Log,
}

/// `[egress]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Egress {
    /// When a record counts as written.
    pub durability: Durability,
    /// How long an upstream may take to its response head.
    pub header_timeout_ms: u64,
    /// How long a connection may be idle.
    pub idle_timeout_ms: u64,
    /// How long a client may take to say what it wants.
    pub hello_timeout_ms: u64,
    /// How long connecting may take, TLS included.
    pub connect_timeout_ms: u64,
    /// Connections open at once, over all sandboxes.
    pub max_connections: usize,
    /// Connections open at once from one sandbox.
    pub max_connections_per_sandbox: usize,
    /// How long a name may be unused before it is recorded.
    pub dns_window_ms: u64,
    /// How long open exchanges may go on after SIGTERM.
    pub drain_ms: u64,
    /// Whether values are taken out of what bound hosts answer.
    pub mask_echoes: bool,
    /// Unshipped records above this stop requests that carry secrets.
    pub journal_max_bytes: u64,
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            durability: Durability::Write,
            header_timeout_ms: 600_000,
            idle_timeout_ms: 120_000,
            hello_timeout_ms: 10_000,
            connect_timeout_ms: 10_000,
            max_connections: 16_384,
            max_connections_per_sandbox: 1024,
            dns_window_ms: 10_000,
            drain_ms: 5_000,
            mask_echoes: true,
            journal_max_bytes: 1 << 30,
        }
    }
}

impl Egress {
    /// How long a name may be unused before it is recorded.
    pub fn dns_window(&self) -> Duration {
        Duration::from_millis(self.dns_window_ms)
    }
    /// How long an upstream may take to its response head.
    pub fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }
    /// How long a connection may be idle.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }
    /// How long a client may take to say what it wants.
    pub fn hello_timeout(&self) -> Duration {
        Duration::from_millis(self.hello_timeout_ms)
    }
}

/// `[upstream]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Upstream {
    /// PEM files of authorities that are trusted beside the system's.
    pub extra_ca_files: Vec<PathBuf>,
    /// `"host:port" = "address:port"`, the only way around the address guard.
    pub static_hosts: BTreeMap<String, String>,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Log {
    /// A `tracing` filter.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into() }
    }
}

impl Settings {
    /// Reads the file; an absent one means the defaults.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(toml::from_str(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(SettingsError::Unreadable(path.to_owned(), error)),
        }
    }
}

impl Settings {
    /// Whether every value means something.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.upstream.routes()?;
        self.upstream.authorities()?;
        Ok(())
    }
}

impl Upstream {
    /// The static hosts, parsed.
    pub fn routes(&self) -> Result<Vec<(Host, u16, SocketAddr)>, SettingsError> {
        let parse = |name: &str, address: &str| {
            let (host, port) = name.rsplit_once(':')?;
            Some((Host::parse(host).ok()?, port.parse().ok()?, address.parse().ok()?))
        };
        self.static_hosts
            .iter()
            .map(|(name, address)| parse(name, address).ok_or_else(|| SettingsError::StaticHost(name.clone(), address.clone())))
            .collect()
    }

    /// The extra authorities' PEM texts.
    pub fn authorities(&self) -> Result<Vec<Vec<u8>>, SettingsError> {
        self.extra_ca_files.iter().map(|path| fs::read(path).map_err(|error| SettingsError::Unreadable(path.clone(), error))).collect()
    }
}
