//! All sandboxes: made, found, paused, copied, ended.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{
    handover::Handover,
    problem::{Outcome, Problem},
    sandbox::Sandbox,
    spawner_client::SpawnerClient,
    tree,
};
use crate::{
    identity::{Ids, Mode, SLOTS},
    spec::{LaunchOrder, SandboxSpec, WRITABLE},
};

/// The least that a Python program starts with.
const LEAST_MEMORY: u64 = 16 << 20;
const LEAST_PROCESSES: u64 = 4;
const LEAST_FILES: u64 = 16;
const LONGEST_NAME: usize = 64;
/// Where a sandbox's folder says which number it has.
const SLOT: &str = "slot";

/// All sandboxes of this cell.
pub struct Registry {
    mode: Mode,
    state: PathBuf,
    spawner: Arc<SpawnerClient>,
    handover: Arc<Handover>,
    running: Mutex<HashMap<String, Arc<Sandbox>>>,
    /// One change of a sandbox at a time.
    changing: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    slots: Mutex<HashSet<u32>>,
}

impl Registry {
    /// Takes up the folders that a predecessor left.
    pub fn open(mode: Mode, state: &Path, spawner: Arc<SpawnerClient>, handover: Arc<Handover>) -> io::Result<Arc<Self>> {
        for name in ["sandboxes", "snapshots"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(state.join(name))?;
        }
        let slots = fs::read_dir(state.join("sandboxes"))?.flatten().filter_map(|e| read_slot(&e.path())).collect();
        Ok(Arc::new(Self {
            mode,
            state: state.to_owned(),
            spawner,
            handover,
            running: Mutex::default(),
            changing: Mutex::default(),
            slots: Mutex::new(slots),
        }))
    }

    /// One that runs.
    pub fn get(&self, id: &str) -> Outcome<Arc<Sandbox>> {
        self.running.lock().get(id).cloned().ok_or_else(|| Problem::not_found(format!("sandbox {id}")))
    }

