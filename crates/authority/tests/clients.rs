//! Clients that verify more strictly than rustls does.

use std::process::Stdio;

use openmiosa_authority::Authority;
use openmiosa_testkit::TestCa;
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};
use tokio_rustls::TlsAcceptor;

/// Python 3.13 sets these flags by itself; earlier versions do when told to.
const STRICT_PYTHON: &str = "
import socket, ssl, sys
context = ssl.create_default_context(cadata=sys.argv[2])
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
with socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10) as plain:
    with context.wrap_socket(plain, server_hostname=sys.argv[3]) as secured:
        sys.stdout.write(secured.version() + ' ' + secured.recv(16).decode())
";

#[tokio::test]
async fn python_accepts_a_leaf_with_its_strict_flags() {
    let ca = TestCa::new();
    let authority = Authority::from_parts(ca.pem(), ca.key_der()).expect("an authority");
    let long = format!("{}.{}.test", "a".repeat(60), "b".repeat(60));
    for name in ["api.openai.com", &long] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let acceptor = TlsAcceptor::from(authority.server_config(&name).expect("a config"));
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut secured = acceptor.accept(stream).await.expect("a handshake");
            secured.write_all(b"hello").await.expect("written");
            secured.shutdown().await.expect("ended");
        });
        let python = Command::new("python3").args(["-c", STRICT_PYTHON, &port.to_string(), ca.pem(), name]).stderr(Stdio::piped()).output();
        let output = python.await.expect("python3 runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "TLSv1.3 hello", "{}", String::from_utf8_lossy(&output.stderr));
        served.await.expect("served");
    }
}
