//! Step 6: giving up power, for good: capabilities, new privileges, files outside the root, and most system calls.

use caps::CapSet;
use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope};
use rustix::thread::set_no_new_privs;

use crate::{
    error::{Doing, StepError},
    seccomp::Filters,
};

/// The newest rights that this program knows; an older kernel enforces those that it has.
const NEWEST: ABI = ABI::V6;

/// Applies everything to this process and to all that it will ever start.
pub fn confine(filters: &Filters) -> Result<(), StepError> {
    drop_capabilities()?;
    set_no_new_privs(true).doing("set no_new_privs")?;
    stay_below_root()?;
    filters.apply()
}

fn drop_capabilities() -> Result<(), StepError> {
    // The bounding set first: dropping from it is a privilege itself.
    for set in [CapSet::Bounding, CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|e| StepError::new("drop capabilities", &e.to_string()))?;
    }
    Ok(())
}

/// A folder of the host that slips through as an open descriptor must still be useless.
fn stay_below_root() -> Result<(), StepError> {
    let rights = AccessFs::from_all(NEWEST);
    let restrict = || -> Result<(), Box<dyn std::error::Error>> {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(rights)?
            .scope(Scope::AbstractUnixSocket | Scope::Signal)?
            .create()?
            .add_rule(PathBeneath::new(PathFd::new("/")?, rights))?
            .restrict_self()?;
        Ok(())
    };
    restrict().map_err(|e| StepError::new("apply Landlock", &e.to_string()))
}
