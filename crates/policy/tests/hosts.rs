//! `contracts/vectors/hosts.json`: rows N-03, N-16, T-04, U-01, U-03, U-05, U-06 and U-13.

use openmiosa_policy::{Breadth, Host, HostError, HostPattern, HostPort, PatternError};
use serde_json::Value;

fn vectors() -> Value {
    let text = include_str!("../../../contracts/vectors/hosts.json");
    serde_json::from_str(text).expect("json")
}

fn cases<'a>(vectors: &'a Value, list: &str) -> &'a Vec<Value> {
    vectors[list].as_array().expect("a list")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn word(error: &HostError) -> &'static str {
    match error {
        HostError::Literal(_) => "literal",
        HostError::Numeric => "numeric",
        HostError::Syntax => "syntax",
    }
}

#[test]
fn every_spelling_of_a_name_has_one_canonical_form_or_is_refused() {
    for case in cases(&vectors(), "hosts") {
        let parsed = Host::parse(case["text"].as_str().expect("text"));
        match case["error"].as_str() {
            Some(error) => assert_eq!(parsed.as_ref().map_err(word), Err(error), "{case}"),
            None => assert_eq!(parsed.as_ref().map(Host::as_str), Ok(case["host"].as_str().expect("host")), "{case}"),
        }
    }
}

#[test]
fn a_canonical_form_is_its_own_canonical_form() {
    for case in cases(&vectors(), "hosts") {
        if let Some(host) = case["host"].as_str() {
            assert_eq!(Host::parse(host).as_ref().map(Host::as_str), Ok(host));
        }
    }
}

#[test]
fn u_13_a_name_of_ten_kilobytes_is_refused() {
    assert_eq!(Host::parse(&"a.".repeat(5120)), Err(HostError::Syntax));
    assert_eq!(Host::parse(&"ü".repeat(300)), Err(HostError::Syntax));
}

#[test]
fn patterns_match_at_label_borders_and_know_who_owns_their_names() {
    for case in cases(&vectors(), "patterns").iter().filter(|case| case.get("error").is_none()) {
        let pattern = HostPattern::parse(case["pattern"].as_str().expect("pattern")).expect("a pattern");
        let breadth = match pattern.breadth() {
            Breadth::Owned => "owned",
            Breadth::Tenants => "tenants",
            Breadth::Registry => "registry",
        };
        assert_eq!(breadth, case["breadth"], "{case}");
        let host = |text: &str| Host::parse(text).expect("a host");
        assert!(texts(&case["matches"]).iter().all(|text| pattern.matches_host(&host(text))), "{case}");
        assert!(!texts(&case["misses"]).iter().any(|text| pattern.matches_host(&host(text))), "{case}");
        let address = |text: &str| text.parse().expect("an address");
        assert!(texts(&case["literals"]).iter().all(|text| pattern.matches_literal(address(text))), "{case}");
        assert!(!texts(&case["literal_misses"]).iter().any(|text| pattern.matches_literal(address(text))), "{case}");
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    for case in cases(&vectors(), "patterns").iter().filter(|case| case.get("error").is_some()) {
        let error = match HostPattern::parse(case["pattern"].as_str().expect("pattern")) {
            Ok(_) => "none",
            Err(PatternError::Host(_)) => "host",
            Err(PatternError::Wildcard) => "wildcard",
            Err(PatternError::HostBits(_)) => "host_bits",
            Err(PatternError::Network) => "network",
        };
        assert_eq!(error, case["error"], "{case}");
    }
}

#[test]
fn a_pattern_is_written_as_it_is_read() {
    for text in ["ok.test", "*.ok.test", "10.0.0.0/8", "fd00::/8"] {
        assert_eq!(HostPattern::parse(text).expect("a pattern").to_string(), text);
    }
}

#[test]
fn n_16_a_port_is_plain_decimal() {
    for case in cases(&vectors(), "host_ports") {
        let parsed = HostPort::parse(case["text"].as_str().expect("text"));
        if let Some(error) = case["error"].as_str() {
            assert_eq!(parsed.as_ref().map_err(word).err(), Some(error), "{case}");
        } else {
            let parsed = parsed.expect("host and port");
            assert_eq!(parsed.target.to_string(), case["target"], "{case}");
            assert_eq!(parsed.port.map(u64::from), case["port"].as_u64(), "{case}");
        }
    }
}
