//! What a leaf costs: prints one line of JSON with the 50th and 99th percentile of minting and of a cached answer, in nanoseconds.
//!
//! `cargo run --release -p openmiosa-authority --example bench_leaf [count]`

use std::{env, hint::black_box, io::Write, time::Instant};

use openmiosa_authority::Authority;
use openmiosa_testkit::TestCa;
use serde_json::json;

fn main() -> std::io::Result<()> {
    let count: usize = env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(2000);
    let ca = TestCa::new();
    let authority = Authority::from_parts(ca.pem(), ca.key_der()).map_err(std::io::Error::other)?;
    let names: Vec<String> = (0..count).map(|number| format!("n{number}.bench.test")).collect();
    let minted = measure(names.iter().map(String::as_str), &authority);
    let cached = measure(std::iter::repeat_n("n0.bench.test", count.max(2) * 10).skip(1), &authority);
    let line = json!({"bench": "leaf", "count": count, "mint_ns": minted, "cached_ns": cached});
    writeln!(std::io::stdout(), "{line}")
}

fn measure<'a>(names: impl Iterator<Item = &'a str>, authority: &Authority) -> serde_json::Value {
    let mut samples: Vec<u128> = names
        .map(|name| {
            let start = Instant::now();
            black_box(authority.server_config(&name).is_ok());
            start.elapsed().as_nanos()
        })
        .collect();
    samples.sort_unstable();
    let at = |percent: usize| samples[(samples.len() - 1) * percent / 100];
    json!({"p50": at(50), "p99": at(99)})
}
