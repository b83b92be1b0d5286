//! Waiting for a condition, with a deadline.

use std::time::Duration;

/// Resolves once the condition holds; panics after ten seconds, naming what was waited for.
///
/// # Panics
/// When the condition does not come to hold.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "waited ten seconds in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
