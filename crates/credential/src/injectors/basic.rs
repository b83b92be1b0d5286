//! `Authorization: Basic`, whose user name and password are inside base64.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use openmiosa_policy::Place;
use zeroize::Zeroizing;

use super::{Injector, Session, header::sensitive};
use crate::{
    placeholder::{BASE64, disguised, plain},
    refusal::Refusal,
};

pub(crate) struct Basic;

impl Injector for Basic {
    fn inject(&self, headers: &mut HeaderMap, _target: &mut String, session: &mut Session<'_, '_>) -> Result<(), Refusal> {
        for (name, value) in headers.iter_mut() {
            let Some(inner) = decoded(name, value) else { continue };
            if let Some(text) = session.rewrite(&inner, Place::Basic, |value, out| out.extend_from_slice(value))? {
                let mut line = Zeroizing::new(String::with_capacity(16 + text.len() * 2));
                line.push_str("Basic ");
                BASE64_STANDARD.encode_string(&*text, &mut line);
                *value = sensitive(line.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// The credentials inside the base64, if this is a Basic authorization that holds a placeholder; else it is an ordinary header.
pub(crate) fn decoded(name: &HeaderName, value: &HeaderValue) -> Option<Zeroizing<Vec<u8>>> {
    if name != header::AUTHORIZATION {
        return None;
    }
    let (scheme, rest) = value.as_bytes().split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let token = rest.trim_ascii();
    let inner = Zeroizing::new(BASE64.decode(token).ok()?);
    let holds = plain(&inner).next().is_some() || disguised(&inner).is_some();
    holds.then_some(inner)
}
