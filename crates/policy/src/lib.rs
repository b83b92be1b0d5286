//! Host patterns, rules and the decision: pure functions over a snapshot.
