//! Who may call: the user ids that a socket's `SO_PEERCRED` is held against.

use std::os::fd::AsFd;

/// The user ids that an accepting side believes.
#[derive(Clone, Debug)]
pub struct PeerPolicy {
    uids: Vec<u32>,
}

impl PeerPolicy {
    /// This process's own user, root, and the ids named on the command line.
    pub fn new(named: &[u32]) -> Self {
        let mut uids = vec![0, rustix::process::geteuid().as_raw()];
        uids.extend_from_slice(named);
        Self { uids }
    }

    /// Whether the other end of a Unix socket is one of them.
    pub fn admits(&self, socket: impl AsFd) -> bool {
        rustix::net::sockopt::socket_peercred(socket).is_ok_and(|peer| self.uids.contains(&peer.uid.as_raw()))
    }
}
