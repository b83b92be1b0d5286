//! The part of a request behind the question mark.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::problem::{Outcome, Problem};

/// Names and values, decoded strictly: what is not UTF-8 is refused rather than guessed.
#[derive(Debug, Default)]
pub struct Query {
    values: HashMap<String, String>,
}

impl Query {
    /// Reads it.
    pub fn parse(text: Option<&str>) -> Outcome<Self> {
        let mut values = HashMap::new();
        for pair in text.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            values.insert(decode(name)?, decode(value)?);
        }
        Ok(Self { values })
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Outcome<&str> {
        self.values.get(name).map(String::as_str).ok_or_else(|| Problem::invalid(format!("the parameter {name} is missing")))
    }

    /// A text that may be there.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A number, or `default`.
    pub fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Outcome<T> {
        self.values
            .get(name)
            .map_or(Ok(default), |v| v.parse().map_err(|_| Problem::invalid(format!("the parameter {name} is not a number that fits"))))
    }

    /// `true` or `false`, or `default`.
    pub fn flag(&self, name: &str, default: bool) -> Outcome<bool> {
        match self.values.get(name).map(String::as_str) {
            None => Ok(default),
            Some("true" | "1" | "") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) => Err(Problem::invalid(format!("the parameter {name} is true or false"))),
        }
    }
}

fn decode(text: &str) -> Outcome<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map(std::borrow::Cow::into_owned);
    decoded.map_err(|_| Problem::invalid_path("a parameter is not UTF-8"))
}
