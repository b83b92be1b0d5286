//! What this host can do, found out by trying, and what to do about the rest.

use std::path::Path;

use serde::Serialize;

use crate::{
    cgroups::{Hierarchy, Version},
    host_checks::{self, Trial},
    identity::{Mode, detect_mode},
    redirect::Steering,
};

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it works.
    pub ok: bool,
    /// Whether sandboxes are impossible without it.
    pub required: bool,
    /// What was found.
    pub detail: String,
    /// What to do if it does not work.
    pub remedy: String,
}

/// The body of `GET /v1/host`.
#[derive(Clone, Debug, Serialize)]
pub struct Host {
    /// Message version.
    pub v: u32,
    /// With whose power.
    pub mode: Mode,
    /// The kernel's release.
    pub kernel: String,
    /// How connections will find the gateway.
    pub steering: Steering,
    /// What limits will be made of.
    pub limits: &'static str,
    /// The version of Landlock, 0 for none.
    pub landlock: u32,
    /// Everything that was tried.
    pub checks: Vec<Check>,
}

impl Host {
    /// Tries everything. For a process with one thread: each trial is a copy of it.
    pub fn examine(hierarchy: &Hierarchy, groups: &str) -> Self {
        let mode = detect_mode();
        let mut checks: Vec<Check> = host_checks::TRIALS.iter().map(|trial| attempt(trial, mode)).collect();
        checks.push(Check {
            name: "cgroups",
            ok: hierarchy.version.is_some(),
            required: false,
            detail: groups.to_owned(),
            remedy: "Limits are set for each process instead (memory, number of processes); processor time is not limited. To have them for the whole sandbox, run as root, or in a \
                     delegated subtree: systemd-run --user --scope -p Delegate=yes."
                .to_owned(),
        });
        let works = |name: &str| checks.iter().any(|c| c.name == name && c.ok);
        let steering = if works("nft_tproxy") { Steering::Tproxy } else { Steering::Ports };
        let limits = match hierarchy.version {
            Some(Version::Two) => "cgroup2",
            Some(Version::One) => "cgroup1",
            None => "rlimits",
        };
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        Self { v: 1, mode, kernel, steering, limits, landlock: host_checks::landlock_version(), checks }
    }

    /// The same, for a look at the host that leaves nothing behind.
    pub fn look(state: &Path) -> Self {
        let (hierarchy, detail) = Hierarchy::prepare(state);
        let host = Self::examine(&hierarchy, &detail);
        hierarchy.remove();
        host
    }

    /// What keeps sandboxes from being made here, if anything does.
    pub fn missing(&self) -> Option<String> {
        let check = self.checks.iter().find(|c| c.required && !c.ok)?;
        Some(format!("{}: {}. {}", check.name, check.detail, check.remedy))
    }
}

fn attempt(trial: &Trial, mode: Mode) -> Check {
    let (ok, detail) = match openmiosa_sys::fork_and_report(|| (trial.run)(mode)) {
        Ok(Ok(detail)) => (true, detail),
        Ok(Err(why)) => (false, why),
        Err(error) => (false, format!("it could not be tried: {error}")),
    };
    Check { name: trial.name, ok, required: trial.required, detail, remedy: if ok { String::new() } else { trial.remedy.to_owned() } }
}
