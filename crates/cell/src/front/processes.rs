//! The processes of one sandbox: starting, feeding, signalling, forgetting.

use std::{collections::BTreeMap, os::fd::OwnedFd, sync::Arc, time::Duration};

use openmiosa_sys::FileIdentity;
use parking_lot::Mutex;
use rustix::{
    fs::{Gid, Uid, fchown},
    pipe::{PipeFlags, pipe_with},
};
use serde::Deserialize;
use tokio::{io::unix::AsyncFd, sync::Semaphore};

use super::{
    problem::{Outcome, Problem},
    process::{Process, Stream},
    pump::{feed, pump, watched},
    ring::Kept,
    sandbox::Sandbox,
};
use crate::{init::Start, trust};

/// How long an ended process is remembered.
const MEMORY: Duration = Duration::from_secs(600);
/// How many ended processes are.
const REMEMBERED: usize = 256;
/// How much of their output is kept, of the newest first.
const OUTPUT: u64 = 32 << 20;
/// How many streams are read on for children that outlive their process: each is a descriptor of cell.
const SURVIVING: usize = 128;
/// Between the polite signal and the other one.
const GRACE: Duration = Duration::from_secs(2);
const TERM: i32 = 15;
const KILL: i32 = 9;
/// What a terminal takes for the end of input.
const END_OF_INPUT: &[u8] = &[4];
const PATH: &str = "/home/agent/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The body of `POST …/processes`.
#[derive(Debug, Deserialize)]
pub struct StartBody {
    argv: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default = "default_cwd")]
    cwd: String,
    #[serde(default)]
    stdin: bool,
    #[serde(default)]
    pty: Option<Size>,
    #[serde(default)]
    timeout_ms: Option<u64>,
    #[serde(default)]
    name: Option<String>,
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Size {
    rows: u16,
    cols: u16,
}

fn default_cwd() -> String {
    "/workspace".to_owned()
}

/// A process and what leads to it.
#[derive(Clone)]
pub struct Entry {
    /// The process.
    pub process: Arc<Process>,
    input: Arc<tokio::sync::Mutex<Option<Arc<AsyncFd<OwnedFd>>>>>,
}

/// All processes that are remembered, oldest first.
pub struct Processes {
    entries: Mutex<Vec<Entry>>,
    kept: Kept,
    surviving: Arc<Semaphore>,
}

impl Default for Processes {
    fn default() -> Self {
        Self { entries: Mutex::default(), kept: Kept::default(), surviving: Arc::new(Semaphore::new(SURVIVING)) }
    }
}

impl Processes {
    /// Every one.
    pub fn list(&self) -> Vec<Arc<Process>> {
        let mut entries = self.entries.lock();
        forget(&mut entries);
        entries.iter().map(|e| Arc::clone(&e.process)).collect()
    }

    /// One.
    pub fn get(&self, id: &str) -> Outcome<Entry> {
        self.entries.lock().iter().find(|e| e.process.id == id).cloned().ok_or_else(|| Problem::not_found(format!("process {id}")))
    }

    fn add(&self, entry: Entry) {
        let mut entries = self.entries.lock();
        forget(&mut entries);
        entries.push(entry);
    }
}

fn forget(entries: &mut Vec<Entry>) {
    entries.retain(|e| e.process.ended_instant().is_none_or(|at| at.elapsed() < MEMORY));
    let mut surplus = entries.iter().filter(|e| e.process.ended_instant().is_some()).count().saturating_sub(REMEMBERED);
    entries.retain(|e| {
        let forgotten = surplus > 0 && e.process.ended_instant().is_some();
        surplus -= usize::from(forgotten);
        !forgotten
    });
    let mut kept = 0;
    for entry in entries.iter().rev().filter(|e| e.process.ended_instant().is_some()) {
        kept += entry.process.kept();
        if kept > OUTPUT {
            entry.process.forget_output();
        }
    }
}

/// The ends of a process's streams that init gets, and those that stay here.
struct Plumbing {
    given: Vec<OwnedFd>,
    input: Option<OwnedFd>,
    outputs: Vec<(Stream, OwnedFd)>,
}

