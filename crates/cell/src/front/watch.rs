//! What changes below a folder of a sandbox, as lines of JSON, from the moment that the answer begins.

use std::{io, mem::MaybeUninit, os::fd::OwnedFd, sync::Arc, time::Duration};

use bytes::Bytes;
use openmiosa_sys::watch_descriptor;
use rustix::{
    fs::{
        OFlags,
        inotify::{self, CreateFlags, ReadFlags},
    },
    io::Errno,
};
use serde_json::Value;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};

use super::{
    files::inside,
    folders::{Folders, Seen},
    paths::{self, InnerPath},
    problem::{Outcome, Problem},
    sandbox::Sandbox,
};

/// What the kernel gives at once; an entry has at most 16 + 256 bytes.
const BUFFER: usize = 64 << 10;
/// How many lines may wait for a slow reader, before the kernel's own queue fills and overflows.
const LINES: usize = 256;
/// How long the second half of a rename may take: the kernel queues both within one system call.
const SECOND_HALF: Duration = Duration::from_millis(20);

/// Begins to watch. When this returns, no change is missed.
pub async fn watch(sandbox: &Arc<Sandbox>, path: InnerPath, recursive: bool) -> Outcome<mpsc::Receiver<io::Result<Bytes>>> {
    let turn = Arc::clone(&sandbox.watch_turns)
        .try_acquire_owned()
        .map_err(|_| Problem::too_many("this sandbox is watched as often as it may be; end another watch first"))?;
    let kernel = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(|error| match error {
        Errno::MFILE | Errno::NFILE => Problem::too_many("the host watches as often as it may (fs.inotify.max_user_instances)"),
        other => Problem::internal(other.to_string()),
    })?;
    let ready = watch_descriptor(kernel.try_clone()?)?;
    let (folders, first) = inside(sandbox, move |root| set_up(root, Arc::new(kernel), &path, recursive)).await?;
    let (sender, receiver) = mpsc::channel(LINES);
    let watcher = Watcher { sandbox: Arc::clone(sandbox), ready, folders, sender, _turn: turn };
    let gone = sandbox.gone.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = watcher.run(first) => {}
            () = gone.cancelled() => {}
        }
    });
    Ok(receiver)
}

/// A file is watched by way of its folder, so that one that is replaced is followed.
fn set_up(root: &OwnedFd, kernel: Arc<OwnedFd>, path: &InnerPath, recursive: bool) -> Outcome<(Folders, Vec<Value>)> {
    let shown = path.shown();
    let is_folder = match paths::open(root, path, OFlags::PATH | OFlags::DIRECTORY) {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => false,
        Err(error) => return Err(Problem::from_path(&shown, &error)),
    };
    let (top, only) = if is_folder {
        (path.clone(), None)
    } else {
        let (folder, name) = path.split()?;
        (folder, Some(name))
    };
    let mut folders = Folders::new(kernel, top.shown(), only, recursive && is_folder);
    let first = folders.begin(root).map_err(|error| Problem::from_path(&shown, &error))?;
    Ok((folders, first))
}

struct Watcher {
    sandbox: Arc<Sandbox>,
    ready: AsyncFd<OwnedFd>,
    folders: Folders,
    sender: mpsc::Sender<io::Result<Bytes>>,
    _turn: OwnedSemaphorePermit,
}

impl Watcher {
    /// Until the reader leaves or what is watched is gone.
    async fn run(mut self, first: Vec<Value>) {
        if !self.say(first).await {
            return;
        }
        loop {
            let seen = tokio::select! {
                seen = self.next() => seen,
                () = self.sender.closed() => return,
            };
            let lines = match seen {
                Ok(Some(seen)) => self.folders.take(seen),
                Ok(None) => self.folders.settle(),
                Err(error) => {
                    let _ = self.sender.send(Err(error)).await;
                    return;
                }
            };
            if !self.say(lines).await {
                return;
            }
            let Some(lines) = self.follow().await else { return };
            if !self.say(lines).await {
                return;
            }
        }
    }

    /// What happened; nothing when half a rename waits and its other half does not come.
    async fn next(&self) -> io::Result<Option<Vec<Seen>>> {
        let reading = self.ready.async_io(Interest::READABLE, read);
        if self.folders.waits() {
            return timeout(SECOND_HALF, reading).await.map_or(Ok(None), |seen| seen.map(Some));
        }
        reading.await.map(Some)
    }

    /// Watches the folders that came; nothing when there is nothing left to watch.
    async fn follow(&mut self) -> Option<Vec<Value>> {
        if self.folders.ended() {
            return None;
        }
        let Some(work) = self.folders.take_new() else { return Some(Vec::new()) };
        let entered = inside(&self.sandbox, move |root| Ok(work.enter(root))).await.ok()?;
        Some(self.folders.entered(entered))
    }

    async fn say(&self, lines: Vec<Value>) -> bool {
        for line in lines {
            if self.sender.send(Ok(format!("{line}\n").into())).await.is_err() {
                return false;
            }
        }
        true
    }
}

fn read(kernel: &OwnedFd) -> io::Result<Vec<Seen>> {
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
    let mut reader = inotify::Reader::new(kernel, &mut buffer);
    let mut seen = Vec::new();
    loop {
        let event = reader.next()?;
        seen.push(Seen {
            watch: event.wd(),
            what: event.events(),
            cookie: event.cookie(),
            name: event.file_name().map(|name| name.to_string_lossy().into_owned()),
        });
        if reader.is_buffer_empty() {
            return Ok(seen);
        }
    }
}

impl Seen {
    /// Whether the kernel says so of it.
    pub fn is(&self, flag: ReadFlags) -> bool {
        self.what.intersects(flag)
    }
}
