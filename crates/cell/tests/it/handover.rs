//! The sockets of a sandbox, in the hands of a gateway.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
};

use openmiosa_cell::control;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde_json::{Value, json};

use crate::kit::{As, Cell, each_mode};

struct Gateway {
    socket: OwnedFd,
}

impl Gateway {
    fn hello(cell: &Cell) -> Self {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        connect(&socket, &SocketAddrUnix::new(cell.run().join("listeners.sock")).unwrap()).unwrap();
        let gateway = Self { socket };
        gateway.say(&json!({"v": 1, "op": "hello", "boot": "01jtest"}));
        gateway
    }

    fn say(&self, packet: &Value) {
        control::send(&self.socket, packet.to_string().as_bytes(), &[]).unwrap();
    }

    fn hear(&self) -> Option<(Value, Vec<OwnedFd>)> {
        let (bytes, descriptors) = control::receive(&self.socket).unwrap();
        (!bytes.is_empty()).then(|| (serde_json::from_slice(&bytes).unwrap(), descriptors))
    }

    fn listener(&self) -> (Value, TcpListener, UdpSocket) {
        let (packet, descriptors) = self.hear().unwrap();
        let [tcp, udp] = <[OwnedFd; 2]>::try_from(descriptors).unwrap();
        let (tcp, udp) = (TcpListener::from(tcp), UdpSocket::from(udp));
        tcp.set_nonblocking(false).unwrap();
        udp.set_nonblocking(false).unwrap();
        (packet, tcp, udp)
    }
}

#[test]
fn every_destination_arrives_at_the_listener_under_its_own_name() {
    each_mode(|cell| {
        let gateway = Gateway::hello(cell);
        let sandbox = cell.sandbox("sbx_a");
        let (packet, listener, _) = gateway.listener();
        assert_eq!(
            (&packet["op"], &packet["sandbox"], &packet["tcp"], &packet["udp"]),
            (&json!("add"), &json!("sbx_a"), &json!(1), &json!(1))
        );
        assert_eq!((&packet["network"]["address4"], &packet["network"]["steering"]), (&json!("198.18.0.2"), &json!("tproxy")));
        for wanted in ["93.184.216.34:443", "169.254.169.254:80", "10.0.0.1:22", "[2606:4700::1111]:8443", "240.0.0.1:1"] {
            let wanted: SocketAddr = wanted.parse().unwrap();
            let process = sandbox.start(&json!({"argv": ["/usr/bin/python3", "-c", format!("import socket; s = socket.create_connection(('{}', {})); print(s.recv(9).decode())", wanted.ip(), wanted.port())]}));
            let (mut accepted, from) = listener.accept().unwrap();
            let to = accepted.local_addr().unwrap();
            assert_eq!((to.ip().to_canonical(), to.port()), (wanted.ip(), wanted.port()));
            assert!(
                matches!(from.ip().to_canonical(), IpAddr::V4(a) if a.to_string() == "198.18.0.2")
                    || from.ip().to_string() == packet["network"]["address6"]
            );
            accepted.write_all(b"gateway").unwrap();
            drop(accepted);
            assert_eq!(sandbox.finish(&process).out, "gateway\n");
        }
    });
}

#[test]
fn questions_to_any_name_server_arrive_at_the_dns_socket() {
    each_mode(|cell| {
        let gateway = Gateway::hello(cell);
        let sandbox = cell.sandbox("sbx_a");
        let (_, _, udp) = gateway.listener();
        for server in ["198.18.0.1", "8.8.8.8"] {
            sandbox.start(&json!({"argv": ["/usr/bin/python3", "-c", format!("import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'question', ('{server}', 53))")]}));
            let mut buffer = [0; 100];
            let (length, _) = udp.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"question");
        }
    });
}

#[test]
fn connections_wait_for_a_gateway_and_the_newest_one_gets_them() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let process = sandbox.start(&json!({"argv": ["/usr/bin/python3", "-c", "import socket; print(socket.create_connection(('1.2.3.4', 80)).recv(9).decode())"]}));
        let first = Gateway::hello(cell);
        drop(first.listener());
        let second = Gateway::hello(cell);
        let (_, listener, _) = second.listener();
        assert!(first.hear().is_none(), "the former connection is closed");
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.write_all(b"second").unwrap();
        drop(accepted);
        assert_eq!(sandbox.finish(&process).out, "second\n");
    });
}

#[test]
fn a_sandbox_that_goes_is_taken_back_from_the_gateway() {
    each_mode(|cell| {
        let gateway = Gateway::hello(cell);
        let sandbox = cell.sandbox("sbx_a");
        let held = gateway.listener();
        std::thread::scope(|scope| {
            let destroying = scope.spawn(|| sandbox.destroy());
            let (packet, _) = gateway.hear().unwrap();
            assert_eq!(packet, json!({"op": "remove", "sandbox": "sbx_a"}));
            drop(held);
            gateway.say(&json!({"op": "removed", "sandbox": "sbx_a"}));
            destroying.join().unwrap();
        });
    });
}

#[test]
fn an_upgraded_request_is_a_connection_to_a_server_inside() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.start(&json!({"argv": ["/usr/bin/python3", "-c",
            "import socket\ns = socket.create_server(('127.0.0.1', 8000))\nopen('/workspace/up', 'w')\nwhile True:\n c, _ = s.accept()\n c.sendall(c.recv(99).upper())\n c.close()"]}));
        crate::kit::until("the server listens", || sandbox.get_file("up").status == 200);
        let mut stream = cell.send("GET", &sandbox.path("/connect?port=8000"), "Connection: Upgrade\r\nUpgrade: tcp\r\n", &[]);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        stream.write_all(b"hello").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HELLO");
    });
}

#[test]
fn a_port_that_nobody_listens_on_is_told() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let mut stream = cell.send("GET", &sandbox.path("/connect?port=8001"), "Connection: Upgrade\r\nUpgrade: tcp\r\n", &[]);
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 409");
    });
}

#[test]
fn n_23_every_way_of_sending_arrives_at_the_listener() {
    each_mode(|cell| {
        let gateway = Gateway::hello(cell);
        let sandbox = cell.sandbox("sbx_a");
        let (_, listener, _) = gateway.listener();
        for way in ["s.sendto(b'x', socket.MSG_FASTOPEN, to)", "s.connect(to); s.sendmsg([b'x'])", "s.connect(to); s.send(b'x')"] {
            sandbox.start(&json!({"argv": ["/usr/bin/python3", "-c", format!("import socket; s = socket.socket(); to = ('192.0.2.7', 4433); {way}; s.recv(1)")]}));
            let (accepted, _) = listener.accept().unwrap();
            let to = accepted.local_addr().unwrap();
            assert_eq!((to.ip().to_canonical().to_string().as_str(), to.port()), ("192.0.2.7", 4433), "{way}");
        }
    });
}

#[test]
fn a_gateway_that_answers_each_sandbox_before_it_takes_the_next_gets_them_all() {
    const MANY: usize = 320;
    let cell = &Cell::start(As::Nobody);
    std::thread::scope(|scope| {
        for first in 0..4 {
            scope.spawn(move || (first..MANY).step_by(4).for_each(|n| drop(cell.sandbox(&format!("sbx_{n}")))));
        }
    });
    let gateway = Gateway::hello(cell);
    // The smallest there is: its answers wait until cell listens.
    rustix::net::sockopt::set_socket_send_buffer_size(&gateway.socket, 1).unwrap();
    for _ in 0..MANY {
        let (packet, _) = gateway.hear().expect("cell still talks");
        gateway.say(&json!({"op": "added", "sandbox": packet["sandbox"]}));
    }
}
