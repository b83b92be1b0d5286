//! One injector for each place that a value can stand in. A signing scheme is one more file here.

pub(crate) mod basic;
mod header;
mod path;
mod query;
mod rewrite;
mod target;

use http::{HeaderMap, HeaderName, header as field};

use crate::refusal::Refusal;

pub(crate) use rewrite::Session;
pub(crate) use target::ESCAPED;

/// Swaps in the pieces of a head that are its own; no two injectors read the same piece.
pub(crate) trait Injector: Sync {
    /// Rewrites those pieces, or refuses the request.
    fn inject(&self, headers: &mut HeaderMap, target: &mut String, session: &mut Session<'_, '_>) -> Result<(), Refusal>;
}

/// Every injector. The query goes before the path, while the first question mark is still the border between them.
pub(crate) const ALL: [&dyn Injector; 4] = [&basic::Basic, &header::Header, &query::Query, &path::Path];

/// Fields that steer the message and never carry a credential of the upstream.
pub(crate) fn is_routing(name: &HeaderName) -> bool {
    const ROUTING: [HeaderName; 9] = [
        field::HOST,
        field::CONNECTION,
        field::CONTENT_LENGTH,
        field::EXPECT,
        field::PROXY_AUTHORIZATION,
        field::TE,
        field::TRAILER,
        field::TRANSFER_ENCODING,
        field::UPGRADE,
    ];
    ROUTING.contains(name) || matches!(name.as_str(), "proxy-connection" | "keep-alive")
}
