//! Idle connections, kept apart by sandbox, binding revision and origin; the newest is used first.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use openmiosa_policy::Networks;
use parking_lot::Mutex;

use crate::{
    dialer::{Dialer, Origin},
    error::DialError,
    upstream::Upstream,
};

/// Servers end idle connections after a minute or so; using one at that moment costs a retry.
const MAX_IDLE: Duration = Duration::from_secs(30);
const IDLE_PER_ORIGIN: usize = 8;
const IDLE_PER_SANDBOX: usize = 64;

/// Who may use a connection, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// `sbx_…`
    pub sandbox: Arc<str>,
    /// The revision of the sandbox's bindings.
    pub revision: u64,
    /// Where it leads.
    pub origin: Origin,
}

/// Connections to upstreams.
pub struct Pool {
    dialer: Arc<Dialer>,
    racks: Mutex<HashMap<Arc<str>, Arc<Rack>>>,
}

/// The idle connections of one sandbox.
#[derive(Default)]
pub(crate) struct Rack {
    inner: Mutex<RackInner>,
}

#[derive(Default)]
struct RackInner {
    closed: bool,
    floor: u64,
    idle: HashMap<(u64, Origin), Vec<Idle>>,
    count: usize,
}

struct Idle {
    upstream: Upstream,
    since: Instant,
}

impl Pool {
    /// A pool that dials with `dialer`, and forgets idle connections while the runtime lives.
    pub fn new(dialer: Arc<Dialer>) -> Arc<Self> {
        let pool = Arc::new(Self { dialer, racks: Mutex::new(HashMap::new()) });
        tokio::spawn(expire(Arc::downgrade(&pool)));
        pool
    }

    /// An idle connection that is still good under these rules, or a new one.
    pub async fn acquire(&self, key: &PoolKey, networks: &Networks) -> Result<Upstream, DialError> {
        let rack = self.rack(&key.sandbox);
        while let Some(upstream) = rack.take(key.revision, &key.origin) {
            if upstream.is_usable() && self.dialer.permits(&key.origin, upstream.peer(), networks) {
                return Ok(upstream.at_home(&rack, key.revision, key.origin.clone()));
            }
        }
        self.connect(key, networks).await
    }

    /// A new connection, for a request that an idle one did not take.
    pub async fn connect(&self, key: &PoolKey, networks: &Networks) -> Result<Upstream, DialError> {
        let upstream = self.dialer.dial(&key.origin, networks).await?;
        Ok(upstream.at_home(&self.rack(&key.sandbox), key.revision, key.origin.clone()))
    }

    /// Ends a sandbox's idle connections; those in use end when they are released.
    pub fn close_sandbox(&self, sandbox: &str) {
        if let Some(rack) = self.racks.lock().remove(sandbox) {
            rack.close();
        }
    }

    /// Ends a sandbox's connections of earlier binding revisions in the same way.
    pub fn close_older(&self, sandbox: &str, revision: u64) {
        self.rack(&Arc::from(sandbox)).raise_floor(revision);
    }

    /// Idle connections of a sandbox.
    pub fn idle(&self, sandbox: &str) -> usize {
        self.racks.lock().get(sandbox).map_or(0, |rack| rack.inner.lock().count)
    }

    fn rack(&self, sandbox: &Arc<str>) -> Arc<Rack> {
        Arc::clone(self.racks.lock().entry(Arc::clone(sandbox)).or_default())
    }
}

impl Rack {
    pub(crate) fn put(&self, revision: u64, origin: Origin, upstream: Upstream) {
        let mut inner = self.inner.lock();
        if inner.closed || revision < inner.floor || inner.count >= IDLE_PER_SANDBOX {
            return;
        }
        let idle = inner.idle.entry((revision, origin)).or_default();
        if idle.len() < IDLE_PER_ORIGIN {
            idle.push(Idle { upstream, since: Instant::now() });
            inner.count += 1;
        }
    }

    fn take(&self, revision: u64, origin: &Origin) -> Option<Upstream> {
        let mut inner = self.inner.lock();
        let key = (revision, origin.clone());
        let newest = inner.idle.get_mut(&key)?.pop()?;
        inner.count -= 1;
        Some(newest.upstream)
    }

    fn close(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.idle.clear();
        inner.count = 0;
    }

    fn raise_floor(&self, revision: u64) {
        let mut inner = self.inner.lock();
        inner.floor = inner.floor.max(revision);
        let floor = inner.floor;
        inner.retain(|(revision, _), _| *revision >= floor);
    }

    fn expire(&self, now: Instant) {
        self.inner.lock().retain(|_, idle| idle.upstream.is_usable() && now.duration_since(idle.since) < MAX_IDLE);
    }
}

impl RackInner {
    fn retain(&mut self, keep: impl Fn(&(u64, Origin), &Idle) -> bool) {
        self.idle.retain(|key, idle| {
            idle.retain(|idle| keep(key, idle));
            !idle.is_empty()
        });
        self.count = self.idle.values().map(Vec::len).sum();
    }
}

/// Drops idle connections that are too old or that the other side has ended.
async fn expire(pool: Weak<Pool>) {
    let mut ticks = tokio::time::interval(MAX_IDLE / 6);
    loop {
        ticks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        let racks: Vec<_> = pool.racks.lock().values().cloned().collect();
        for rack in racks {
            rack.expire(Instant::now());
        }
    }
}
