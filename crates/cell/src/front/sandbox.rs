//! One sandbox that runs.

use std::{
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use openmiosa_sys::FileIdentity;
use parking_lot::Mutex;
use rustix::process::{Signal, pidfd_send_signal};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    init_link::InitLink,
    problem::{Outcome, Problem},
    process::time,
    processes::Processes,
    spawner_client::Parts,
    usage::{self, Usage},
};
use crate::{limits::Groups, redirect::Network, spec::SandboxSpec};

/// A small part of the threads that tokio lets block.
const FILE_TURNS: usize = 16;
/// The host has 128 watchers for each user, and sandboxes share one.
const WATCH_TURNS: usize = 8;
const STOP: i32 = 19;
const CONTINUE: i32 = 18;
const EVERYBODY: i32 = -1;

/// The sockets that the gateway serves; a duplicate stays here, so that connections can wait for one.
pub struct Sockets {
    /// Listeners.
    pub tcp: Vec<OwnedFd>,
    /// DNS.
    pub udp: Vec<OwnedFd>,
}

/// One sandbox that runs.
pub struct Sandbox {
    /// `sbx_…`
    pub id: String,
    /// What it was asked to be.
    pub spec: SandboxSpec,
    /// Its own folder on the host.
    pub folder: PathBuf,
    /// As whom its files are touched; nobody else when cell is not root.
    pub identity: Option<FileIdentity>,
    /// Its root folder.
    pub root: Arc<OwnedFd>,
    /// Its network.
    pub network: Network,
    /// What the gateway serves.
    pub sockets: Mutex<Option<Arc<Sockets>>>,
    /// The channel to its PID 1.
    pub init: Arc<InitLink>,
    /// Its processes.
    pub processes: Processes,
    /// Turns at its files, each a thread of cell: one sandbox must not hold them all.
    pub file_turns: Arc<Semaphore>,
    /// How many may watch its files at once.
    pub watch_turns: Arc<Semaphore>,
    /// Cancelled when nothing of it runs any more.
    pub gone: CancellationToken,
    pid: i32,
    pidfd: OwnedFd,
    groups: Groups,
    paused: AtomicBool,
    started_at: Timestamp,
}

impl Sandbox {
    /// Takes over what the spawner made.
    pub fn adopt(id: &str, spec: SandboxSpec, folder: PathBuf, identity: Option<FileIdentity>, parts: Parts) -> std::io::Result<Self> {
        Ok(Self {
            id: id.to_owned(),
            spec,
            folder,
            identity,
            root: Arc::new(parts.root),
            network: parts.network,
            sockets: Mutex::new(Some(Arc::new(Sockets { tcp: parts.tcp, udp: parts.udp }))),
            init: InitLink::start(parts.init)?,
            processes: Processes::default(),
            file_turns: Arc::new(Semaphore::new(FILE_TURNS)),
            watch_turns: Arc::new(Semaphore::new(WATCH_TURNS)),
            gone: parts.gone,
            pid: parts.pid,
            pidfd: parts.pidfd,
            groups: parts.groups,
            paused: AtomicBool::new(false),
            started_at: Timestamp::now(),
        })
    }

    /// As the contract spells it.
    pub fn describe(&self) -> Value {
        let state = if self.paused() { "paused" } else { "running" };
        json!({"id": self.id, "state": state, "pid": self.pid, "started_at": time(self.started_at)})
    }

    /// What it uses of the host.
    pub async fn usage(&self) -> Usage {
        let (pid, groups) = (self.pid, self.groups.clone());
        tokio::task::spawn_blocking(move || usage::measure(pid, &groups)).await.unwrap_or_default()
    }

    /// Whether it is paused.
    pub fn paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Stops or continues every process, by the freezer where there is one.
    pub async fn set_paused(&self, paused: bool) -> Outcome<()> {
        match self.groups.freeze(paused) {
            Some(result) => result?,
            None => {
                self.init.signal(EVERYBODY, if paused { STOP } else { CONTINUE }).await.or_else(|error| match error.raw_os_error() {
                    // There is nobody but init.
                    Some(libc::ESRCH) => Ok(()),
                    _ => Err(error),
                })?;
            }
        }
        self.paused.store(paused, Ordering::Release);
        Ok(())
    }

    /// An error while it is paused: init could not answer.
    pub fn must_run(&self) -> Outcome<()> {
        if self.paused() { Err(Problem::not_running(format!("sandbox {} is paused; resume it first", self.id))) } else { Ok(()) }
    }

    /// Ends every process. Resolves when they are gone, and its control groups too.
    pub async fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = self.groups.freeze(false);
        self.gone.cancelled().await;
    }
}
