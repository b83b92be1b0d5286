//! The record of every outbound call: append-only segments and their shipping.
