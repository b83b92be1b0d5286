//! Step 5: how much a sandbox may use. Control groups where they can be written, else limits of each process.

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::{
    cgroups::{Hierarchy, Version},
    error::{Doing, StepError},
    spec::Limits,
};

/// Files that mean "the processes of this group".
const MEMBERS: &str = "cgroup.procs";
/// How long the kernel gets to forget the processes of a group that is being removed.
const PATIENCE: u32 = 400;

/// The control groups of one sandbox.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Groups {
    version: Option<Version>,
    folders: Vec<PathBuf>,
}

impl Groups {
    /// Makes them and writes the limits.
    pub fn make(hierarchy: &Hierarchy, id: &str, limits: &Limits) -> Result<Self, StepError> {
        let groups = Self { version: hierarchy.version, folders: hierarchy.parents.iter().map(|parent| parent.join(id)).collect() };
        for folder in &groups.folders {
            match fs::create_dir_all(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error).doing_to("make the control group", folder),
                _ => {}
            }
            for (file, value) in settings(groups.version, limits) {
                let path = folder.join(file);
                // A controller lives in one of the folders only.
                if path.exists() {
                    fs::write(&path, &value).doing_to("write", &path)?;
                }
            }
        }
        Ok(groups)
    }

    /// A folder to be born in, where the kernel can do that.
    pub fn birthplace(&self) -> Result<Option<OwnedFd>, StepError> {
        match (self.version, self.folders.first()) {
            (Some(Version::Two), Some(folder)) => Ok(Some(File::open(folder).doing_to("open", folder)?.into())),
            _ => Ok(None),
        }
    }

    /// Puts a process into all of them, if it was not born there.
    pub fn attach(&self, pid: Pid) -> Result<(), StepError> {
        if self.version == Some(Version::One) {
            for folder in &self.folders {
                let path = folder.join(MEMBERS);
                fs::write(&path, pid.as_raw_nonzero().to_string()).doing_to("write", &path)?;
            }
        }
        Ok(())
    }

    /// Whether they do the limiting, so that each process need not.
    pub fn exist(&self) -> bool {
        !self.folders.is_empty()
    }

    /// Stops or continues every process; `None` when no group here can.
    pub fn freeze(&self, frozen: bool) -> Option<io::Result<()>> {
        self.folders.iter().find_map(|folder| match self.version? {
            Version::One => {
                let path = folder.join("freezer.state");
                path.exists().then(|| fs::write(path, if frozen { "FROZEN" } else { "THAWED" }))
            }
            Version::Two => {
                let path = folder.join("cgroup.freeze");
                path.exists().then(|| fs::write(path, if frozen { "1" } else { "0" }))
            }
        })
    }

    /// Time on a processor, as the kernel counts it.
    pub fn cpu_usec(&self) -> Option<u64> {
        match self.version? {
            Version::One => Some(self.number("cpuacct.usage")? / 1000),
            Version::Two => {
                let stat = self.text("cpu.stat")?;
                stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?.parse().ok()
            }
        }
    }

    /// Memory that is held.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.number(if self.version? == Version::One { "memory.usage_in_bytes" } else { "memory.current" })
    }

    /// The most memory that was held at once.
    pub fn memory_peak_bytes(&self) -> Option<u64> {
        self.number(if self.version? == Version::One { "memory.max_usage_in_bytes" } else { "memory.peak" })
    }

    fn number(&self, file: &str) -> Option<u64> {
        self.text(file)?.trim().parse().ok()
    }

    /// A controller lives in one of the folders only.
    fn text(&self, file: &str) -> Option<String> {
        self.folders.iter().find_map(|folder| fs::read_to_string(folder.join(file)).ok())
    }

    /// Removes them, once their processes are gone.
    pub fn remove(&self) {
        for folder in &self.folders {
            remove_empty(folder);
        }
    }
}

/// Ends what a predecessor left running below `parent`, and the groups with it.
pub fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for folder in entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()) {
        let _ = fs::write(folder.join("cgroup.kill"), "1");
        for pid in
            fs::read_to_string(folder.join(MEMBERS)).unwrap_or_default().lines().filter_map(|l| l.parse().ok()).filter_map(Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        // A frozen task of version 1 does not even die before it is thawed.
        let _ = fs::write(folder.join("freezer.state"), "THAWED");
        remove_empty(&folder);
    }
    let _ = fs::remove_dir(parent);
}

fn remove_empty(folder: &Path) {
    for _ in 0..PATIENCE {
        match fs::remove_dir(folder) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => thread::sleep(Duration::from_millis(1)),
            _ => return,
        }
    }
    tracing::warn!(folder = %folder.display(), "a control group could not be removed");
}

/// What is written where.
fn settings(version: Option<Version>, limits: &Limits) -> Vec<(&'static str, String)> {
    const PERIOD: u64 = 100_000;
    let quota = (limits.cpu_millis * PERIOD / 1000).max(1000);
    match version {
        Some(Version::One) => vec![
            ("memory.limit_in_bytes", limits.memory_bytes.to_string()),
            ("pids.max", limits.processes.to_string()),
            ("cpu.cfs_period_us", PERIOD.to_string()),
            ("cpu.cfs_quota_us", quota.to_string()),
        ],
        Some(Version::Two) => vec![
            ("memory.max", limits.memory_bytes.to_string()),
            ("memory.swap.max", "0".to_owned()),
            ("pids.max", limits.processes.to_string()),
            ("cpu.max", format!("{quota} {PERIOD}")),
        ],
        None => Vec::new(),
    }
}

/// Limits of this process and of all that it starts. Without control groups they stand in for them.
pub fn limit_processes(limits: &Limits, grouped: bool) -> Result<(), StepError> {
    let mut wanted =
        vec![(Resource::Nofile, limits.files), (Resource::Fsize, limits.file_bytes), (Resource::Core, 0), (Resource::Memlock, 64 << 10)];
    if !grouped {
        wanted.push((Resource::Nproc, limits.processes));
        wanted.push((Resource::Data, limits.memory_bytes));
    }
    for (resource, value) in wanted {
        // Never above what this process itself was given.
        let value = getrlimit(resource).maximum.map_or(value, |given| given.min(value));
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) }).doing("set a resource limit")?;
    }
    Ok(())
}
