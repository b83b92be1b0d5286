//! Swaps placeholders for values in a request head: once, from left to right, each piece of the head by one injector.

use http::HeaderMap;
use openmiosa_policy::Place;

use crate::{
    injectors::{self, Session},
    refusal::Refusal,
    resolve::Resolved,
    scan,
};

/// Finds the value for a placeholder in a place.
pub type Resolve<'a, 'b> = dyn Fn(&str, Place) -> Result<Resolved<'a>, Refusal> + 'b;

/// What a request head became.
pub struct Swapped {
    /// To be sent as it is.
    pub path_and_query: String,
    /// Which values are in it, each once a place.
    pub uses: Vec<Use>,
}

/// One value in one place of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// `sec_…`, which is also its lease.
    pub secret: String,
    /// `bnd_…`
    pub binding: String,
    /// What people call it.
    pub name: String,
    /// The version of the value.
    pub version: u64,
    /// An OAuth account, so that a 401 is worth a refresh.
    pub connected: bool,
    /// Where it stands.
    pub place: Place,
}

/// Says what [`swap`] would do, and changes nothing.
pub fn check(headers: &HeaderMap, path_and_query: &str, resolve: &Resolve<'_, '_>) -> Result<Vec<Use>, Refusal> {
    if scan::scan(headers, path_and_query).is_empty() {
        return Ok(Vec::new());
    }
    swap(&mut headers.clone(), path_and_query, resolve).map(|swapped| swapped.uses)
}

/// Puts the values in. After a refusal the head may be half swapped and must be dropped.
pub fn swap(headers: &mut HeaderMap, path_and_query: &str, resolve: &Resolve<'_, '_>) -> Result<Swapped, Refusal> {
    let mut session = Session::new(resolve);
    let mut target = path_and_query.to_owned();
    for injector in injectors::ALL {
        injector.inject(headers, &mut target, &mut session)?;
    }
    Ok(Swapped { path_and_query: target, uses: session.into_uses() })
}
