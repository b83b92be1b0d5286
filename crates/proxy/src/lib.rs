//! The life of a connection out of a sandbox, one file per step.
