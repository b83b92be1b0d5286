//! The program itself: it starts, takes listeners, dies, comes back, drains, and refuses a bad configuration.

use std::{
    fs,
    io::{IoSlice, Write},
    mem::MaybeUninit,
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use openmiosa_link::{Client, PeerPolicy, server};
use rustix::{
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept,
        bind, listen, recv, sendmsg, socket_with,
    },
    process::{Pid, Signal, kill_process},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

struct Egressd {
    child: Child,
}

impl Egressd {
    fn start(dir: &Path) -> Self {
        let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("a log");
        let child = command(dir).stderr(log).spawn().expect("egressd starts");
        Self { child }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
    }

    fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Egressd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(dir: &Path) -> Command {
    command_in(dir, dir)
}

fn command_in(run_dir: &Path, dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressd"));
    command
        .arg("--run-dir")
        .arg(run_dir)
        .arg("--journal-dir")
        .arg(dir.join("journal"))
        .arg("--config")
        .arg(dir.join("openmiosa.toml"))
        .stdout(Stdio::null());
    command
}

/// The server's hello, as often as it was said.
fn serve_link(dir: &Path) -> Arc<Mutex<Vec<Value>>> {
    let hellos = Arc::<Mutex<Vec<Value>>>::default();
    let (socket, noting) = (server::bind(&dir.join("link.sock"), 0o600).expect("link.sock"), Arc::clone(&hellos));
    tokio::spawn(server::serve(
        socket,
        PeerPolicy::new(&[]),
        CancellationToken::new(),
        move |request: http::Request<hyper::body::Incoming>| {
            let noting = Arc::clone(&noting);
            async move {
                if let Ok(body) = server::read_json::<Value>(request.into_body()).await {
                    noting.lock().expect("the notes").push(body);
                }
                server::json(http::StatusCode::OK, &json!({"epoch": 3}))
            }
        },
    ));
    hellos
}

/// cell's side of `listeners.sock`.
struct Cell {
    listening: OwnedFd,
    tcp: TcpListener,
    udp: UdpSocket,
}

impl Cell {
    fn bind(dir: &Path) -> Self {
        let listening = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a socket");
        bind(&listening, &SocketAddrUnix::new(dir.join("listeners.sock")).expect("a path")).expect("bound");
        listen(&listening, 4).expect("listening");
        Self {
            listening,
            tcp: TcpListener::bind("127.0.0.1:0").expect("a listener"),
            udp: UdpSocket::bind("127.0.0.1:0").expect("a socket"),
        }
    }

    /// Hears a hello, hands the sockets over, hears that they were taken; gives the boot.
    fn hand_over(&self) -> (OwnedFd, String) {
        let channel = accept(&self.listening).expect("egressd connects");
        let hello = packet(&channel);
        let message = json!({"op": "add", "sandbox": "sbx_1", "network": {"address4": "198.18.0.2", "address6": null, "steering": "tproxy"}, "tcp": 1, "udp": 1}).to_string();
        let descriptors = [self.tcp.as_fd(), self.udp.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(&channel, &[IoSlice::new(message.as_bytes())], &mut control, SendFlags::empty()).expect("sent");
        assert_eq!(packet(&channel), json!({"op": "added", "sandbox": "sbx_1"}));
        (channel, hello["boot"].as_str().expect("a boot").to_owned())
    }
}

fn packet(channel: &OwnedFd) -> Value {
    let mut buffer = [0_u8; 1024];
    let (length, _) = recv(channel, &mut buffer, RecvFlags::empty()).expect("a packet");
    serde_json::from_slice(&buffer[..length]).expect("JSON")
}

async fn status(dir: &Path) -> Value {
    let client = Client::new(&dir.join("egressd.sock"), Duration::from_secs(5));
    client.send(http::Method::GET, "/v1/status", bytes::Bytes::new(), &[]).await.expect("a status")
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn n19_killed_it_comes_back_with_its_listeners_and_connections_wait_meanwhile() {
    let dir = tempfile::tempdir().expect("a folder");
    let (hellos, cell) = (serve_link(dir.path()), Cell::bind(dir.path()));
    let mut first = Egressd::start(dir.path());
    let (_channel, first_boot) = tokio::task::block_in_place(|| cell.hand_over());
    until("the server has heard of it", || !hellos.lock().expect("the notes").is_empty()).await;
    first.signal(Signal::KILL);
    first.wait();
    // The sandbox has no network, not an open one: its connection waits in the listener that cell keeps.
    let mut waiting = TcpStream::connect(cell.tcp.local_addr().expect("an address")).expect("queued");
    waiting.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent into the queue");
    let _second = Egressd::start(dir.path());
    let (_channel, second_boot) = tokio::task::block_in_place(|| cell.hand_over());
    assert_ne!(first_boot, second_boot);
    until("the server has heard of the new boot", || {
        hellos.lock().expect("the notes").iter().any(|hello| hello["boot"] == second_boot.as_str())
    })
    .await;
    let status = status(dir.path()).await;
    assert_eq!((&status["boot"], &status["sandboxes"][0]["listening"]), (&json!(second_boot), &json!(true)));
    let gateways: std::collections::BTreeSet<_> =
        hellos.lock().expect("the notes").iter().map(|hello| hello["gateway"].to_string()).collect();
    assert_eq!(gateways.len(), 1, "the gateway's id outlives its boots");
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_drains_and_exits_with_zero() {
    let dir = tempfile::tempdir().expect("a folder");
    let hellos = serve_link(dir.path());
    let mut egressd = Egressd::start(dir.path());
    until("it is ready", || !hellos.lock().expect("the notes").is_empty()).await;
    egressd.signal(Signal::TERM);
    assert_eq!(tokio::task::block_in_place(|| egressd.wait()), Some(0));
    assert!(fs::read_to_string(dir.path().join("log")).expect("a log").contains("\"message\":\"ready\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gives_up_what_it_does_not_need() {
    let dir = tempfile::tempdir().expect("a folder");
    let hellos = serve_link(dir.path());
    let egressd = Egressd::start(dir.path());
    until("it is ready", || !hellos.lock().expect("the notes").is_empty()).await;
    let proc = Path::new("/proc").join(egressd.child.id().to_string());
    let status = fs::read_to_string(proc.join("status")).expect("its status");
    for line in ["CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{line} not in {status}");
    }
    let limits = fs::read_to_string(proc.join("limits")).expect("its limits");
    assert!(limits.lines().any(|line| line.starts_with("Max core file size        0 ")), "{limits}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_not_bounded_by_the_shells_limit_on_open_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let hellos = serve_link(dir.path());
    let plain = command(dir.path());
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -Sn 256 && exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
    let egressd = Egressd { child: limited.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("egressd starts") };
    until("it is ready", || !hellos.lock().expect("the notes").is_empty()).await;
    let limits = fs::read_to_string(Path::new("/proc").join(egressd.child.id().to_string()).join("limits")).expect("its limits");
    let files: Vec<&str> =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit").split_whitespace().collect();
    assert_eq!(files[0], files[1], "as many as it may have");
}

#[test]
fn a_bad_configuration_is_exit_code_two_with_the_reason() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("openmiosa.toml"), "[upstream.static_hosts]\n\"api.openai.com\" = \"nowhere\"\n").expect("written");
    let output = command(dir.path()).stderr(Stdio::piped()).output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("static_hosts"));
}

#[test]
fn a_run_folder_that_is_not_there_is_exit_code_three() {
    let dir = tempfile::tempdir().expect("a folder");
    let output = command_in(&dir.path().join("absent"), dir.path()).stderr(Stdio::piped()).output().expect("it ends");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}
