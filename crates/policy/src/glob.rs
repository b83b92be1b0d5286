//! Path globs: `*` is any run of characters, slashes included; everything else is itself.

use crate::path::{CanonicalPath, canonical_text};

const MAX_LENGTH: usize = 512;
const MAX_STARS: usize = 8;

/// A glob over canonical paths.
#[derive(Clone, Debug)]
pub struct Glob {
    /// Compared with the path as it is forwarded.
    exact: Box<str>,
    /// Compared with the loosest reading that a server could have of it.
    loose: Box<str>,
}

/// Why a text is not a path glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It can match no path.
    #[error("a path glob starts with / or *")]
    Start,
    /// Longer or with more asterisks than any rule needs.
    #[error("a path glob has at most {MAX_LENGTH} bytes and {MAX_STARS} asterisks")]
    TooLong,
    /// A path in it that no request can have.
    #[error("the path glob holds what no canonical path has: dot segments, backslashes, control characters or broken escapes")]
    Path,
}

impl Glob {
    /// Compiles a glob.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if !text.starts_with(['/', '*']) {
            return Err(GlobError::Start);
        }
        if text.len() > MAX_LENGTH || text.bytes().filter(|byte| *byte == b'*').count() > MAX_STARS {
            return Err(GlobError::TooLong);
        }
        let (exact, loose) = canonical_text(text).map_err(|_| GlobError::Path)?;
        Ok(Self { exact: exact.into(), loose: loose.into() })
    }

    /// For an allow rule: every reading of the path must match, and case counts.
    pub fn allows(&self, path: &CanonicalPath) -> bool {
        matches(self.exact.as_bytes(), path.as_str().as_bytes(), u8::eq) && matches(self.loose.as_bytes(), path.loose().as_bytes(), u8::eq)
    }

    /// For a deny rule: one reading that matches is enough, and case does not count.
    pub fn denies(&self, path: &CanonicalPath) -> bool {
        matches(self.exact.as_bytes(), path.as_str().as_bytes(), u8::eq_ignore_ascii_case)
            || matches(self.loose.as_bytes(), path.loose().as_bytes(), u8::eq_ignore_ascii_case)
            || matches(trimmed(&self.loose), trimmed(path.loose()), u8::eq_ignore_ascii_case)
    }
}

/// Most servers answer `/admin/` as they answer `/admin`.
fn trimmed(text: &str) -> &[u8] {
    text.strip_suffix('/').unwrap_or(text).as_bytes()
}

/// Goes back to the last asterisk only, so the work is bounded by pattern × text.
fn matches(pattern: &[u8], text: &[u8], same: fn(&u8, &u8) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|byte| same(byte, &text[t])) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}
