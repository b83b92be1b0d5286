//! Values in the path, as bot APIs have them.

use http::HeaderMap;
use openmiosa_policy::Place;

use super::{Injector, Session, target::swapped};
use crate::refusal::Refusal;

pub(crate) struct Path;

impl Injector for Path {
    fn inject(&self, _headers: &mut HeaderMap, target: &mut String, session: &mut Session<'_, '_>) -> Result<(), Refusal> {
        let split = target.find('?').unwrap_or(target.len());
        if let Some(path) = swapped(&target[..split], Place::Path, session)? {
            *target = format!("{path}{}", &target[split..]);
        }
        Ok(())
    }
}
