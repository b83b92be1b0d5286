//! Talking with a sandbox's init: requests with answers, and the news of ended processes.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{channel::Channel, process::Process};
use crate::init::{self, Said};

/// Init's packets are sixteen bytes.
const PACKET: usize = 64;
/// What a process that was killed with its sandbox reports.
const KILLED: i32 = 9;

type Answer = Result<(i32, Option<OwnedFd>), io::Error>;

struct Waiting {
    answer: oneshot::Sender<Answer>,
    process: Option<Arc<Process>>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u32, Waiting>,
    running: HashMap<i32, Arc<Process>>,
    closed: bool,
}

/// The channel to one init.
pub struct InitLink {
    channel: Channel,
    serial: AtomicU32,
    state: Mutex<State>,
}

impl InitLink {
    /// Starts listening to it.
    pub fn start(socket: OwnedFd) -> io::Result<Arc<Self>> {
        let link = Arc::new(Self { channel: Channel::new(socket)?, serial: AtomicU32::new(1), state: Mutex::default() });
        tokio::spawn(Arc::clone(&link).listen());
        Ok(link)
    }

    /// A number for a request.
    pub fn serial(&self) -> u32 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Starts a program for `process`, which hears of its end; the terminal's master comes back, if there is one.
    pub async fn exec(
        &self,
        serial: u32,
        request: &[u8],
        descriptors: &[OwnedFd],
        process: Arc<Process>,
    ) -> io::Result<(i32, Option<OwnedFd>)> {
        self.ask(serial, request, descriptors, Some(process)).await
    }

    /// Sends a signal; a negative `pid` is a group, -1 everybody.
    pub async fn signal(&self, pid: i32, signal: i32) -> io::Result<()> {
        let serial = self.serial();
        self.ask(serial, &init::signal(serial, pid, signal), &[], None).await.map(drop)
    }

    /// A connection to the sandbox's own 127.0.0.1, under way.
    pub async fn connect(&self, port: u16) -> io::Result<OwnedFd> {
        let serial = self.serial();
        let (_, socket) = self.ask(serial, &init::connect(serial, port), &[], None).await?;
        socket.ok_or_else(|| io::Error::other("init sent no socket"))
    }

    async fn ask(
        &self,
        serial: u32,
        request: &[u8],
        descriptors: &[OwnedFd],
        process: Option<Arc<Process>>,
    ) -> io::Result<(i32, Option<OwnedFd>)> {
        let (answer, receiver) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if state.closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            state.waiting.insert(serial, Waiting { answer, process });
        }
        let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        if let Err(error) = self.channel.send(request, &descriptors).await {
            self.state.lock().waiting.remove(&serial);
            return Err(error);
        }
        receiver.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    async fn listen(self: Arc<Self>) {
        loop {
            match self.channel.receive(PACKET).await {
                Ok((bytes, descriptors)) if !bytes.is_empty() => {
                    if let Some(said) = init::parse(&bytes) {
                        self.take(&said, descriptors);
                    } else {
                        tracing::warn!("an init said something unknown");
                    }
                }
                _ => break,
            }
        }
        let (waiting, running) = {
            let mut state = self.state.lock();
            state.closed = true;
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.running))
        };
        drop(waiting);
        for process in running.values() {
            process.end(KILLED);
        }
    }

    fn take(&self, said: &Said, descriptors: Vec<OwnedFd>) {
        let mut state = self.state.lock();
        match *said {
            Said::Ready => {}
            Said::Answer { serial, result } => {
                let Some(waiting) = state.waiting.remove(&serial) else { return };
                if let (Some(process), Ok(pid)) = (waiting.process, result) {
                    process.started(pid);
                    // Known before the next packet is read, which may be the news of its end.
                    state.running.insert(pid, process);
                }
                let answer = result.map(|pid| (pid, descriptors.into_iter().next())).map_err(io::Error::from_raw_os_error);
                let _ = waiting.answer.send(answer);
            }
            Said::Ended { pid, status } => {
                let ended = state.running.remove(&pid);
                drop(state);
                if let Some(process) = ended {
                    process.end(status);
                }
            }
        }
    }
}
