//! The network of a sandbox has one way out, and the way out is the listener.

use std::{net::TcpListener, os::linux::net::SocketAddrExt, os::unix::net};

use crate::kit::each_mode;

#[test]
fn n_12_the_rules_cannot_be_changed_from_inside() {
    each_mode(|cell| {
        let done = cell.sandbox("sbx_a").python(
            "
assert attempt(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, 12) == 'EPROTONOSUPPORT'
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
route = struct.pack('BBBBBBBBI', 2, 0, 0, 0, 254, 4, 0, 1, 0)
s.send(struct.pack('IHHII', 16 + len(route), 24, 0x605, 1, 0) + route)
reply = s.recv(4096)
assert struct.unpack('i', reply[16:20])[0] == -errno.EPERM
assert attempt(open, '/proc/sys/net/ipv4/ip_unprivileged_port_start', 'w') in ('EROFS', 'EACCES')",
        );
        assert_eq!((done.code, done.err.as_str()), (0, ""));
    });
}

#[test]
fn n_13_udp_that_is_not_dns_is_refused_at_once() {
    each_mode(|cell| {
        let done = cell.sandbox("sbx_a").python(
            "
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(('1.1.1.1', 443))
s.send(b'quic')
assert attempt(s.recv, 10) == 'ECONNREFUSED'",
        );
        assert_eq!((done.code, done.err.as_str()), (0, ""));
    });
}

#[test]
fn n_14_n_15_ping_and_raw_sockets_do_not_exist() {
    each_mode(|cell| {
        let done = cell.sandbox("sbx_a").python(
            "
for kind, protocol in ((socket.SOCK_DGRAM, 1), (socket.SOCK_RAW, 1), (socket.SOCK_RAW, 47), (socket.SOCK_RAW, 255), (socket.SOCK_STREAM, 132), (socket.SOCK_STREAM, 262), (socket.SOCK_DGRAM, 136)):
    assert attempt(socket.socket, socket.AF_INET, kind, protocol) == 'EPROTONOSUPPORT', (kind, protocol)
assert attempt(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM, 58) == 'EPROTONOSUPPORT'
assert attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0) == 'EAFNOSUPPORT'",
        );
        assert_eq!((done.code, done.err.as_str()), (0, ""));
    });
}

#[test]
fn n_20_sockets_to_the_hypervisor_do_not_exist() {
    each_mode(|cell| {
        let done = cell.sandbox("sbx_a").python(
            "
for family in (40, 38, 44, 31, 16 + 1):
    assert attempt(socket.socket, family, socket.SOCK_STREAM) == 'EAFNOSUPPORT', family",
        );
        assert_eq!((done.code, done.err.as_str()), (0, ""));
    });
}

#[cfg(target_arch = "x86_64")]
#[test]
fn n_20_the_32_bit_door_is_closed() {
    each_mode(|cell| {
        let done = cell.sandbox("sbx_a").python(
            "
import mmap
m = mmap.mmap(-1, 4096, prot=7)
m.write(bytes.fromhex('b814000000cd80c3'))
address = ctypes.addressof(ctypes.c_char.from_buffer(m))
print('before', flush=True)
ctypes.CFUNCTYPE(ctypes.c_int)(address)()
print('after')",
        );
        // Killed by SIGSYS for speaking another architecture's language.
        assert_eq!((done.code, done.out.as_str()), (128 + 31, "before\n"), "{done:?}");
    });
}

#[test]
fn loopback_inside_works_and_is_its_own() {
    each_mode(|cell| {
        let script = "
s = socket.create_server(('127.0.0.1', 8080))
c = socket.create_connection(('localhost', 8080))
a, _ = s.accept()
a.send(b'hi')
assert c.recv(2) == b'hi'";
        for id in ["sbx_a", "sbx_b"] {
            let done = cell.sandbox(id).python(script);
            assert_eq!((done.code, done.err.as_str()), (0, ""));
        }
    });
}

#[test]
fn without_a_gateway_a_connection_waits_and_nothing_answers() {
    each_mode(|cell| {
        let done = cell.sandbox("sbx_a").python(
            "
s = socket.create_connection(('93.184.216.34', 443), timeout=5)
s.settimeout(0.2)
s.send(b'hello')
try:
    print('read', s.recv(1))
except TimeoutError:
    print('silence')",
        );
        assert_eq!(done.out, "silence\n");
    });
}

#[test]
fn n_09_n_10_neither_the_host_nor_a_neighbour_is_reached() {
    each_mode(|cell| {
        let host = TcpListener::bind("127.0.0.1:0").unwrap();
        host.set_nonblocking(true).unwrap();
        let neighbour = cell.sandbox("sbx_b");
        neighbour.start(&serde_json::json!({"argv": ["/usr/bin/python3", "-c", "import socket\ns = socket.create_server(('198.18.0.2', 7000))\nopen('/workspace/up', 'w')\ns.accept(); open('/workspace/reached', 'w')"]}));
        crate::kit::until("the neighbour listens", || neighbour.get_file("up").status == 200);
        let done = cell.sandbox("sbx_a").python(&format!(
            "
assert attempt(socket.create_connection, ('127.0.0.1', {})) == 'ECONNREFUSED'
assert attempt(socket.create_connection, ('198.18.0.2', 7000)) == 'ECONNREFUSED'",
            host.local_addr().unwrap().port()
        ));
        assert_eq!((done.code, done.err.as_str()), (0, ""));
        assert!(host.accept().is_err(), "nothing arrived at the host");
        assert_eq!(neighbour.get_file("reached").status, 404);
    });
}

#[test]
fn n_21_abstract_sockets_of_the_host_are_out_of_reach() {
    each_mode(|cell| {
        let name = format!("openmiosa-test-{}", cell.pid());
        let _host = net::UnixListener::bind_addr(&net::SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let done =
            cell.sandbox("sbx_a").python(&format!("assert attempt(socket.socket(socket.AF_UNIX).connect, '\\0{name}') == 'ECONNREFUSED'"));
        assert_eq!((done.code, done.err.as_str()), (0, ""));
    });
}
