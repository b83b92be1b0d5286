//! What egressd holds for one sandbox.

use std::sync::{Arc, atomic::AtomicUsize};

use arc_swap::ArcSwapOption;
use openmiosa_authority::Authority;
use openmiosa_link::Text;
use openmiosa_policy::Compiled;
use parking_lot::Mutex;
use tokio::sync::{RwLock, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::{dns::names::Names, echo, live::Live};

/// One sandbox: its snapshot, its gate, its names, its live exchanges.
pub struct Sandbox {
    /// `sbx_…`
    pub id: Text,
    /// Requests hold the read side from the last check of the snapshot to their first upstream byte.
    /// Whoever changes a snapshot or a lease passes the write side before saying that it is enforced.
    pub gate: RwLock<()>,
    /// One change at a time.
    pub changes: tokio::sync::Mutex<()>,
    /// Exchanges that may have to be cut.
    pub live: Arc<Live>,
    /// Synthetic addresses.
    pub names: Mutex<Names>,
    /// Connections that may still be opened.
    pub connections: Arc<Semaphore>,
    /// Connections open now.
    pub open: AtomicUsize,
    state: ArcSwapOption<State>,
    ready: watch::Sender<bool>,
    listening: Mutex<Option<Tokens>>,
}

/// What ends the tasks of a sandbox.
#[derive(Clone)]
pub struct Tokens {
    /// Ends accepting.
    pub accepting: CancellationToken,
    /// Ends what was accepted.
    pub connections: CancellationToken,
}

/// A snapshot in force. A request runs under exactly one of these.
pub struct State {
    /// Rules and bindings.
    pub compiled: Compiled,
    /// `None` until the lease of its key is here.
    pub authority: Option<Arc<Authority>>,
    /// `ten_…`
    pub tenant: Text,
    /// What is looked for in answers.
    pub echoes: echo::Cache,
}

impl State {
    /// The snapshot's revision.
    pub fn revision(&self) -> u64 {
        self.compiled.snapshot().revision
    }

    /// The policy's mode, in the contract's word.
    pub fn mode(&self) -> &'static str {
        self.compiled.snapshot().mode.as_str()
    }
}

impl Sandbox {
    /// A sandbox of which only the id is known.
    pub fn new(id: Text, max_connections: usize) -> Self {
        Self {
            id,
            gate: RwLock::new(()),
            changes: tokio::sync::Mutex::new(()),
            live: Arc::default(),
            names: Mutex::default(),
            connections: Arc::new(Semaphore::new(max_connections)),
            open: AtomicUsize::new(0),
            state: ArcSwapOption::empty(),
            ready: watch::Sender::new(false),
            listening: Mutex::new(None),
        }
    }

    /// The snapshot in force.
    pub fn state(&self) -> Option<Arc<State>> {
        self.state.load_full()
    }

    /// Puts a snapshot in force; the caller passes the gate next.
    pub fn store(&self, state: Option<State>) {
        let ready = state.as_ref().is_some_and(|s| s.authority.is_some());
        self.state.store(state.map(Arc::new));
        self.ready.send_replace(ready);
    }

    /// Whether `state` is still the one in force.
    pub fn still(&self, state: &Arc<State>) -> bool {
        self.state.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, state))
    }

    /// Waits until no request is between its last check and its first upstream byte.
    pub async fn pass_gate(&self) {
        drop(self.gate.write().await);
    }

    /// Waits until there is a snapshot and an authority: nothing is accepted before.
    pub async fn until_ready(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Takes new listeners: those before accept no more, and what was accepted through them goes on.
    pub fn listen(&self) -> Tokens {
        let mut listening = self.listening.lock();
        let connections = listening.take().map(|earlier| {
            earlier.accepting.cancel();
            earlier.connections
        });
        let tokens = Tokens { accepting: CancellationToken::new(), connections: connections.unwrap_or_default() };
        *listening = Some(tokens.clone());
        tokens
    }

    /// Whether its listeners are here.
    pub fn is_listening(&self) -> bool {
        self.listening.lock().is_some()
    }

    /// Closes listeners and connections; gives the number of exchanges cut.
    pub fn close(&self) -> usize {
        let cut = self.live.cut(|_| true);
        if let Some(tokens) = self.listening.lock().take() {
            tokens.accepting.cancel();
            tokens.connections.cancel();
        }
        cut
    }
}
