//! Group commit: one thread runs `fdatasync` for everybody who waits.

use std::{fs::File, io, sync::Arc, thread};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// How far the disk has confirmed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The highest number on disk.
    pub upto: u64,
    /// The highest number asked for when a sync last failed; those waiters are told no.
    pub failed: u64,
}

/// The waiting side of the sync thread.
pub struct GroupCommit {
    wanted: Arc<Wanted>,
    progress: watch::Receiver<Progress>,
}

struct Wanted {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    work: Option<(File, u64)>,
    closed: bool,
}

impl GroupCommit {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let wanted = Arc::new(Wanted { slot: Mutex::default(), changed: Condvar::new() });
        let (publish, progress) = watch::channel(Progress::default());
        let theirs = Arc::clone(&wanted);
        thread::Builder::new().name("journal-sync".into()).spawn(move || run(&theirs, &publish))?;
        Ok(Self { wanted, progress })
    }

    /// Asks for everything up to `number` in `file` to be put on disk.
    pub fn request(&self, file: File, number: u64) {
        self.wanted.slot.lock().work = Some((file, number));
        self.wanted.changed.notify_one();
    }

    /// Waits until `number` is on disk; `false` when the disk said no.
    pub async fn wait(&self, number: u64) -> bool {
        let mut progress = self.progress.clone();
        match progress.wait_for(|p| p.upto >= number || p.failed >= number).await {
            Ok(reached) => reached.upto >= number,
            Err(_) => false,
        }
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.wanted.slot.lock().closed = true;
        self.wanted.changed.notify_one();
    }
}

fn run(wanted: &Wanted, publish: &watch::Sender<Progress>) {
    loop {
        let (file, number) = {
            let mut slot = wanted.slot.lock();
            loop {
                if let Some(work) = slot.work.take() {
                    break work;
                }
                if slot.closed {
                    return;
                }
                wanted.changed.wait(&mut slot);
            }
        };
        let result = file.sync_data();
        publish.send_modify(|progress| match &result {
            Ok(()) => progress.upto = progress.upto.max(number),
            Err(error) => {
                tracing::error!(%error, "fdatasync of the journal failed");
                progress.failed = progress.failed.max(number);
            }
        });
    }
}
