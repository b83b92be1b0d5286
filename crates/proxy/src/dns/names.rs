//! Which name is behind which synthetic address, for one sandbox.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use openmiosa_policy::Host;

/// 198.18.0.0/15, which RFC 2544 sets aside and nobody routes.
const RANGE: u32 = 0xC612_0000;
/// Its first /24 is left to the sandboxes' own addresses.
const RESERVED: u32 = 256;
/// How many names one sandbox has at a time: a flood of names fills no more memory and writes no more records than this.
const ADDRESSES: u32 = 1 << 14;
/// How many places a name may take. The places depend on the name alone, so an egressd that
/// comes back still knows an address that its predecessor handed out.
const PROBES: u32 = 8;
/// An address may change hands when nobody has asked for or used it for this long: twice the TTL.
const STALE: Duration = Duration::from_secs(120);

/// The names of one sandbox. At most one name an address, so the table is bounded by the range.
#[derive(Default)]
pub struct Names {
    by_slot: HashMap<u32, Entry>,
}

struct Entry {
    host: Host,
    last_used: Instant,
    connected: Option<Instant>,
    /// Since when, and how often, it was asked for without being connected to.
    asked_since: Option<Instant>,
    asked: u64,
}

/// A name that was asked for and never connected to, with the exact count.
#[derive(Debug, PartialEq, Eq)]
pub struct Unused {
    /// The name.
    pub host: Host,
    /// How often it was asked for in the window.
    pub count: u64,
}

impl Names {
    /// Notes a question and gives the name's address; `None` when all its places are in use.
    /// The second part is a name that had to go, if it still owed a record.
    pub fn ask(&mut self, host: &Host, now: Instant) -> (Option<Ipv4Addr>, Option<Unused>) {
        let Some(slot) = self.place(host, now) else { return (None, None) };
        let displaced = match self.by_slot.get(&slot) {
            Some(entry) if entry.host != *host => self.by_slot.remove(&slot).and_then(Entry::unused),
            _ => None,
        };
        let entry = self.by_slot.entry(slot).or_insert_with(|| Entry::new(host, now));
        entry.last_used = now;
        entry.asked_since.get_or_insert(now);
        entry.asked += 1;
        (Some(address_of(slot)), displaced)
    }

    /// The name behind an address that is being connected to.
    pub fn connect(&mut self, address: Ipv4Addr, now: Instant) -> Option<Host> {
        let entry = self.by_slot.get_mut(&slot_of(address)?)?;
        entry.last_used = now;
        entry.connected = Some(now);
        entry.asked_since = None;
        entry.asked = 0;
        Some(entry.host.clone())
    }

    /// Whether an address that nobody holds is one that `host` was or would be given: true after a
    /// restart, when a client still uses the answer of the predecessor. Takes it for the name.
    pub fn readopt(&mut self, address: Ipv4Addr, host: &Host, now: Instant) -> bool {
        let Some(slot) = slot_of(address) else { return false };
        let ours = !self.by_slot.contains_key(&slot) && (0..PROBES).any(|probe| slot_for(host, probe) == slot);
        if ours {
            self.by_slot.insert(slot, Entry::new(host, now));
        }
        ours
    }

    /// Takes out what was asked for, never connected to, and whose window has ended; with `all`, also those that have not.
    pub fn end_windows(&mut self, window: Duration, all: bool, now: Instant) -> Vec<Unused> {
        let ended = |entry: &&mut Entry| entry.asked_since.is_some_and(|since| all || now.duration_since(since) >= window);
        let mut unused = Vec::new();
        for entry in self.by_slot.values_mut().filter(ended) {
            // A client that asks again for a name that it has just connected to is no news.
            let in_use = entry.connected.zip(entry.asked_since).is_some_and(|(connected, since)| connected + window >= since);
            unused.extend(entry.take_unused().filter(|_| !in_use));
        }
        unused
    }

    fn place(&self, host: &Host, now: Instant) -> Option<u32> {
        let slots = || (0..PROBES).map(|probe| slot_for(host, probe));
        slots()
            .find(|slot| self.by_slot.get(slot).is_some_and(|entry| entry.host == *host))
            .or_else(|| slots().find(|slot| !self.by_slot.contains_key(slot)))
            .or_else(|| slots().find(|slot| self.by_slot.get(slot).is_some_and(|entry| now.duration_since(entry.last_used) > STALE)))
    }
}

