//! The front: answers `cell.sock`, holds every sandbox's sockets, and hands them to the gateway.

pub mod channel;
mod connect;
mod files;
mod folders;
pub mod handover;
mod init_link;
mod output;
mod paths;
mod problem;
mod process;
mod processes;
mod pump;
mod query;
mod registry;
mod ring;
mod routes;
mod sandbox;
mod spawner_client;
mod tree;
mod usage;
mod watch;

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use openmiosa_link::{PeerPolicy, server};
use rustix::{
    fs::{FlockOperation, Mode as FileMode, OFlags, flock, open},
    io::Errno,
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
};
use tokio_util::sync::CancellationToken;

use self::{handover::Handover, registry::Registry, routes::App, spawner_client::SpawnerClient};
use crate::host::Host;

/// Only this user, and root, may open them; the peer's id is checked besides.
const SOCKET_MODE: u32 = 0o600;

/// How long a predecessor may take to end.
const FORMER_CELL: Duration = Duration::from_secs(10);

/// Where the front works, and for whom.
pub struct Options {
    /// The folder of the sockets.
    pub run: PathBuf,
    /// The folder of the files.
    pub state: PathBuf,
    /// Users, beside root and this one, that may ask.
    pub peers: Vec<u32>,
    /// The gateway's user, when it is another one.
    pub gateway: Option<u32>,
}

/// Why the front stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was told to.
    Asked,
    /// The spawner has died.
    SpawnerLost,
}

/// Serves until `stop`, or until the spawner dies.
pub async fn run(options: Options, host: Host, spawner: OwnedFd, stop: CancellationToken) -> io::Result<Stopped> {
    harden()?;
    let lost = CancellationToken::new();
    let handover = Arc::new(Handover::default());
    let spawner = SpawnerClient::start(spawner, lost.clone())?;
    let registry = Registry::open(host.mode, &options.state, spawner, Arc::clone(&handover))?;
    let listeners = handover::open(&options.run.join("listeners.sock"), options.gateway)?;
    let gateways: Vec<u32> = options.peers.iter().copied().chain(options.gateway).collect();
    tokio::spawn(handover.serve(listeners, PeerPolicy::new(&gateways)));
    let cell = server::bind(&options.run.join("cell.sock"), SOCKET_MODE)?;
    if let Some(missing) = host.missing() {
        tracing::error!(missing, "this host cannot isolate sandboxes; none will be made");
    }
    tracing::info!(mode = ?host.mode, steering = ?host.steering, limits = host.limits, "ready");
    let app = Arc::new(App { registry, host });
    let serving =
        server::serve(cell, PeerPolicy::new(&options.peers), stop.clone(), move |request| routes::answer(Arc::clone(&app), request));
    tokio::select! {
        () = serving => Ok(Stopped::Asked),
        () = lost.cancelled() => Ok(Stopped::SpawnerLost),
    }
}

/// Makes sure that no other cell works in this folder: the lock is held by the front and by its spawner, whichever lives longer.
pub fn lock(state: &Path) -> io::Result<OwnedFd> {
    let lock = open(state.join("lock"), OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC, FileMode::RUSR | FileMode::WUSR)?;
    // The spawner of a cell that was killed needs a moment to clean up after it.
    let deadline = Instant::now() + FORMER_CELL;
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            other => return Ok(other.map(|()| lock)?),
        }
    }
}

/// Nobody of the same user reads this process's memory, and there are descriptors for many sandboxes.
fn harden() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}
