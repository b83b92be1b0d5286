//! Row S-10: swapping equals replacing text once, and leaves everything else alone.

use http::{HeaderMap, HeaderValue};
use openmiosa_credential::{LeaseTable, Resolver, Secret, inject};
use openmiosa_policy::{Compiled, Host};
use openmiosa_testkit::{SnapshotBuilder, placeholder};
use proptest::{collection::vec, prelude::*, sample::select};

/// Values that look like what they must not be taken for.
fn values() -> [String; 3] {
    ["plain-value".to_owned(), placeholder(1), format!("x{}y", placeholder(3))]
}

fn pieces() -> impl Strategy<Value = Vec<String>> {
    let pieces = vec![
        placeholder(1),
        placeholder(2),
        placeholder(3),
        "miosa-tok-".into(),
        "Bearer ".into(),
        "a".into(),
        "=%41;".into(),
        "-".into(),
        "0".into(),
    ];
    vec(select(pieces), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s_10_a_swap_is_one_replacement_from_left_to_right(pieces in pieces()) {
        let (mut builder, leases) = (SnapshotBuilder::new("sbx_1"), LeaseTable::new());
        for (number, value) in (1..).zip(values()) {
            builder = builder.bind(&format!("s{number}"), &placeholder(number), &["ok.test"]);
            leases.put(&format!("sec_s{number}"), 1, Secret::new(value.into_bytes()), None).expect("a lease");
        }
        let compiled = Compiled::new(serde_json::from_value(builder.build()).expect("a snapshot")).expect("sound");
        let host = Host::parse("ok.test").expect("a host");
        let resolver = Resolver { compiled: &compiled, leases: &leases, host: Some(&host), port: 443, tls: true, foreign: &|_| false };
        let expected: String = pieces.iter().map(|piece| (1..).zip(values()).find(|(number, _)| *piece == placeholder(*number)).map_or(piece.clone(), |(_, value)| value)).collect();
        let text = pieces.concat();
        let mut headers = HeaderMap::new();
        headers.insert("x", HeaderValue::from_str(&text).expect("a value"));
        inject::swap(&mut headers, "/", &|placeholder, place| resolver.resolve(placeholder, place)).expect("swapped");
        // A bare prefix that happens to stand before 32 digits is a placeholder too, so such texts are left to the vectors.
        prop_assume!(text.matches("miosa-tok-0").count() + text.matches("miosa-tok-a").count() == pieces.iter().filter(|piece| piece.len() == placeholder(1).len()).count());
        prop_assert_eq!(String::from_utf8_lossy(headers["x"].as_bytes()), expected);
    }
}
