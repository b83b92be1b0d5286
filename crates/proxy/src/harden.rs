//! What this process gives up before it touches anything: it holds values, so nobody may look into it.

use std::io;

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};

/// Listeners, idle upstream connections, journal and link.
const OWN_DESCRIPTORS: u64 = 512;

/// Not dumpable, no core, no new privileges, no capabilities; memory locked where the limit allows it.
pub fn process() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_no_new_privs(true)?;
    lock_memory();
    drop_capabilities()?;
    Ok(())
}

/// As many descriptors as this process may have. One sandbox must not use up those of the others, of the journal and of
/// the link, so connections, which cost two each, get half of what is left of them.
pub fn connections_within(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let held = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let possible = held.map_or(wanted, |held| usize::try_from(held.saturating_sub(OWN_DESCRIPTORS) / 2).unwrap_or(wanted));
    if possible < wanted {
        tracing::warn!(wanted, possible, "fewer connections than configured: the limit on open files is too low");
    }
    wanted.min(possible.max(1))
}

/// Keeps values out of swap where the limit on locked memory allows it. A limit that is too low would make
/// later allocations fail, so it is all or nothing.
fn lock_memory() {
    let unlimited = Rlimit { current: None, maximum: None };
    let allowed = setrlimit(Resource::Memlock, unlimited).is_ok() || getrlimit(Resource::Memlock).current.is_none();
    let locked = allowed && mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok();
    tracing::info!(locked, "memory locking (without it values may reach swap)");
}

fn drop_capabilities() -> io::Result<()> {
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}
