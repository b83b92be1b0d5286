//! Finds every placeholder in a request head, in whatever form it is recognised.

use http::HeaderMap;
use openmiosa_policy::Place;

use crate::{
    injectors::{basic, is_routing},
    placeholder::{disguised, plain, to_text},
};

/// A placeholder in a request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In the form in which it was handed out.
    pub placeholder: String,
    /// Where it can be swapped; `None` when it stands in a form or a field in which nothing is.
    pub place: Option<Place>,
}

/// Looks at every part of a request head. A head without placeholders costs no allocation.
pub fn scan(headers: &HeaderMap, path_and_query: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    collect(path.as_bytes(), Some(Place::Path), &mut found);
    collect(query.as_bytes(), Some(Place::Query), &mut found);
    for (name, value) in headers {
        collect(name.as_str().as_bytes(), None, &mut found);
        if let Some(inner) = basic::decoded(name, value) {
            collect(&inner, Some(Place::Basic), &mut found);
        } else {
            collect(value.as_bytes(), (!is_routing(name)).then_some(Place::Header), &mut found);
        }
    }
    found
}

/// Every placeholder in any other text: a server name, a Host, a DNS name.
pub fn find_in(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    collect(text, None, &mut found);
    found.into_iter().map(|found| found.placeholder).collect()
}

fn collect(text: &[u8], place: Option<Place>, found: &mut Vec<Found>) {
    found.extend(plain(text).map(|range| Found { placeholder: to_text(&text[range]), place }));
    found.extend(disguised(text).map(|placeholder| Found { placeholder, place: None }));
}
