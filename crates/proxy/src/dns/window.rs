//! Names that were asked for and never connected to: one record a name and window, with the exact count.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use openmiosa_link::records::{Action, Stage};

use super::names::Unused;
use crate::{
    gateway::Gateway,
    record::{Event, visible_host},
    sandbox::Sandbox,
};

/// Ends windows until the gateway stops.
pub async fn run(gateway: Arc<Gateway>) {
    let window = gateway.settings.egress.dns_window();
    // A row may be late by a quarter of its window.
    let mut ticks = tokio::time::interval((window / 4).max(Duration::from_millis(20)));
    loop {
        tokio::select! {
            () = gateway.stop.cancelled() => return flush(&gateway, true),
            _ = ticks.tick() => flush(&gateway, false),
        }
    }
}

fn flush(gateway: &Arc<Gateway>, all: bool) {
    for sandbox in gateway.all_sandboxes() {
        flush_one(gateway, &sandbox, all);
    }
}

/// Records what one sandbox has asked for and never used; with `all`, before its window has ended.
pub fn flush_one(gateway: &Arc<Gateway>, sandbox: &Sandbox, all: bool) {
    let window = gateway.settings.egress.dns_window();
    let unused = sandbox.names.lock().end_windows(window, all, Instant::now());
    for name in &unused {
        record(gateway, sandbox, name);
    }
}

/// Writes one such record.
pub fn record(gateway: &Arc<Gateway>, sandbox: &Sandbox, unused: &Unused) {
    let mut event = Event::open(gateway, sandbox, 53, "dns");
    event.call.host = visible_host(sandbox, unused.host.as_str());
    event.decide(Action::Stub, 0, |decision| {
        decision.stage = Stage::Decided;
        decision.count = unused.count;
    });
}
