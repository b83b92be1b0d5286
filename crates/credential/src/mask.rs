//! Takes placeholders and values out of what is recorded.

use openmiosa_policy::Compiled;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

use crate::{
    injectors::ESCAPED,
    placeholder::{disguised, plain},
    secret::Secret,
};

/// Shorter values occur in ordinary text by chance, and masking them would say so.
const MIN_VALUE: usize = 6;

/// Masks texts on behalf of one sandbox.
pub struct Masker<'a> {
    compiled: &'a Compiled,
    values: Vec<(Zeroizing<String>, &'a str)>,
}

impl<'a> Masker<'a> {
    /// A masker that knows the sandbox's placeholders, and these values by name.
    pub fn new(compiled: &'a Compiled, secrets: &[(Secret, &'a str)]) -> Self {
        let mut values = Vec::new();
        for (secret, name) in secrets {
            let Ok(text) = std::str::from_utf8(secret.expose()) else { continue };
            if text.len() >= MIN_VALUE {
                values.push((Zeroizing::new(text.to_owned()), *name));
                for escaped in [NON_ALPHANUMERIC, ESCAPED] {
                    values.push((Zeroizing::new(percent_encode(text.as_bytes(), escaped).to_string()), *name));
                }
            }
        }
        // The longest first, so that a value that contains another one is masked whole.
        values.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { compiled, values }
    }

    /// The text with `[secret:name]` and `[placeholder:name]` in their places; wholly masked when a placeholder hides in it.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (value, name) in &self.values {
            if masked.contains(value.as_str()) {
                masked = masked.replace(value.as_str(), &format!("[secret:{name}]"));
            }
        }
        let masked = self.mask_placeholders(&masked);
        if disguised(masked.as_bytes()).is_some() { "[placeholder]".to_owned() } else { masked }
    }

    fn mask_placeholders(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for range in plain(text.as_bytes()) {
            out.push_str(&text[done..range.start]);
            match self.compiled.binding(&text[range.clone()]) {
                Some(binding) => out.extend(["[placeholder:", &binding.name, "]"]),
                None => out.push_str("[placeholder]"),
            }
            done = range.end;
        }
        out.push_str(&text[done..]);
        out
    }
}
