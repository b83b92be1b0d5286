//! Placeholders that tests can tell apart.

/// The placeholder with this number.
pub fn placeholder(number: u128) -> String {
    format!("miosa-tok-{number:032x}")
}
