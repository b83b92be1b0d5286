//! Finding the control groups that this process may make children of.

use std::{
    collections::BTreeSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

const MOUNT: &str = "/sys/fs/cgroup";
/// Version 1 has one tree a controller.
const CONTROLLERS: [&str; 4] = ["memory", "pids", "cpu", "freezer"];
/// What must be there for a tree of version 2 to be worth using.
const NEEDED: [&str; 2] = ["memory", "pids"];

/// The two designs of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// One tree a controller.
    One,
    /// One tree.
    Two,
}

/// Where sandboxes' groups are made.
#[derive(Clone, Debug, Default)]
pub struct Hierarchy {
    /// Which design, if any can be written.
    pub version: Option<Version>,
    /// The folder above all sandboxes, one a tree.
    pub parents: Vec<PathBuf>,
}

/// Where a cell writes down the folders that it made: its successor may be in another group, and would not find them.
const RECORD: &str = "cgroups";

impl Hierarchy {
    /// Ends and removes what a cell that was killed left behind.
    pub fn sweep_former(state: &Path) {
        for parent in fs::read_to_string(state.join(RECORD)).unwrap_or_default().lines() {
            crate::limits::sweep(Path::new(parent));
        }
    }

    /// Writes down what was made.
    pub fn record(&self, state: &Path) -> io::Result<()> {
        let lines: Vec<String> = self.parents.iter().map(|p| p.display().to_string()).collect();
        fs::write(state.join(RECORD), lines.join("\n"))
    }

    /// Removes the folders, once they are empty.
    pub fn remove(&self) {
        for parent in &self.parents {
            let _ = fs::remove_dir(parent);
        }
    }

    /// Makes the folders for the sandboxes of this state folder, or finds that none can be made.
    pub fn prepare(state: &Path) -> (Self, String) {
        let name = format!("openmiosa-{:016x}", tag(state));
        match version_two(&name) {
            Ok(parent) => (Self { version: Some(Version::Two), parents: vec![parent] }, "version 2".to_owned()),
            Err(why_not_two) => match version_one(&name) {
                Ok(parents) => (Self { version: Some(Version::One), parents }, format!("version 1 ({why_not_two})")),
                Err(why_not_one) => (Self::default(), format!("{why_not_two}; {why_not_one}")),
            },
        }
    }
}

/// One name for each state folder, so that two cells do not sweep each other's groups.
fn tag(state: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// This process's own group in the tree of `controller` (empty for version 2).
fn own_group(controller: &str) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (names, path) = rest.split_once(':')?;
        (names.split(',').any(|n| n == controller)).then(|| path.trim_start_matches('/').to_owned())
    })
}

fn version_two(name: &str) -> Result<PathBuf, String> {
    let root =
        [MOUNT.to_owned(), format!("{MOUNT}/unified")].into_iter().map(PathBuf::from).find(|p| p.join("cgroup.controllers").exists());
    let root = root.ok_or("no control groups of version 2")?;
    let own = root.join(own_group("").unwrap_or_default());
    // Its own place first: that is what a delegated subtree is. Root may also make a place at the top.
    let mut why = String::new();
    for above in [own, root] {
        match subtree(&above, name) {
            Ok(parent) => return Ok(parent),
            Err(error) => why = format!("version 2 at {}: {error}", above.display()),
        }
    }
    Err(why)
}

fn subtree(above: &Path, name: &str) -> io::Result<PathBuf> {
    let available = fs::read_to_string(above.join("cgroup.controllers"))?;
    let available: BTreeSet<&str> = available.split_whitespace().collect();
    if let Some(missing) = NEEDED.iter().find(|c| !available.contains(*c)) {
        return Err(io::Error::other(format!("the {missing} controller is not there")));
    }
    let parent = above.join(name);
    make(&parent)?;
    delegate(above, &parent, name, &available).inspect_err(|_| drop(fs::remove_dir(&parent)))?;
    Ok(parent)
}

/// Lets the children of `parent` have controllers.
fn delegate(above: &Path, parent: &Path, name: &str, available: &BTreeSet<&str>) -> io::Result<()> {
    let wanted =
        ["memory", "pids", "cpu"].into_iter().filter(|c| available.contains(c)).map(|c| format!("+{c}")).collect::<Vec<_>>().join(" ");
    if let Err(error) = fs::write(above.join("cgroup.subtree_control"), &wanted) {
        // A group with processes of its own cannot have children with controllers: step into a leaf first.
        if error.raw_os_error() != Some(libc::EBUSY) {
            return Err(error);
        }
        let leaf = above.join(format!("{name}-daemon"));
        make(&leaf)?;
        fs::write(leaf.join("cgroup.procs"), "0")?;
        fs::write(above.join("cgroup.subtree_control"), &wanted)?;
    }
    fs::write(parent.join("cgroup.subtree_control"), &wanted)
}

fn version_one(name: &str) -> Result<Vec<PathBuf>, String> {
    let mut parents = Vec::new();
    for controller in CONTROLLERS {
        let tree = Path::new(MOUNT).join(controller);
        let own = own_group(controller).ok_or(format!("no control group of version 1 for {controller}"))?;
        // Inside a container the path may be one of the host's, which is not there: then the mount is the own group.
        let above = Some(tree.join(own)).filter(|p| p.is_dir()).unwrap_or(tree);
        let parent = above.join(name);
        make(&parent).map_err(|e| format!("{}: {e}", parent.display()))?;
        parents.push(parent);
    }
    Ok(parents)
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
