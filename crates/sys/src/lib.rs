//! The one crate with unsafe code: kernel calls that rustix does not offer.
