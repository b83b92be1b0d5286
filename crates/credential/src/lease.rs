//! What is lent at the moment: one value a lease, newest version only, gone when it ends.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::RwLock;

use crate::secret::Secret;

/// The values that are lent, by lease.
#[derive(Default)]
pub struct LeaseTable {
    leases: RwLock<HashMap<String, Lease>>,
}

struct Lease {
    version: u64,
    secret: Secret,
    ends: Option<Instant>,
}

/// A newer version is held already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version {held} of this lease is held already")]
pub struct StaleVersion {
    /// The version that is held.
    pub held: u64,
}

impl LeaseTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a value in. The version that is held may be put again, which renews its end.
    pub fn put(&self, lease: &str, version: u64, secret: Secret, expires_in: Option<Duration>) -> Result<(), StaleVersion> {
        self.put_at(Instant::now(), lease, version, secret, expires_in)
    }

    /// The value and its version, unless it has ended.
    pub fn get(&self, lease: &str) -> Option<(u64, Secret)> {
        self.get_at(Instant::now(), lease)
    }

    /// Forgets a value; says whether there was one.
    pub fn delete(&self, lease: &str) -> bool {
        self.leases.write().remove(lease).is_some()
    }

    /// Every lease with its version, in order of its name.
    pub fn list(&self) -> Vec<(String, u64)> {
        let mut all: Vec<_> = self.leases.read().iter().map(|(name, lease)| (name.clone(), lease.version)).collect();
        all.sort_unstable();
        all
    }

    /// Wipes what has ended and names it, so that exchanges that use it can be cut.
    pub fn remove_expired(&self) -> Vec<String> {
        self.remove_expired_at(Instant::now())
    }

    fn put_at(&self, now: Instant, lease: &str, version: u64, secret: Secret, expires_in: Option<Duration>) -> Result<(), StaleVersion> {
        let mut leases = self.leases.write();
        if let Some(held) = leases.get(lease).map(|held| held.version).filter(|held| version < *held) {
            return Err(StaleVersion { held });
        }
        // A lifetime too long for the clock is one that does not end.
        let ends = expires_in.and_then(|lifetime| now.checked_add(lifetime));
        leases.insert(lease.to_owned(), Lease { version, secret, ends });
        Ok(())
    }

    fn get_at(&self, now: Instant, lease: &str) -> Option<(u64, Secret)> {
        let leases = self.leases.read();
        let lease = leases.get(lease).filter(|lease| !lease.has_ended(now))?;
        Some((lease.version, lease.secret.clone()))
    }

    fn remove_expired_at(&self, now: Instant) -> Vec<String> {
        let mut leases = self.leases.write();
        let ended: Vec<_> = leases.iter().filter(|(_, lease)| lease.has_ended(now)).map(|(name, _)| name.clone()).collect();
        for name in &ended {
            leases.remove(name);
        }
        ended
    }
}

impl Lease {
    fn has_ended(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LeaseTable, StaleVersion};
    use crate::secret::Secret;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    fn value(table: &LeaseTable, now: Instant) -> Option<Vec<u8>> {
        table.get_at(now, "sec_1").map(|(_, secret)| secret.expose().to_vec())
    }

    #[test]
    fn a_newer_version_replaces_and_an_older_one_is_refused() {
        let table = LeaseTable::new();
        table.put("sec_1", 3, secret("three"), None).expect("first");
        table.put("sec_1", 4, secret("four"), None).expect("newer");
        assert_eq!(table.put("sec_1", 3, secret("old"), None), Err(StaleVersion { held: 4 }));
        assert_eq!(value(&table, Instant::now()), Some(b"four".to_vec()));
    }

    #[test]
    fn a_lease_ends_by_itself_and_is_named_once() {
        let (table, now) = (LeaseTable::new(), Instant::now());
        table.put_at(now, "sec_1", 1, secret("x"), Some(Duration::from_secs(10))).expect("put");
        assert!(value(&table, now + Duration::from_secs(9)).is_some());
        assert!(value(&table, now + Duration::from_secs(10)).is_none());
        assert_eq!(table.remove_expired_at(now + Duration::from_secs(10)), ["sec_1"]);
        assert!(table.remove_expired_at(now + Duration::from_secs(10)).is_empty());
    }

    #[test]
    fn putting_the_same_version_again_renews_its_end() {
        let (table, now) = (LeaseTable::new(), Instant::now());
        for moment in [now, now + Duration::from_secs(8)] {
            table.put_at(moment, "sec_1", 1, secret("x"), Some(Duration::from_secs(10))).expect("put");
        }
        assert!(value(&table, now + Duration::from_secs(15)).is_some());
    }

    #[test]
    fn a_deleted_lease_is_gone_and_the_rest_are_listed_in_order() {
        let table = LeaseTable::new();
        for name in ["sec_2", "sec_1", "sec_3"] {
            table.put(name, 7, secret("x"), None).expect("put");
        }
        assert!(table.delete("sec_2"));
        assert!(!table.delete("sec_2"));
        assert_eq!(table.list(), [("sec_1".to_owned(), 7), ("sec_3".to_owned(), 7)]);
    }
}
