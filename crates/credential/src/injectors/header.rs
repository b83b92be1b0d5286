//! Values in header fields, as they are.

use http::{HeaderMap, HeaderValue};
use openmiosa_policy::Place;

use super::{Injector, Session, basic, is_routing, rewrite::refuse_disguised};
use crate::{placeholder::plain, refusal::Refusal};

pub(crate) struct Header;

impl Injector for Header {
    fn inject(&self, headers: &mut HeaderMap, _target: &mut String, session: &mut Session<'_, '_>) -> Result<(), Refusal> {
        for name in headers.keys() {
            refuse_any(name.as_str().as_bytes())?;
        }
        for (name, value) in headers.iter_mut() {
            if basic::decoded(name, value).is_some() {
                continue;
            }
            if is_routing(name) {
                refuse_any(value.as_bytes())?;
            } else if let Some(text) = session.rewrite(value.as_bytes(), Place::Header, |value, out| out.extend_from_slice(value))? {
                *value = sensitive(&text)?;
            }
        }
        Ok(())
    }
}

/// A header value that debug output leaves out.
pub(super) fn sensitive(text: &[u8]) -> Result<HeaderValue, Refusal> {
    let mut value = HeaderValue::from_bytes(text).map_err(|_| Refusal::Disguised)?;
    value.set_sensitive(true);
    Ok(value)
}

fn refuse_any(text: &[u8]) -> Result<(), Refusal> {
    if plain(text).next().is_some() {
        return Err(Refusal::Disguised);
    }
    refuse_disguised(text)
}