    /// All that run.
    pub fn list(&self) -> Vec<Arc<Sandbox>> {
        let mut all: Vec<_> = self.running.lock().values().cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Makes one. `false` when the very same is there already.
    pub async fn create(self: &Arc<Self>, id: &str, spec: SandboxSpec) -> Outcome<(Arc<Sandbox>, bool)> {
        check_id(id)?;
        check_spec(&spec)?;
        let change = self.change(id);
        let _held = change.lock().await;
        if let Ok(there) = self.get(id) {
            return if there.spec == spec {
                Ok((there, false))
            } else {
                Err(Problem::exists(format!("sandbox {id}, with another description,")))
            };
        }
        let folder = self.folder(id);
        let (slot, fresh) = self.prepare(&folder, spec.from_snapshot.clone()).await?;
        match self.start(id, &spec, &folder, slot).await {
            Ok(sandbox) => Ok((sandbox, true)),
            Err(problem) => {
                if fresh {
                    self.forget(&folder).await?;
                }
                Err(problem)
            }
        }
    }

    async fn start(self: &Arc<Self>, id: &str, spec: &SandboxSpec, folder: &Path, slot: u32) -> Outcome<Arc<Sandbox>> {
        let order = LaunchOrder {
            id: id.to_owned(),
            slot,
            folder: folder.to_owned(),
            hostname: spec.hostname.clone(),
            layers: spec.layers.clone(),
            authority_pem: spec.authority_pem.clone(),
            limits: spec.limits.clone(),
        };
        let parts = self.spawner.launch(&order).await?;
        let identity = (self.mode == Mode::Root).then(|| Ids::of(self.mode, slot).agent);
        let sandbox = Arc::new(Sandbox::adopt(id, spec.clone(), folder.to_owned(), identity, parts)?);
        self.running.lock().insert(id.to_owned(), Arc::clone(&sandbox));
        self.handover.add(&sandbox).await;
        tokio::spawn(Arc::clone(self).notice_death(Arc::clone(&sandbox)));
        Ok(sandbox)
    }

    /// A sandbox whose PID 1 was killed by somebody else is not there any more; its files stay.
    async fn notice_death(self: Arc<Self>, sandbox: Arc<Sandbox>) {
        sandbox.gone.cancelled().await;
        let removed = {
            let mut running = self.running.lock();
            let ours = running.get(&sandbox.id).is_some_and(|s| Arc::ptr_eq(s, &sandbox));
            ours.then(|| running.remove(&sandbox.id)).flatten()
        };
        if removed.is_some() {
            tracing::warn!(sandbox = %sandbox.id, "the sandbox's first process was killed from outside; its files are kept");
            self.handover.remove(&sandbox).await;
        }
    }

    /// Ends one, and with `keep` leaves its files.
    pub async fn destroy(&self, id: &str, keep: bool) -> Outcome<()> {
        check_id(id)?;
        let change = self.change(id);
        let _held = change.lock().await;
        let sandbox = self.running.lock().remove(id);
        let folder = self.folder(id);
        match &sandbox {
            Some(sandbox) => {
                // Killed first, so that nothing new can come through the sockets while the gateway lets go of them.
                sandbox.kill().await;
                self.handover.remove(sandbox).await;
            }
            None if keep || !folder.exists() => return Err(Problem::not_found(format!("sandbox {id}"))),
            None => {}
        }
        if !keep {
            self.forget(&folder).await?;
            let mut changing = self.changing.lock();
            // Whoever waits for its turn holds one too; a new lock beside theirs would let two changes happen at once.
            if Arc::strong_count(&change) == 2 {
                changing.remove(id);
            }
        }
        Ok(())
    }

    /// Stops or continues one, but never in the middle of another change.
    pub async fn pause(&self, id: &str, paused: bool) -> Outcome<Arc<Sandbox>> {
        let sandbox = self.get(id)?;
        let change = self.change(id);
        let _held = change.lock().await;
        sandbox.set_paused(paused).await?;
        Ok(sandbox)
    }

    /// Copies a sandbox's files, which hold still meanwhile.
    pub async fn snapshot(&self, id: &str, snapshot: &str) -> Outcome<u64> {
        check_id(snapshot)?;
        let sandbox = self.get(id)?;
        let change = self.change(id);
        let _held = change.lock().await;
        let target = self.state.join("snapshots").join(snapshot);
        if target.exists() {
            return Err(Problem::exists(format!("snapshot {snapshot}")));
        }
        let was_paused = sandbox.paused();
        if !was_paused {
            sandbox.set_paused(true).await?;
        }
        let copied = copy_writable(&sandbox.folder, &target, None).await;
        if !was_paused {
            sandbox.set_paused(false).await?;
        }
        if copied.is_err() {
            let _ = remove(&target).await;
        }
        copied
    }

    /// Removes a copy.
    pub async fn delete_snapshot(&self, snapshot: &str) -> Outcome<()> {
        check_id(snapshot)?;
        let folder = self.state.join("snapshots").join(snapshot);
        if !folder.exists() {
            return Err(Problem::not_found(format!("snapshot {snapshot}")));
        }
        remove(&folder).await
    }

    /// The folders of a new sandbox, or those that it had; with its number, and whether they are new.
    async fn prepare(&self, folder: &Path, from_snapshot: Option<String>) -> Outcome<(u32, bool)> {
        if let Some(slot) = read_slot(folder) {
            return Ok((slot, false));
        }
        let slot = self.free_slot()?;
        let owner = (self.mode == Mode::Root).then(|| Ids::of(self.mode, slot).agent);
        // What a predecessor began and did not finish has no number yet.
        remove(folder).await?;
        let made = match from_snapshot {
            Some(snapshot) => {
                check_id(&snapshot)?;
                let source = self.state.join("snapshots").join(&snapshot);
                if !source.exists() {
                    self.slots.lock().remove(&slot);
                    return Err(Problem::not_found(format!("snapshot {snapshot}")));
                }
                copy_writable(&source, folder, owner).await.map(drop)
            }
            None => make_writable(folder, owner).map_err(Problem::from),
        };
        match made.and_then(|()| Ok(fs::write(folder.join(SLOT), slot.to_string())?)) {
            Ok(()) => Ok((slot, true)),
            Err(problem) => {
                let _ = remove(folder).await;
                self.slots.lock().remove(&slot);
                Err(problem)
            }
        }
    }

    async fn forget(&self, folder: &Path) -> Outcome<()> {
        let slot = read_slot(folder);
        remove(folder).await?;
        if let Some(slot) = slot {
            self.slots.lock().remove(&slot);
        }
        Ok(())
    }

    fn free_slot(&self) -> Outcome<u32> {
        let mut slots = self.slots.lock();
        let slot = (0..SLOTS).find(|s| !slots.contains(s)).ok_or_else(|| Problem::internal("every range of user ids is in use"))?;
        slots.insert(slot);
        Ok(slot)
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.state.join("sandboxes").join(id)
    }

    fn change(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.changing.lock().entry(id.to_owned()).or_default())
    }
}

