//! What a sandbox uses, as it is measured from outside.

use serde_json::json;

use crate::kit::{each_mode, until};

#[test]
fn work_memory_and_tasks_are_counted() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let measure = || cell.get(&sandbox.path("/usage")).json();
        let before = measure();
        let script = "held = bytearray(100 << 20)\nend = __import__('time').process_time() + 0.3\nwhile __import__('time').process_time() < end: pass\n__import__('time').sleep(60)";
        sandbox.start(&json!({"argv": ["/usr/bin/python3", "-c", script]}));
        until("the work is seen", || {
            let now = measure();
            let more = |name: &str| now[name].as_u64().unwrap().saturating_sub(before[name].as_u64().unwrap());
            more("cpu_usec") >= 250_000 && more("memory_bytes") > 90 << 20 && more("tasks") >= 1
        });
    });
}

#[test]
fn work_of_programs_that_have_ended_still_counts() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let before = cell.get(&sandbox.path("/usage")).json()["cpu_usec"].as_u64().unwrap();
        sandbox.python("end = time.process_time() + 0.3\nwhile time.process_time() < end: pass");
        assert!(cell.get(&sandbox.path("/usage")).json()["cpu_usec"].as_u64().unwrap() - before >= 250_000);
    });
}
