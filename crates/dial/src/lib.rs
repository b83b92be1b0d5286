//! Resolve, refuse denied addresses, connect, verify and pool upstream connections.
