//! Leaf certificates for intercepted names, minted from a sandbox's own authority.
