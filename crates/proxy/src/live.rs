//! Exchanges that are going on, so that a policy which says no can cut them.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
};

use openmiosa_link::Text;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::request::Asked;

/// The live exchanges of one sandbox.
#[derive(Default)]
pub struct Live {
    next: AtomicU64,
    entries: Mutex<HashMap<u64, Entry>>,
}

/// One of them.
pub struct Entry {
    /// What was asked.
    pub asked: Arc<Asked>,
    /// The bindings whose values it carries.
    pub bindings: Vec<Text>,
    /// The secrets whose values it carries.
    pub secrets: Vec<Text>,
    cut: CancellationToken,
}

/// Keeps an exchange in the registry for as long as it lives.
pub struct Exchange {
    live: Arc<Live>,
    id: u64,
    /// Cancelled when policy cuts the exchange.
    pub cut: CancellationToken,
}

impl Live {
    /// Registers an exchange. Done before the gate is passed, so that whoever closes the gate sees it.
    pub fn register(self: &Arc<Self>, asked: Arc<Asked>, bindings: Vec<Text>, secrets: Vec<Text>) -> Exchange {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let cut = CancellationToken::new();
        self.entries.lock().insert(id, Entry { asked, bindings, secrets, cut: cut.clone() });
        Exchange { live: Arc::clone(self), id, cut }
    }

    /// Cuts every exchange that `refused` says yes to; gives their number.
    pub fn cut(&self, refused: impl Fn(&Entry) -> bool) -> usize {
        let mut count = 0;
        for entry in self.entries.lock().values() {
            if !entry.cut.is_cancelled() && refused(entry) {
                entry.cut.cancel();
                count += 1;
            }
        }
        count
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.entries.lock().len()
    }
}

impl Exchange {
    /// The upstream has answered that these values are worth nothing: taking them back, which is what the server does with an account that
    /// is refused for good, must not take that answer away as well. Policy cuts the exchange as before.
    pub fn refused(&self, secrets: &[(Text, u64)]) {
        let mut entries = self.live.entries.lock();
        let Some(entry) = entries.get_mut(&self.id) else { return };
        let worthless = |secret: &Text| secrets.iter().any(|(refused, _)| refused == secret);
        let kept = |(secret, _): &(&Text, &Text)| !worthless(secret);
        entry.bindings = entry.secrets.iter().zip(&entry.bindings).filter(kept).map(|(_, binding)| binding.clone()).collect();
        entry.secrets.retain(|secret| !worthless(secret));
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.live.entries.lock().remove(&self.id);
    }
}
