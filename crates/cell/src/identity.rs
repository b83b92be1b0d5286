//! Which user ids a sandbox gets.

use openmiosa_sys::FileIdentity;

/// The user that programs run as, seen from inside.
pub const AGENT: u32 = 1000;
/// Ids from here to `OWNERS` are handed out in ranges of 65,536.
const BASES: u32 = 0x2000_0000;
/// One id a sandbox, which owns its user namespace and nothing else.
const OWNERS: u32 = 0x7000_0000;
/// How many slots fit in between.
pub const SLOTS: u32 = (OWNERS - BASES) >> 16;

/// With whose power cell runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Host root: each sandbox has a range of user ids of its own.
    Root,
    /// Anybody: the one user inside is the caller.
    Rootless,
}

/// The ids of one sandbox on the host.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// Owner of its user namespace. Never shared: what the kernel counts by user (inotify instances, for one) is counted on it.
    pub owner: u32,
    /// What its user 0 is outside, if it has one.
    pub base: u32,
    /// What its agent is outside.
    pub agent: FileIdentity,
}

impl Ids {
    /// The ids of the sandbox in `slot`.
    pub fn of(mode: Mode, slot: u32) -> Self {
        match mode {
            Mode::Root => {
                let base = BASES + (slot << 16);
                Self { owner: OWNERS + slot, base, agent: FileIdentity { uid: base + AGENT, gid: base + AGENT } }
            }
            Mode::Rootless => {
                let uid = rustix::process::geteuid().as_raw();
                let gid = rustix::process::getegid().as_raw();
                Self { owner: uid, base: uid, agent: FileIdentity { uid, gid } }
            }
        }
    }

    /// Who owns the unwritable part of the root file system, in the words of the user namespace that mounts it.
    pub fn root_owner(&self, mode: Mode) -> u32 {
        if mode == Mode::Root { self.base } else { AGENT }
    }
}

/// Host root with all ids may hand out ids; root of a container that has only some may not.
pub fn detect_mode() -> Mode {
    let whole = std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.split_whitespace().nth(2) == Some("4294967295"));
    if rustix::process::geteuid().is_root() && whole { Mode::Root } else { Mode::Rootless }
}
