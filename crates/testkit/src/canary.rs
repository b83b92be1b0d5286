//! Values that betray themselves wherever they turn up, in whatever form.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD, prelude::BASE64_URL_SAFE_NO_PAD};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A value of 40 bytes that no other test has.
#[derive(Clone, Debug)]
pub struct Canary {
    value: String,
}

impl Default for Canary {
    fn default() -> Self {
        Self::new()
    }
}

impl Canary {
    /// A new one. Question mark, tilde and angle bracket make its base64 and base64url differ.
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let mixed = (u64::from(process) << 32 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { value: format!("canary-?~>{process:08x}{number:06x}{mixed:016x}") }
    }

    /// The value itself.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The forms in which it is found in `text`, by name.
    pub fn find_in(&self, text: &[u8]) -> Vec<&'static str> {
        self.forms().into_iter().filter(|(_, form)| contains(text, form)).map(|(name, _)| name).collect()
    }

    /// Every form that is looked for, thirteen in all.
    pub fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let value = self.value.as_bytes();
        let each = |write: fn(u8) -> String| value.iter().map(|byte| write(*byte)).collect::<String>().into_bytes();
        let wide = |order: fn(u16) -> [u8; 2]| self.value.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        vec![
            ("raw", value.to_vec()),
            ("base64", base64_inside(value, 0)),
            ("base64 one byte in", base64_inside(value, 1)),
            ("base64 two bytes in", base64_inside(value, 2)),
            ("base64url", trimmed(BASE64_URL_SAFE_NO_PAD.encode(value))),
            ("hex", each(|byte| format!("{byte:02x}"))),
            ("capital hex", each(|byte| format!("{byte:02X}"))),
            ("percent", each(|byte| format!("%{byte:02X}"))),
            ("json escapes", each(|byte| format!("\\u{byte:04x}"))),
            ("html entities", each(|byte| format!("&#{byte};"))),
            ("utf-16le", wide(u16::to_le_bytes)),
            ("utf-16be", wide(u16::to_be_bytes)),
            ("reversed", value.iter().rev().copied().collect()),
        ]
    }
}

/// The characters of base64 that depend on the value alone when `before` other bytes stand in front of it.
fn base64_inside(value: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(value);
    let encoded = BASE64_STANDARD_NO_PAD.encode(&padded);
    let shared = [0, 2, 3][before];
    trimmed(encoded[shared..].to_owned())
}

/// Without the last character, which may also depend on what follows.
fn trimmed(mut encoded: String) -> Vec<u8> {
    encoded.pop();
    encoded.into_bytes()
}

fn contains(text: &[u8], form: &[u8]) -> bool {
    text.windows(form.len()).any(|window| window == form)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::Canary;

    #[test]
    fn g1_a_canary_has_forty_bytes_and_thirteen_forms() {
        let canary = Canary::new();
        assert_eq!(canary.value().len(), 40);
        assert_eq!(canary.forms().len(), 13);
        for (name, form) in canary.forms() {
            assert!(canary.find_in(&[b"before ", &form[..], b" after"].concat()).contains(&name), "{name}");
        }
    }

    #[test]
    fn g1_a_canary_is_found_in_base64_at_every_alignment_and_with_anything_behind_it() {
        let canary = Canary::new();
        for before in ["", "u", "u:", "usr", "user"] {
            for after in ["", "x", "xy"] {
                let encoded = BASE64_STANDARD.encode(format!("{before}{}{after}", canary.value()));
                assert!(!canary.find_in(encoded.as_bytes()).is_empty(), "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn two_canaries_are_never_taken_for_each_other() {
        let (one, other) = (Canary::new(), Canary::new());
        assert!(other.find_in(one.value().as_bytes()).is_empty());
    }
}
