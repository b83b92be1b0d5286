//! Secret values in memory: the lease table, sealed leases, placeholders and injectors.
