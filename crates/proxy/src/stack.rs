//! The life of a connection out of a sandbox, from accepted socket to recorded event. Read it downwards; each step is a file.

use std::sync::Arc;

use openmiosa_link::{
    Reason,
    records::{Action, Stage},
};

use crate::{
    accept::Accepted,
    dns, exchange,
    gateway::Gateway,
    hello::{self, Protocol},
    identify::{Connection, Destination},
    prefixed::Prefixed,
    record::{Event, visible_host},
    refusal::Refusal,
    sandbox::Sandbox,
    terminate,
};

/// One connection. Its records are written on every way out, also when the future is dropped.
pub async fn serve(gateway: Arc<Gateway>, sandbox: Arc<Sandbox>, accepted: Accepted) {
    // Accept has found the original destination and refused what was never meant to leave (accept.rs).
    let Accepted { stream, destination, permits: _permits } = accepted;

    // Every TCP connection to port 53 is DNS, and is answered like DNS over UDP (dns/).
    if destination.port() == 53 {
        let _ = dns::server::serve_tcp(&gateway, &sandbox, stream).await;
        return;
    }

    // From here on there is an event, whatever happens; until it is decided, dropping it records a cancel (record.rs).
    let mut attempt = Event::open(&gateway, &sandbox, destination.port(), "tcp");

    // Identify: the listener said which sandbox, the synthetic address says which name (identify.rs).
    let target = Destination::of(&sandbox, destination.ip());
    attempt.call.host = match &target {
        Destination::Name(host) => visible_host(&sandbox, host.as_str()),
        Destination::Unassigned(address) => address.to_string().into(),
        Destination::Literal(address) => address.to_string().into(),
    };

    // Hello: the first bytes under a deadline. What is neither TLS nor HTTP is reset (hello.rs).
    let (protocol, stream) = hello::read(stream, gateway.settings.egress.hello_timeout()).await;
    let Ok(protocol) = protocol else { return };
    attempt.reached(Stage::Hello);
    let connection = Connection::new(Arc::clone(&gateway), Arc::clone(&sandbox), target, destination.port(), attempt);

    // Exchange: requests, each one decided, swapped, sent, relayed and recorded by itself (exchange.rs, forward.rs).
    match protocol {
        Protocol::Unknown => reset(&connection, &stream),
        Protocol::Http => exchange::serve(Arc::new(connection), stream).await,
        Protocol::Tls => serve_tls(connection, stream).await,
    }
}

/// Terminate: TLS with a leaf of the sandbox's own authority, also for names that are refused (terminate.rs).
async fn serve_tls(connection: Connection, stream: Prefixed) {
    let authority = connection.sandbox.state().and_then(|state| state.authority.clone());
    let Some(authority) = authority else { return };
    match terminate::terminate(connection, &authority, stream).await {
        Ok((connection, stream)) => exchange::serve(Arc::new(connection), stream).await,
        Err((connection, error)) => {
            if let Some(mut attempt) = connection.take_attempt() {
                attempt.call.protocol = "tls";
                // Most often a client with roots of its own that does not trust the sandbox's authority.
                attempt.decide(Action::ClientCancel, 0, |decision| decision.message = Some(error.to_string()));
            }
        }
    }
}

fn reset(connection: &Connection, stream: &Prefixed) {
    if let Some(mut attempt) = connection.take_attempt() {
        attempt.refuse(Refusal::from(Reason::UnknownProtocol), 0);
    }
    // Zero linger makes closing a reset, so that the client does not take silence for an answer.
    let _ = socket2::SockRef::from(stream.stream()).set_linger(Some(std::time::Duration::ZERO));
}
