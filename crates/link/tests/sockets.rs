//! The link over real Unix sockets.

use std::{
    io::{IoSlice, Write},
    mem::MaybeUninit,
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use http::{Request, StatusCode};
use hyper::body::Incoming;
use openmiosa_link::{
    Client, ClientError, PeerPolicy,
    listeners::{Channel, FromCell, ToCell},
    messages::Epoch,
    server,
};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, sendmsg, socketpair,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

async fn answer(request: Request<Incoming>) -> http::Response<server::Body> {
    match server::read_json::<Epoch>(request.into_body()).await {
        Ok(epoch) => server::json(StatusCode::OK, &json!({"epoch": epoch.epoch + 1})),
        Err(refused) => refused,
    }
}

fn serve(dir: &tempfile::TempDir) -> Client {
    let path = dir.path().join("a.sock");
    let socket = server::bind(&path, 0o600).expect("a socket");
    tokio::spawn(server::serve(socket, PeerPolicy::new(&[]), CancellationToken::new(), answer));
    Client::new(&path, Duration::from_secs(5))
}

#[tokio::test]
async fn a_message_is_answered_over_a_connection_that_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let client = serve(&dir);
    for epoch in 1..4 {
        let reply: Epoch = client.post("/", &json!({"v": 1, "epoch": epoch})).await.expect("an answer");
        assert_eq!(reply.epoch, epoch + 1);
    }
}

#[tokio::test]
async fn a_later_version_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let refused = serve(&dir).post::<Epoch>("/", &json!({"v": 2, "epoch": 1})).await;
    assert!(matches!(refused, Err(ClientError::Refused { body, .. }) if body.contains("version_unsupported")));
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_bad_json_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let client = serve(&dir);
    let reply: Epoch = client.post("/", &json!({"v": 1, "epoch": 1, "later": true})).await.expect("an answer");
    assert_eq!(reply.epoch, 2);
    let refused = client.post::<Epoch>("/", &json!("text")).await;
    assert!(matches!(refused, Err(ClientError::Refused { status, .. }) if status == 422));
}

#[tokio::test]
async fn only_admitted_users_are_answered() {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    assert!(PeerPolicy::new(&[]).admits(&ours), "this process's own user");
}

#[tokio::test]
async fn listeners_arrive_as_descriptors_that_work() {
    let (cell, egressd) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a pair");
    let channel = Channel::from_descriptor(egressd).expect("a channel");
    channel.send(&ToCell::Hello { v: 1, boot: "01j" }).await.expect("sent");
    let mut buffer = [0_u8; 256];
    let (length, _) = recv(&cell, &mut buffer, rustix::net::RecvFlags::empty()).expect("a packet");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&buffer[..length]).expect("JSON"),
        json!({"op": "hello", "v": 1, "boot": "01j"})
    );

    let (listener, udp) = (TcpListener::bind("127.0.0.1:0").expect("a listener"), UdpSocket::bind("127.0.0.1:0").expect("a socket"));
    send_with(
        &cell,
        &json!({"op": "add", "sandbox": "sbx_1", "network": {"address4": "198.18.0.2", "address6": "fd00::2", "steering": "tproxy"}, "tcp": 1, "udp": 1}),
        &listener,
        &udp,
    );
    let (message, mut descriptors) = channel.receive().await.expect("received").expect("a packet");
    assert!(matches!(message, FromCell::Add { sandbox, tcp: 1, udp: 1, .. } if sandbox == "sbx_1"));
    assert_eq!(descriptors.len(), 2);
    let handed_over = TcpListener::from(descriptors.remove(0));
    TcpStream::connect(listener.local_addr().expect("an address")).expect("connected").write_all(b"x").expect("sent");
    handed_over.accept().expect("accepted through the descriptor");

    drop(cell);
    assert!(channel.receive().await.expect("an end").is_none());
}

fn send_with(socket: &OwnedFd, message: &serde_json::Value, listener: &TcpListener, udp: &UdpSocket) {
    let packet = message.to_string();
    let descriptors = [listener.as_fd(), udp.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(socket, &[IoSlice::new(packet.as_bytes())], &mut control, SendFlags::empty()).expect("sent");
}
