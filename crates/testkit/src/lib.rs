//! What tests of the data plane share: recording upstreams, test authorities, canaries.