impl Entry {
    fn new(host: &Host, now: Instant) -> Self {
        Self { host: host.clone(), last_used: now, connected: None, asked_since: None, asked: 0 }
    }

    fn take_unused(&mut self) -> Option<Unused> {
        self.asked_since.take()?;
        Some(Unused { host: self.host.clone(), count: std::mem::take(&mut self.asked) })
    }

    fn unused(mut self) -> Option<Unused> {
        self.take_unused()
    }
}

/// Whether an address is of the synthetic range at all.
pub fn is_synthetic(address: Ipv4Addr) -> bool {
    address.to_bits() >> 17 == RANGE >> 17
}

fn slot_for(host: &Host, probe: u32) -> u32 {
    let mut hasher = DefaultHasher::new();
    (host.as_str(), probe).hash(&mut hasher);
    u32::try_from(hasher.finish() % u64::from(ADDRESSES)).unwrap_or_default()
}

fn address_of(slot: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(RANGE + RESERVED + slot)
}

fn slot_of(address: Ipv4Addr) -> Option<u32> {
    address.to_bits().checked_sub(RANGE + RESERVED).filter(|slot| *slot < ADDRESSES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Host {
        Host::parse(name).expect("a host")
    }

    #[test]
    fn a_name_keeps_its_address_and_the_address_its_name() {
        let (mut names, now) = (Names::default(), Instant::now());
        let (address, _) = names.ask(&host("api.openai.com"), now);
        let address = address.expect("an address");
        assert!(is_synthetic(address) && address.octets()[..3] != [198, 18, 0]);
        assert_eq!(names.ask(&host("api.openai.com"), now).0, Some(address));
        assert_eq!(names.connect(address, now), Some(host("api.openai.com")));
    }

    #[test]
    fn d01_a_flood_of_names_is_bounded() {
        let (mut names, now) = (Names::default(), Instant::now());
        let given = (0..50_000).filter(|number| names.ask(&host(&format!("d{number}.evil.test")), now).0.is_some()).count();
        assert!((10_000..=16_384).contains(&given), "{given}");
    }

    #[test]
    fn an_address_that_was_never_handed_out_has_no_name() {
        let mut names = Names::default();
        assert_eq!(names.connect(Ipv4Addr::new(198, 18, 9, 9), Instant::now()), None);
        assert_eq!(names.connect(Ipv4Addr::new(10, 0, 0, 1), Instant::now()), None);
    }

    #[test]
    fn a_successor_knows_the_address_that_its_predecessor_handed_out() {
        let now = Instant::now();
        let address = Names::default().ask(&host("api.openai.com"), now).0.expect("an address");
        let mut successor = Names::default();
        assert!(!successor.readopt(address, &host("evil.test"), now));
        assert!(successor.readopt(address, &host("api.openai.com"), now));
        assert_eq!(successor.connect(address, now), Some(host("api.openai.com")));
    }

    #[test]
    fn d01_a_name_asked_and_never_connected_is_counted_once_a_window() {
        let (mut names, now, window) = (Names::default(), Instant::now(), Duration::from_secs(10));
        for _ in 0..3 {
            names.ask(&host("data.evil.test"), now);
        }
        let (used, _) = names.ask(&host("api.openai.com"), now);
        names.connect(used.expect("an address"), now);
        assert_eq!(names.end_windows(window, false, now + Duration::from_secs(9)), vec![]);
        assert_eq!(names.end_windows(window, false, now + window), vec![Unused { host: host("data.evil.test"), count: 3 }]);
        assert_eq!(names.end_windows(window, false, now + window), vec![]);
    }

    #[test]
    fn d01_asking_again_for_a_name_in_use_is_no_news() {
        let (mut names, now, window) = (Names::default(), Instant::now(), Duration::from_secs(10));
        let (used, _) = names.ask(&host("api.openai.com"), now);
        names.connect(used.expect("an address"), now);
        names.ask(&host("api.openai.com"), now + Duration::from_secs(5));
        assert_eq!(names.end_windows(window, true, now + Duration::from_secs(6)), vec![]);
    }
}
