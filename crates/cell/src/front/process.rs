//! One process of a sandbox, as cell remembers it.

use std::time::Instant;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::ring::{Kept, Ring};

/// The shells' code for a program that was stopped by a time limit.
const TIMED_OUT: i32 = 124;
/// What the shells add to a signal.
const SIGNALLED: i32 = 128;

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    code: i32,
    signal: Option<i32>,
    duration_ms: u64,
    at: Timestamp,
    instant: Instant,
}

struct State {
    pid: i32,
    status: Option<Exit>,
    timed_out: bool,
    stdout: Ring,
    stderr: Ring,
    /// Streams whose bytes from before the end are not all read yet.
    undrained: usize,
}

/// A process.
pub struct Process {
    /// `prc_…`
    pub id: String,
    /// What the caller calls it.
    pub name: Option<String>,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Whether it has a terminal.
    pub terminal: bool,
    started_at: Timestamp,
    started: Instant,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    ended: tokio_util::sync::CancellationToken,
}

impl Process {
    /// One that is about to start.
    pub fn new(name: Option<String>, argv: Vec<String>, terminal: bool, kept: &Kept) -> Self {
        let rings = || Ring::new(kept.clone());
        let state =
            State { pid: 0, status: None, timed_out: false, stdout: rings(), stderr: rings(), undrained: if terminal { 1 } else { 2 } };
        Self {
            id: format!("prc_{}", ulid::Ulid::new().to_string().to_lowercase()),
            name,
            argv,
            terminal,
            started_at: Timestamp::now(),
            started: Instant::now(),
            state: Mutex::new(state),
            changed: watch::channel(()).0,
            ended: tokio_util::sync::CancellationToken::new(),
        }
    }

    /// It has an id.
    pub fn started(&self, pid: i32) {
        self.state.lock().pid = pid;
    }

    /// It has ended, with a status as `wait` reports it.
    pub fn end(&self, status: i32) {
        let killed = status & 0x7f;
        let signal = (killed != 0).then_some(killed);
        let code = signal.map_or((status >> 8) & 0xff, |signal| SIGNALLED + signal);
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.state.lock().status.get_or_insert(Exit { code, signal, duration_ms, at: Timestamp::now(), instant: Instant::now() });
        self.ended.cancel();
        self.changed.send_replace(());
    }

    /// Resolves when it has ended; its last output may still be on the way.
    pub fn has_ended(&self) -> tokio_util::sync::WaitForCancellationFuture<'_> {
        self.ended.cancelled()
    }

    /// Its time is up.
    pub fn time_out(&self) {
        self.state.lock().timed_out = true;
    }

    /// More output.
    pub fn push(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state.lock();
        match stream {
            Stream::Stdout => state.stdout.push(bytes),
            Stream::Stderr => state.stderr.push(bytes),
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// All that a stream got before the end has been read.
    pub fn drained(&self) {
        let mut state = self.state.lock();
        state.undrained = state.undrained.saturating_sub(1);
        drop(state);
        self.changed.send_replace(());
    }

    /// Hears of every change from now on.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Its id inside, while it runs.
    pub fn running_pid(&self) -> Option<i32> {
        let state = self.state.lock();
        (state.status.is_none() && state.pid > 0).then_some(state.pid)
    }

    /// When it ended, if it has.
    pub fn ended_instant(&self) -> Option<Instant> {
        self.state.lock().status.map(|s| s.instant)
    }

    /// How much of its output is kept.
    pub fn kept(&self) -> u64 {
        let state = self.state.lock();
        [&state.stdout, &state.stderr].map(|ring| ring.end() - ring.start()).iter().sum()
    }

    /// Gives the memory of its output back; readers will find a gap.
    pub fn forget_output(&self) {
        let mut state = self.state.lock();
        state.stdout.forget();
        state.stderr.forget();
    }

    /// Up to `limit` bytes of a stream, where they begin, and where they were wanted from.
    pub fn read(&self, stream: Stream, offset: u64, limit: usize) -> (u64, Vec<u8>) {
        let state = self.state.lock();
        let ring = match stream {
            Stream::Stdout => &state.stdout,
            Stream::Stderr => &state.stderr,
        };
        (offset.max(ring.start()), ring.read(offset, limit))
    }

    /// The last line of its output, once it has ended and everything has been read.
    pub fn exit_line(&self) -> Option<Value> {
        let state = self.state.lock();
        let exit = state.status.filter(|_| state.undrained == 0)?;
        Some(
            json!({"exit": {"exit_code": code(&exit, state.timed_out), "signal": exit.signal, "timed_out": state.timed_out, "duration_ms": exit.duration_ms}}),
        )
    }

    /// As the contract spells it.
    pub fn describe(&self) -> Value {
        let state = self.state.lock();
        let exit = state.status.filter(|_| state.undrained == 0);
        json!({
            "process": self.id, "pid": state.pid, "name": self.name, "argv": self.argv,
            "state": if exit.is_some() { "exited" } else { "running" },
            "exit_code": exit.map(|e| code(&e, state.timed_out)), "signal": exit.and_then(|e| e.signal), "timed_out": state.timed_out && exit.is_some(),
            "started_at": time(self.started_at), "ended_at": exit.map(|e| time(e.at)), "duration_ms": exit.map(|e| e.duration_ms),
            "stdout": {"start": state.stdout.start(), "end": state.stdout.end()},
            "stderr": {"start": state.stderr.start(), "end": state.stderr.end()},
        })
    }
}

fn code(exit: &Exit, timed_out: bool) -> i32 {
    if timed_out { TIMED_OUT } else { exit.code }
}

/// RFC 3339 with microseconds.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
