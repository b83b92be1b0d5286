//! The life of a sandbox on the kernel, one file per step.