impl Plumbing {
    fn lay(stdin: bool, terminal: bool, owner: Option<FileIdentity>) -> std::io::Result<Self> {
        let mut plumbing = Self { given: Vec::new(), input: None, outputs: Vec::new() };
        if terminal {
            return Ok(plumbing);
        }
        if stdin {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            plumbing.given.push(reader);
            plumbing.input = Some(writer);
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            plumbing.given.push(writer);
            plumbing.outputs.push((stream, reader));
        }
        if let Some(owner) = owner {
            // A pipe is its maker's, and /dev/stdout opens it again by name.
            for end in &plumbing.given {
                fchown(end, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
            }
        }
        Ok(plumbing)
    }
}

/// Starts a program in `sandbox`.
pub async fn start(sandbox: &Arc<Sandbox>, body: StartBody) -> Outcome<Arc<Process>> {
    let serial = sandbox.init.serial();
    let terminal = body.pty.map(|size| (size.rows, size.cols));
    let wanted = Start {
        argv: body.argv.clone(),
        env: environment(sandbox, body.env, terminal.is_some()),
        cwd: inside(&body.cwd),
        stdin: body.stdin,
        terminal,
    };
    let request = wanted.encode(serial).map_err(Problem::invalid)?;
    let plumbing = Plumbing::lay(body.stdin, terminal.is_some(), sandbox.identity)?;
    let process = Arc::new(Process::new(body.name, body.argv, terminal.is_some(), &sandbox.processes.kept));
    let (_, master) = sandbox
        .init
        .exec(serial, &request, &plumbing.given, Arc::clone(&process))
        .await
        .map_err(|error| Problem::not_running(format!("the sandbox could not start a process: {error}")))?;
    drop(plumbing.given);
    let input = connect(sandbox, &process, plumbing.input, plumbing.outputs, master)?;
    sandbox.processes.add(Entry { process: Arc::clone(&process), input: Arc::new(tokio::sync::Mutex::new(input)) });
    if let Some(limit) = body.timeout_ms {
        tokio::spawn(stop_after(Duration::from_millis(limit), Arc::clone(sandbox), Arc::clone(&process)));
    }
    Ok(process)
}

/// Starts the pumps; what the caller's input goes to comes back.
fn connect(
    sandbox: &Sandbox,
    process: &Arc<Process>,
    input: Option<OwnedFd>,
    outputs: Vec<(Stream, OwnedFd)>,
    master: Option<OwnedFd>,
) -> Outcome<Option<Arc<AsyncFd<OwnedFd>>>> {
    let surviving = || Arc::clone(&sandbox.processes.surviving);
    if let Some(master) = master {
        let master = Arc::new(watched(master)?);
        tokio::spawn(pump(Arc::clone(&master), Arc::clone(process), Stream::Stdout, surviving(), sandbox.gone.clone()));
        return Ok(Some(master));
    }
    for (stream, reader) in outputs {
        tokio::spawn(pump(Arc::new(watched(reader)?), Arc::clone(process), stream, surviving(), sandbox.gone.clone()));
    }
    Ok(input.map(watched).transpose()?.map(Arc::new))
}

/// Cell's base, then the sandbox's own, then the call's.
fn environment(sandbox: &Sandbox, call: BTreeMap<String, String>, terminal: bool) -> BTreeMap<String, String> {
    let base = [
        ("PATH", PATH),
        ("HOME", "/home/agent"),
        ("USER", "agent"),
        ("LOGNAME", "agent"),
        ("SHELL", "/bin/sh"),
        ("LANG", "C.UTF-8"),
        ("TMPDIR", "/tmp"),
    ];
    let mut environment: BTreeMap<String, String> = base.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    if terminal {
        environment.insert("TERM".to_owned(), "xterm-256color".to_owned());
    }
    let trusted = trust::variables(!sandbox.spec.authority_pem.is_empty());
    environment.extend(trusted.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    environment.extend(sandbox.spec.env.clone());
    environment.extend(call);
    environment
}

fn inside(cwd: &str) -> String {
    if cwd.starts_with('/') { cwd.to_owned() } else { format!("/workspace/{cwd}") }
}

async fn stop_after(limit: Duration, sandbox: Arc<Sandbox>, process: Arc<Process>) {
    tokio::select! {
        () = tokio::time::sleep(limit) => {}
        () = process.has_ended() => return,
    }
    process.time_out();
    for signal in [TERM, KILL] {
        let Some(pid) = process.running_pid() else { return };
        let _ = sandbox.init.signal(-pid, signal).await;
        tokio::select! {
            () = tokio::time::sleep(GRACE) => {}
            () = process.has_ended() => return,
        }
    }
}

/// Sends a signal, to the whole group unless told otherwise.
pub async fn signal(sandbox: &Sandbox, process: &Process, signal: i32, group: bool) -> Outcome<()> {
    if !(1..=64).contains(&signal) {
        return Err(Problem::invalid("signal must be a number from 1 to 64"));
    }
    let pid = process.running_pid().ok_or_else(|| Problem::not_running(format!("process {} has ended", process.id)))?;
    let target = if group { -pid } else { pid };
    match sandbox.init.signal(target, signal).await {
        // It ended in this moment; its end is on the way.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// Writes to its input; with `eof` closes it.
pub async fn write_input(entry: &Entry, bytes: &[u8], eof: bool) -> Outcome<()> {
    let mut input = entry.input.lock().await;
    let Some(target) = input.as_ref() else {
        return Err(Problem::not_running("the process has no open input; start it with stdin=true or a pty"));
    };
    if let Err(error) = feed(target, bytes).await {
        *input = None;
        return Err(Problem::not_running(format!("the process does not read its input any more: {error}")));
    }
    if eof {
        if entry.process.terminal {
            let _ = feed(target, END_OF_INPUT).await;
        } else {
            *input = None;
        }
    }
    Ok(())
}

/// Changes the size of its terminal.
pub async fn resize(entry: &Entry, size: Size) -> Outcome<()> {
    let input = entry.input.lock().await;
    let Some(terminal) = input.as_ref().filter(|_| entry.process.terminal) else {
        return Err(Problem::invalid("the process has no terminal"));
    };
    let size = rustix::termios::Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(terminal.get_ref(), size).map_err(|e| Problem::not_running(format!("the terminal has gone: {e}")))
}
