//! The last megabytes of a stream, addressed by offset from its beginning.

use std::collections::VecDeque;

/// How much of a stream is kept.
pub const CAPACITY: usize = 4 << 20;

/// Bytes that push the oldest out.
#[derive(Default)]
pub struct Ring {
    bytes: VecDeque<u8>,
    start: u64,
}

impl Ring {
    /// Adds to the end.
    pub fn push(&mut self, more: &[u8]) {
        let kept = &more[more.len().saturating_sub(CAPACITY)..];
        let surplus = (self.bytes.len() + kept.len()).saturating_sub(CAPACITY);
        self.bytes.drain(..surplus);
        self.bytes.extend(kept);
        self.start += (surplus + more.len() - kept.len()) as u64;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_forgets_its_oldest_bytes_and_keeps_counting() {
        let mut ring = Ring::default();
        ring.push(&vec![b'a'; CAPACITY]);
        ring.push(b"xyz");
        assert_eq!((ring.start(), ring.end()), (3, CAPACITY as u64 + 3));
        assert_eq!(ring.read(CAPACITY as u64, 10), b"xyz");
        assert_eq!(ring.read(0, 2), b"aa");
    }

    #[test]
    fn a_piece_larger_than_the_ring_leaves_its_own_end() {
        let mut ring = Ring::default();
        ring.push(b"old");
        ring.push(&[vec![b'.'; CAPACITY], b"end".to_vec()].concat());
        assert_eq!(ring.end(), CAPACITY as u64 + 6);
        assert_eq!(ring.read(ring.end() - 3, 10), b"end");
    }
}
