//! Values in the query string.

use http::HeaderMap;
use openmiosa_policy::Place;

use super::{Injector, Session, target::swapped};
use crate::refusal::Refusal;

pub(crate) struct Query;

impl Injector for Query {
    fn inject(&self, _headers: &mut HeaderMap, target: &mut String, session: &mut Session<'_, '_>) -> Result<(), Refusal> {
        let Some((path, query)) = target.split_once('?') else { return Ok(()) };
        if let Some(query) = swapped(query, Place::Query, session)? {
            *target = format!("{path}?{query}");
        }
        Ok(())
    }
}
