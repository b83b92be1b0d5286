//! Connects to the first address that answers, without waiting long for one that does not (after RFC 8305).

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::error::DialError;

/// How long one attempt has a head start on the next.
const STAGGER: Duration = Duration::from_millis(250);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Addresses that are tried at all.
const MAX_ATTEMPTS: usize = 6;

/// Connects to one address.
pub(crate) async fn one(address: SocketAddr) -> Result<TcpStream, DialError> {
    match timeout(ATTEMPT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(DialError::unreachable(address, &error)),
        Err(_) => Err(DialError::timeout(Some(address))),
    }
}

/// Connects to whichever of the addresses answers first; the error is the last attempt's.
pub(crate) async fn first(addresses: &[IpAddr], port: u16) -> Result<TcpStream, DialError> {
    let mut waiting = interleaved(addresses).into_iter().take(MAX_ATTEMPTS).map(|address| SocketAddr::new(address, port));
    let mut attempts = FuturesUnordered::new();
    let mut last = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(one(address));
        } else if attempts.is_empty() {
            return Err(last.unwrap_or_else(|| DialError::resolve("it has no address")));
        }
        tokio::select! {
            Some(done) = attempts.next() => match done {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            },
            () = sleep(STAGGER), if waiting.len() > 0 => {}
        }
    }
}

/// Both families in turn, so that one broken family costs one head start only.
fn interleaved(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(IpAddr::is_ipv6);
    let mut mixed = Vec::with_capacity(addresses.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        let before = mixed.len();
        mixed.extend(six.next());
        mixed.extend(four.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::interleaved;

    #[test]
    fn families_take_turns_and_keep_their_order() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("address")).collect::<Vec<IpAddr>>();
        let mixed = interleaved(&parse(&["1.1.1.1", "1.1.1.2", "1.1.1.3", "2606::1"]));
        assert_eq!(mixed, parse(&["2606::1", "1.1.1.1", "1.1.1.2", "1.1.1.3"]));
    }
}
