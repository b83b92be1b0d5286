//! Everything that one egressd holds, made once and shared.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use openmiosa_credential::{KeyPair, LeaseTable};
use openmiosa_dial::{Dialer, DialerConfig, Pool};
use openmiosa_journal::{Journal, Options, gateway_id};
use openmiosa_link::{Client, Text};
use parking_lot::RwLock;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{harden, metrics::Metrics, record::lower_ulid, refresh::Refreshes, sandbox::Sandbox, settings::Settings};

/// A call to the server, a refresh at the provider included, is given up after this.
const SERVER_LIMIT: Duration = Duration::from_secs(20);

/// The state of the process.
pub struct Gateway {
    /// The configuration.
    pub settings: Settings,
    /// `gw_…`, kept across runs.
    pub id: Text,
    /// This run.
    pub boot: Text,
    /// What leases are sealed to; made anew at each start and never written down.
    pub keys: KeyPair,
    /// The values lent.
    pub leases: LeaseTable,
    /// The record.
    pub journal: Arc<Journal>,
    /// Upstream connections.
    pub pool: Arc<Pool>,
    /// The server's socket, for hello and refresh.
    pub server: Client,
    /// Refreshes under way.
    pub refreshes: Refreshes,
    /// What an operator watches.
    pub metrics: Metrics,
    /// Connections that may still be opened.
    pub connections: Arc<Semaphore>,
    /// Cancelled at SIGTERM.
    pub stop: CancellationToken,
    /// Asks for another hello.
    pub greet: Notify,
    epoch: AtomicU64,
    sandboxes: RwLock<HashMap<Text, Arc<Sandbox>>>,
}

impl Gateway {
    /// Builds it without binding anything. Needs a tokio runtime, as the resolver does.
    pub fn build(settings: Settings, run_dir: &Path, journal_dir: &Path) -> anyhow::Result<Arc<Self>> {
        let id = gateway_id(journal_dir)?;
        let mut options = Options::new(journal_dir, settings.egress.durability);
        options.max_bytes = settings.egress.journal_max_bytes;
        let journal = Arc::new(Journal::open(options)?);
        let dialer = Dialer::new(DialerConfig {
            static_hosts: settings.upstream.routes()?,
            extra_ca_pem: settings.upstream.authorities()?,
            connect_timeout: Duration::from_millis(settings.egress.connect_timeout_ms),
            ..DialerConfig::default()
        })?;
        say_static_hosts(&settings);
        Ok(Arc::new(Self {
            id: id.into(),
            boot: lower_ulid().into(),
            keys: KeyPair::generate()?,
            leases: LeaseTable::new(),
            journal,
            pool: Pool::new(Arc::new(dialer)),
            server: Client::new(&run_dir.join("link.sock"), SERVER_LIMIT),
            refreshes: Refreshes::default(),
            metrics: Metrics::default(),
            connections: Arc::new(Semaphore::new(harden::connections_within(settings.egress.max_connections))),
            stop: CancellationToken::new(),
            greet: Notify::new(),
            epoch: AtomicU64::new(0),
            sandboxes: RwLock::default(),
            settings,
        }))
    }

    /// The sandbox of that id, if anything is known of it.
    pub fn sandbox(&self, id: &str) -> Option<Arc<Sandbox>> {
        self.sandboxes.read().get(id).cloned()
    }

    /// The sandbox of that id, from now on known.
    pub fn sandbox_or_new(&self, id: &str) -> Arc<Sandbox> {
        if let Some(known) = self.sandbox(id) {
            return known;
        }
        let mut sandboxes = self.sandboxes.write();
        Arc::clone(
            sandboxes
                .entry(id.into())
                .or_insert_with(|| Arc::new(Sandbox::new(id.into(), self.settings.egress.max_connections_per_sandbox))),
        )
    }

    /// Forgets a sandbox.
    pub fn forget(&self, id: &str) -> Option<Arc<Sandbox>> {
        self.sandboxes.write().remove(id)
    }

    /// All sandboxes that anything is known of.
    pub fn all_sandboxes(&self) -> Vec<Arc<Sandbox>> {
        self.sandboxes.read().values().cloned().collect()
    }

    /// Whether a placeholder belongs to a sandbox other than `own`.
    pub fn is_foreign(&self, placeholder: &str, own: &str) -> bool {
        let holds = |sandbox: &Sandbox| sandbox.state().is_some_and(|state| state.compiled.binding(placeholder).is_some());
        self.sandboxes.read().values().any(|sandbox| &*sandbox.id != own && holds(sandbox))
    }

    /// Accepts no more, lets open exchanges finish for at most `limit`, and writes the last records.
    pub async fn drain(&self, limit: Duration) {
        self.stop.cancel();
        let deadline = tokio::time::Instant::now() + limit;
        while self.all_sandboxes().iter().any(|sandbox| sandbox.live.count() > 0) && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for sandbox in self.all_sandboxes() {
            sandbox.close();
        }
        if let Err(error) = self.journal.save_acknowledged() {
            tracing::warn!(%error, "the acknowledged number could not be written");
        }
    }

    /// The highest epoch heard.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Hears an epoch; `false` when a later one was heard before.
    pub fn hear_epoch(&self, epoch: u64) -> bool {
        self.epoch.fetch_max(epoch, Ordering::AcqRel) <= epoch
    }
}

/// The only way around the address guard is never silent.
fn say_static_hosts(settings: &Settings) {
    for (name, address) in &settings.upstream.static_hosts {
        tracing::warn!(%name, %address, "operator's static host: calls to this name go to this address, past the address guard");
    }
    for path in &settings.upstream.extra_ca_files {
        tracing::warn!(path = %path.display(), "operator's extra authority: upstreams that it certifies are trusted");
    }
}
