//! How many connections there are, in all and from each address, and what happens to those over the limit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::ServerLimits;

/// How many connections over the limit are told so at a time; further ones are closed without a word.
pub(super) const TOLD_AT_ONCE: usize = 64;
/// How long one of them may take to read it.
const TELLING: Duration = Duration::from_secs(1);
/// What they are told, whatever they wanted: nothing of theirs is read before.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 100\r\n\r\n\
{\"error\":{\"type\":\"overloaded_error\",\"message\":\"the router has as many connections as it may have\"}}\n";

/// The connections that there are.
pub struct Crowd {
    counts: Mutex<Counts>,
    told: Arc<Semaphore>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    /// Addresses without a connection are not in here.
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; dropping it makes room.
pub struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    /// Nobody yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), told: Arc::new(Semaphore::new(TOLD_AT_ONCE)) })
    }

    /// A place for a connection from `address`, if there is one.
    pub fn enter(self: &Arc<Self>, address: IpAddr, limits: &ServerLimits) -> Option<Place> {
        let address = network(address);
        let mut counts = self.counts();
        let from_there = counts.by_address.get(&address).copied().unwrap_or_default();
        if counts.all >= limits.connections || from_there >= limits.connections_per_address {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, from_there + 1);
        Some(Place { crowd: self.clone(), address })
    }

    /// Tells a connection for which there is no place to come again, if not too many are being told already.
    pub fn turn_away(&self, mut stream: TcpStream) {
        let Ok(permit) = self.told.clone().try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _permit = permit;
            let tell = async {
                stream.write_all(BUSY).await?;
                stream.shutdown().await?;
                // Closing on bytes that nobody read would reset the connection, and the answer might not be seen.
                let mut forgotten = [0; 1024];
                while stream.read(&mut forgotten).await? > 0 {}
                std::io::Result::Ok(())
            };
            let _ = timeout(TELLING, tell).await;
        });
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        counts.all = counts.all.saturating_sub(1);
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: for IPv6 the network that one customer gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: usize, connections_per_address: usize) -> ServerLimits {
        ServerLimits { connections, connections_per_address, ..ServerLimits::default() }
    }

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_counted_in_all_and_by_address_and_given_back() {
        let (crowd, limits) = (Crowd::new(), limits(3, 2));
        let one = crowd.enter(at("192.0.2.1"), &limits).unwrap();
        let _two = crowd.enter(at("::ffff:192.0.2.1"), &limits).unwrap();
        assert!(crowd.enter(at("192.0.2.1"), &limits).is_none(), "the same address");
        let _three = crowd.enter(at("2001:db8::1"), &limits).unwrap();
        assert!(crowd.enter(at("192.0.2.9"), &limits).is_none(), "three in all");
        drop(one);
        let _four = crowd.enter(at("192.0.2.9"), &limits).unwrap();
        assert_eq!(crowd.counts().by_address.len(), 3);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        assert_eq!(network(at("2001:db8::1:2:3:4")), network(at("2001:db8::ffff:0:0:1")));
        assert_ne!(network(at("2001:db8:0:1::1")), network(at("2001:db8:0:2::1")));
    }

    #[test]
    fn the_answer_has_the_length_that_it_says() {
        let text = std::str::from_utf8(BUSY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