fn read_slot(folder: &Path) -> Option<u32> {
    fs::read_to_string(folder.join(SLOT)).ok()?.trim().parse().ok().filter(|s| *s < SLOTS)
}

fn make_writable(folder: &Path, owner: Option<openmiosa_sys::FileIdentity>) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    for (name, _) in WRITABLE {
        let path = folder.join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        if let Some(owner) = owner {
            std::os::unix::fs::lchown(&path, Some(owner.uid), Some(owner.gid))?;
        }
    }
    Ok(())
}

async fn copy_writable(from: &Path, to: &Path, owner: Option<openmiosa_sys::FileIdentity>) -> Outcome<u64> {
    let (from, to) = (from.to_owned(), to.to_owned());
    let copied = tokio::task::spawn_blocking(move || {
        fs::DirBuilder::new().mode(0o700).create(&to)?;
        WRITABLE.iter().try_fold(0, |bytes, (name, _)| Ok::<_, io::Error>(bytes + tree::copy(&from.join(name), &to.join(name), owner)?))
    });
    match copied.await.map_err(|e| Problem::internal(e.to_string()))? {
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(Problem::from_path("the copy", &error)),
    }
}

async fn remove(folder: &Path) -> Outcome<()> {
    let folder = folder.to_owned();
    Ok(tokio::task::spawn_blocking(move || tree::remove(&folder)).await.map_err(|e| Problem::internal(e.to_string()))??)
}

fn check_id(id: &str) -> Outcome<()> {
    let fits = !id.is_empty() && id.len() <= LONGEST_NAME && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits { Ok(()) } else { Err(Problem::invalid("an id has 1 to 64 letters, digits, underscores and hyphens")) }
}

fn check_spec(spec: &SandboxSpec) -> Outcome<()> {
    let hostname = &spec.hostname;
    if hostname.is_empty()
        || hostname.len() > LONGEST_NAME
        || !hostname.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
    {
        return Err(Problem::invalid("hostname has 1 to 64 letters, digits, hyphens and dots"));
    }
    for layer in &spec.layers {
        let text = layer.to_str().unwrap_or_default();
        if !layer.is_absolute() || text.contains([':', ',', '\\']) || !layer.is_dir() {
            return Err(Problem::invalid(format!(
                "layer {} is not the absolute path of a folder, without colon, comma or backslash",
                layer.display()
            )));
        }
    }
    if spec.env.keys().any(|name| name.is_empty() || name.contains(['=', '\0'])) {
        return Err(Problem::invalid("the name of a variable is not empty and has no = in it"));
    }
    let limits = &spec.limits;
    if limits.memory_bytes < LEAST_MEMORY || limits.processes < LEAST_PROCESSES || limits.cpu_millis < 10 || limits.files < LEAST_FILES {
        return Err(Problem::invalid("limits are at least 16 MiB of memory, 4 processes, 10 cpu_millis and 16 files"));
    }
    Ok(())
}
