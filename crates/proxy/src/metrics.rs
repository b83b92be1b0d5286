//! What an operator watches, in Prometheus' words.

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// One label set of `openmiosa_egress_calls`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// What was done.
    pub action: &'static str,
    /// Why not, or `none`.
    pub reason: &'static str,
}

/// All of them.
pub struct Metrics {
    registry: Registry,
    /// Outbound calls by what became of them.
    pub calls: Family<CallLabels, Counter>,
    /// Connections from sandboxes open now.
    pub connections: Gauge,
    /// DNS questions answered.
    pub dns_queries: Counter,
    /// Values put into requests.
    pub swaps: Counter,
    /// Exchanges cut because a snapshot or a lease went away.
    pub cut: Counter,
    /// Records that could not be written.
    pub journal_errors: Counter,
    /// Requests sent on a connection that was kept from an earlier one.
    pub upstream_reused: Counter,
    /// Bytes from upstreams to sandboxes.
    pub bytes_in: Counter,
    /// Bytes from sandboxes to upstreams.
    pub bytes_out: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("openmiosa_egress");
        let (calls, connections) = (Family::default(), Gauge::default());
        registry.register("calls", "Outbound calls by what became of them", calls.clone());
        registry.register("connections", "Connections from sandboxes open now", connections.clone());
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::<u64>::default();
            registry.register(name, help, counter.clone());
            counter
        };
        Self {
            dns_queries: counter("dns_queries", "DNS questions answered"),
            swaps: counter("swaps", "Secret values put into requests"),
            cut: counter("cut", "Exchanges cut because a snapshot or a lease went away"),
            journal_errors: counter("journal_errors", "Records that could not be written"),
            upstream_reused: counter("upstream_reused", "Requests sent on a kept upstream connection"),
            bytes_in: counter("bytes_in", "Bytes from upstreams to sandboxes"),
            bytes_out: counter("bytes_out", "Bytes from sandboxes to upstreams"),
            calls,
            connections,
            registry,
        }
    }
}

impl Metrics {
    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        let mut out = String::new();
        // Writing into a string cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}
