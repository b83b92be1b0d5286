//! The last megabytes of a stream, addressed by offset from its beginning.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How much of a stream is kept.
const CAPACITY: usize = 4 << 20;
/// How much all rings of a sandbox keep together, before each that grows is cut down to `SCARCE`.
const TOGETHER: usize = 64 << 20;
const SCARCE: usize = 64 << 10;

/// What the rings of one sandbox hold together.
#[derive(Clone, Default)]
pub struct Kept {
    bytes: Arc<AtomicUsize>,
}

/// Bytes that push the oldest out.
pub struct Ring {
    bytes: VecDeque<u8>,
    start: u64,
    kept: Kept,
}

impl Ring {
    /// An empty one.
    pub fn new(kept: Kept) -> Self {
        Self { bytes: VecDeque::new(), start: 0, kept }
    }

    /// Adds to the end.
    pub fn push(&mut self, more: &[u8]) {
        let before = self.bytes.len();
        let others = self.kept.bytes.fetch_sub(before, Ordering::Relaxed) - before;
        let capacity = TOGETHER.saturating_sub(others).clamp(SCARCE, CAPACITY);
        let kept = &more[more.len().saturating_sub(capacity)..];
        let surplus = (before + kept.len()).saturating_sub(capacity);
        self.bytes.drain(..surplus);
        if surplus > 0 {
            self.bytes.shrink_to(capacity);
        }
        self.bytes.extend(kept);
        self.start += (surplus + more.len() - kept.len()) as u64;
        self.kept.bytes.fetch_add(self.bytes.len(), Ordering::Relaxed);
    }

    /// Gives all of its memory back; the offsets go on from where they are.
    pub fn forget(&mut self) {
        self.start = self.end();
        self.kept.bytes.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        self.bytes = VecDeque::new();
    }

    /// The offset of the oldest byte kept.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The offset behind the newest.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Up to `limit` bytes from `offset` on, or from the oldest kept.
    pub fn read(&self, offset: u64, limit: usize) -> Vec<u8> {
        let skip = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.iter().skip(skip).take(limit).copied().collect()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_forgets_its_oldest_bytes_and_keeps_counting() {
        let mut ring = Ring::new(Kept::default());
        ring.push(&vec![b'a'; CAPACITY]);
        ring.push(b"xyz");
        assert_eq!((ring.start(), ring.end()), (3, CAPACITY as u64 + 3));
        assert_eq!(ring.read(CAPACITY as u64, 10), b"xyz");
        assert_eq!(ring.read(0, 2), b"aa");
    }

    #[test]
    fn a_piece_larger_than_the_ring_leaves_its_own_end() {
        let mut ring = Ring::new(Kept::default());
        ring.push(b"old");
        ring.push(&[vec![b'.'; CAPACITY], b"end".to_vec()].concat());
        assert_eq!(ring.end(), CAPACITY as u64 + 6);
        assert_eq!(ring.read(ring.end() - 3, 10), b"end");
    }

    #[test]
    fn rings_of_one_sandbox_share_what_they_may_keep() {
        let kept = Kept::default();
        let mut rings: Vec<_> = (0..100).map(|_| Ring::new(kept.clone())).collect();
        for ring in &mut rings {
            ring.push(&vec![b'a'; CAPACITY]);
        }
        assert!(kept.bytes.load(Ordering::Relaxed) <= TOGETHER + 100 * SCARCE);
        assert_eq!(rings[99].read(0, CAPACITY).len(), SCARCE);
        rings.truncate(1);
        assert_eq!(kept.bytes.load(Ordering::Relaxed), CAPACITY);
    }
}
