//! A daemon for one test, a client for its sockets, and programs run inside its sandboxes.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::chown, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// An ordinary user, whom every system has.
const NOBODY: u32 = 65534;
const PATIENCE: Duration = Duration::from_secs(20);

/// As whom the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    Root,
    Nobody,
}

/// Runs a test once for each user that this machine lets a daemon run as.
pub fn each_mode(test: impl Fn(&Cell)) {
    if rustix::process::geteuid().is_root() {
        test(&Cell::start(As::Root));
    }
    test(&Cell::start(As::Nobody));
}

/// A daemon in a folder of its own; both go when it is dropped.
pub struct Cell {
    pub user: As,
    pub folder: tempfile::TempDir,
    child: Child,
}

impl Cell {
    pub fn start(user: As) -> Self {
        let folder = tempfile::Builder::new().prefix("cell-").tempdir_in("/tmp").unwrap();
        let uid = if user == As::Nobody && rustix::process::geteuid().is_root() { Some(NOBODY) } else { None };
        if uid.is_some() {
            chown(folder.path(), uid, uid).unwrap();
        }
        let child = spawn(folder.path(), uid);
        let cell = Self { user, folder, child };
        cell.wait_until_ready();
        cell
    }

    fn wait_until_ready(&self) {
        until("the daemon answers", || UnixStream::connect(self.socket()).is_ok());
    }

    /// Kills it without a word and starts another one on the same folders.
    pub fn crash_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let uid = if self.user == As::Nobody && rustix::process::geteuid().is_root() { Some(NOBODY) } else { None };
        fs::remove_file(self.socket()).unwrap();
        self.child = spawn(self.folder.path(), uid);
        self.wait_until_ready();
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn socket(&self) -> PathBuf {
        self.run().join("cell.sock")
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[])
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, body.to_string().as_bytes())
    }

    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let mut stream = self.send(method, path, "", body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Reply::parse(&bytes)
    }

    /// Sends a request and leaves the answer to the caller.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let connection = if headers.is_empty() { "Connection: close\r\n" } else { headers };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: cell\r\n{connection}Content-Length: {}\r\n\r\n", body.len());
        // A refusal may come before the whole body has been taken.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        stream
    }

    /// A sandbox with everything as it comes.
    pub fn sandbox(&self, id: &str) -> Sandbox<'_> {
        self.sandbox_with(id, &json!({"v": 1}))
    }

    pub fn sandbox_with(&self, id: &str, spec: &Value) -> Sandbox<'_> {
        let reply = self.ask("PUT", &format!("/v1/sandboxes/{id}"), spec.to_string().as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
        Sandbox { cell: self, id: id.to_owned(), pid: i32::try_from(reply.json()["sandbox"]["pid"].as_i64().unwrap()).unwrap() }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of the daemon\n{}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
    }
}

fn spawn(folder: &Path, uid: Option<u32>) -> Child {
    // A copy, because the ordinary user may not be let into the build folder.
    let program = folder.join("cell");
    if !program.exists() {
        // By another process: what this one has open for writing, a test that forks meanwhile would keep from being executed.
        assert!(Command::new("cp").arg(built()).arg(&program).status().unwrap().success());
    }
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    // As private as a service manager may make it.
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(&program)
        .arg("--run-dir")
        .arg(folder.join("run"))
        .arg("--state-dir")
        .arg(folder.join("state"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    command.spawn().unwrap()
}

/// The daemon, built once by the same cargo as the tests.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(path) = env::var_os("OPENMIOSA_CELL") {
            return path.into();
        }
        let status = Command::new(env::var_os("CARGO").unwrap())
            .args(["build", "--quiet", "--release", "-p", "openmiosa-dataplane", "--bin", "cell"])
            .status()
            .unwrap();
        assert!(status.success(), "the daemon could not be built");
        let tests = env::current_exe().unwrap();
        tests.ancestors().nth(2).unwrap().join("cell")
    })
}

/// Waits for something that will be so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// An answer, whole.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let split =
            bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let body = &bytes[split + 4..];
        let body = if head.to_lowercase().contains("transfer-encoding: chunked") { unchunk(body) } else { body.to_vec() };
        Self { status: head.split(' ').nth(1).unwrap().parse().unwrap(), body }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let mut line = Vec::new();
        bytes.read_until(b'\n', &mut line).unwrap();
        let size = usize::from_str_radix(String::from_utf8(line).unwrap().trim(), 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend(&bytes[..size]);
        bytes = &bytes[size + 2..];
    }
}

/// A sandbox of a daemon.
pub struct Sandbox<'a> {
    pub cell: &'a Cell,
    pub id: String,
    /// Its PID 1 on the host.
    pub pid: i32,
}

/// What a program came to.
#[derive(Debug)]
pub struct Done {
    pub code: i64,
    pub out: String,
    pub err: String,
    pub exit: Value,
}

impl Sandbox<'_> {
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/sandboxes/{}{rest}", self.id)
    }

    /// Starts a program; its id comes back.
    pub fn start(&self, body: &Value) -> String {
        let reply = self.cell.post(&self.path("/processes"), body);
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["process"]["process"].as_str().unwrap().to_owned()
    }

    /// Everything that a process says, until it ends.
    pub fn finish(&self, process: &str) -> Done {
        let reply = self.cell.get(&self.path(&format!("/processes/{process}/output?follow=true")));
        let mut done = Done { code: -1, out: String::new(), err: String::new(), exit: Value::Null };
        for line in BufReader::new(&reply.body[..]).lines() {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if let Some(data) = line["data"].as_str() {
                let text = String::from_utf8_lossy(&STANDARD.decode(data).unwrap()).into_owned();
                if line["stream"] == "stdout" { done.out += &text } else { done.err += &text }
            } else if line["exit"].is_object() {
                done.exit = line["exit"].clone();
                done.code = line["exit"]["exit_code"].as_i64().unwrap();
            }
        }
        done
    }

    pub fn run(&self, argv: &[&str]) -> Done {
        let process = self.start(&json!({"argv": argv}));
        self.finish(&process)
    }

    pub fn sh(&self, script: &str) -> Done {
        self.run(&["/bin/sh", "-c", script])
    }

    /// Runs Python with what the probes of system calls need.
    pub fn python(&self, script: &str) -> Done {
        self.run(&["/usr/bin/python3", "-c", &format!("{PROBE}\n{script}")])
    }

    pub fn put_file(&self, path: &str, bytes: &[u8]) -> Reply {
        self.cell.ask("PUT", &self.path(&format!("/files/content?path={path}")), bytes)
    }

    pub fn get_file(&self, path: &str) -> Reply {
        self.cell.get(&self.path(&format!("/files/content?path={path}")))
    }

    pub fn destroy(&self) {
        let reply = self.cell.ask("DELETE", &self.path(""), &[]);
        assert_eq!(reply.status, 204, "{}", reply.text());
    }
}

/// `call(n, …)` makes a system call and tells its result, or the name of the error.
const PROBE: &str = r"
import ctypes, errno, os, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(n, *a):
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(n), *[ctypes.c_char_p(x) if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
    return r if r >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(f, *a):
    try: return f(*a)
    except OSError as e: return errno.errorcode.get(e.errno, str(e))
";
