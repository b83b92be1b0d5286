//! `contracts/vectors/inject.json`: rows S-01, S-03, S-06, S-07, S-10, S-13, N-16 and U-01.

use http::{HeaderMap, HeaderName, HeaderValue};
use openmiosa_credential::{LeaseTable, Refusal, Resolver, Secret, Swapped, inject, scan};
use openmiosa_policy::{Compiled, Host, Place};
use openmiosa_testkit::{SnapshotBuilder, placeholder};
use serde_json::{Value, json};

struct World {
    compiled: Compiled,
    leases: LeaseTable,
    foreign: Vec<String>,
}

impl World {
    fn of(vectors: &Value) -> Self {
        let mut builder = SnapshotBuilder::new("sbx_1");
        for binding in vectors["bindings"].as_array().expect("bindings") {
            let hosts: Vec<&str> = binding["hosts"].as_array().expect("hosts").iter().filter_map(Value::as_str).collect();
            builder = builder.bind_with(text(&binding["name"]), text(&binding["placeholder"]), &hosts, binding.clone());
        }
        let snapshot = serde_json::from_value(builder.build()).expect("a snapshot");
        let leases = LeaseTable::new();
        for (name, value) in vectors["values"].as_object().expect("values") {
            leases.put(&format!("sec_{name}"), 7, Secret::new(text(value).into()), None).expect("a lease");
        }
        let foreign = vectors["foreign"].as_array().expect("foreign").iter().map(|one| text(one).to_owned()).collect();
        Self { compiled: Compiled::new(snapshot).expect("a sound snapshot"), leases, foreign }
    }

    fn with_value(value: &[u8]) -> Self {
        let snapshot = SnapshotBuilder::new("sbx_1").bind("one", &placeholder(1), &["ok.test"]).build();
        let leases = LeaseTable::new();
        leases.put("sec_one", 1, Secret::new(value.to_vec()), None).expect("a lease");
        Self { compiled: Compiled::new(serde_json::from_value(snapshot).expect("a snapshot")).expect("sound"), leases, foreign: Vec::new() }
    }

    fn swap(&self, case: &Value, headers: &mut HeaderMap, target: &str) -> Result<Swapped, Refusal> {
        let name = case.get("host").map_or(Some("ok.test"), Value::as_str);
        let host = name.map(|name| Host::parse(name).expect("a host"));
        let resolver = Resolver {
            compiled: &self.compiled,
            leases: &self.leases,
            host: host.as_ref(),
            port: case["port"].as_u64().map_or(443, |port| u16::try_from(port).expect("a port")),
            tls: case["tls"].as_bool().unwrap_or(true),
            foreign: &|placeholder| self.foreign.iter().any(|one| one == placeholder),
        };
        let resolve = |placeholder: &str, place: Place| resolver.resolve(placeholder, place);
        let checked = inject::check(headers, target, &resolve);
        let swapped = inject::swap(headers, target, &resolve);
        let outcome = swapped.as_ref().map(|swapped| swapped.uses.clone()).map_err(Clone::clone);
        assert_eq!(checked, outcome, "the check says what the swap does");
        swapped
    }
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../contracts/vectors/inject.json")).expect("json")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn headers(value: &Value) -> HeaderMap {
    let pairs = value.as_array().expect("headers").iter();
    pairs
        .map(|pair| (text(&pair[0]).parse::<HeaderName>().expect("a name"), HeaderValue::from_str(text(&pair[1])).expect("a value")))
        .collect()
}

#[test]
fn swapping_is_as_the_vectors_say() {
    let vectors = vectors();
    let world = World::of(&vectors);
    for case in vectors["cases"].as_array().expect("cases") {
        let mut head = headers(&case["headers"]);
        match (world.swap(case, &mut head, text(&case["target"])), case["refusal"].as_str()) {
            (Ok(swapped), None) => {
                assert_eq!(swapped.path_and_query, case["swapped"]["target"], "{}", case["name"]);
                assert_eq!(head, headers(&case["swapped"]["headers"]), "{}", case["name"]);
                let uses: Vec<String> = swapped.uses.iter().map(|used| format!("{} {}", used.name, used.place.as_str())).collect();
                assert_eq!(json!(uses), case["swapped"]["uses"], "{}", case["name"]);
                assert!(swapped.uses.iter().all(|used| used.version == 7));
            }
            (Err(refusal), Some(expected)) => assert_eq!(refusal.reason(), expected, "{}: {refusal}", case["name"]),
            (outcome, _) => panic!("{}: {:?}", case["name"], outcome.map(|swapped| swapped.path_and_query)),
        }
    }
}

#[test]
fn s_07_the_scan_sees_a_placeholder_in_every_case_that_has_one() {
    let vectors = vectors();
    for case in vectors["cases"].as_array().expect("cases") {
        let found = scan::scan(&headers(&case["headers"]), text(&case["target"]));
        let harmless = case["swapped"]["uses"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(found.is_empty(), harmless, "{}", case["name"]);
    }
}

#[test]
fn s_06_a_placeholder_is_seen_in_a_server_name() {
    assert_eq!(scan::find_in(format!("{}.evil.test", placeholder(1)).as_bytes()), [placeholder(1)]);
    assert_eq!(scan::find_in(placeholder(1).to_uppercase().as_bytes()), [placeholder(1)]);
    assert!(scan::find_in(b"api.openai.com").is_empty());
}

#[test]
fn a_swapped_header_is_left_out_of_debug_output() {
    let world = World::with_value(b"hunter22");
    let mut head = headers(&json!([["authorization", format!("Bearer {}", placeholder(1))]]));
    world.swap(&json!({}), &mut head, "/").expect("swapped");
    assert!(!format!("{head:?}").contains("hunter22"));
}

#[test]
fn s_10_a_placeholder_repeated_without_end_is_refused_before_it_grows() {
    let world = World::with_value(&[b'v'; 4000]);
    let mut head = HeaderMap::new();
    head.insert("x", HeaderValue::from_str(&placeholder(1).repeat(1000)).expect("a value"));
    assert_eq!(world.swap(&json!({}), &mut head, "/").err(), Some(Refusal::TooLarge));
    let target = format!("/?{}", placeholder(1).repeat(1000));
    assert_eq!(world.swap(&json!({}), &mut HeaderMap::new(), &target).err(), Some(Refusal::TooLarge));
}

#[test]
fn s_11_a_poisonous_value_is_refused_in_every_place() {
    let basic = {
        use base64::{Engine, prelude::BASE64_STANDARD};
        format!("Basic {}", BASE64_STANDARD.encode(format!("u:{}", placeholder(1))))
    };
    for value in [&b"a\r\nX: y"[..], b"a\nb", b"a\0b", b"\r", b"", b"\x7f", b"a\tb"] {
        let world = World::with_value(value);
        for (header, target) in [
            (placeholder(1), "/".to_owned()),
            (basic.clone(), "/".to_owned()),
            ("x".to_owned(), format!("/?{}", placeholder(1))),
            ("x".to_owned(), format!("/{}", placeholder(1))),
        ] {
            let mut head = headers(&json!([["authorization", header]]));
            let refusal = world.swap(&json!({}), &mut head, &target).err().expect("a refusal");
            assert_eq!(refusal.reason(), "secret-unavailable", "{value:?}");
        }
    }
}

#[test]
fn s_11_a_colon_cannot_stand_in_a_user_name_nor_a_dot_segment_in_a_path() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let as_user = headers(&json!([["authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{}:x", placeholder(1))))]]));
    let as_password = headers(&json!([["authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("x:{}", placeholder(1))))]]));
    let colon = World::with_value(b"a:b");
    assert!(matches!(colon.swap(&json!({}), &mut as_user.clone(), "/").err(), Some(Refusal::Value { .. })));
    assert!(colon.swap(&json!({}), &mut as_password.clone(), "/").is_ok());
    let dots = World::with_value(b"..");
    assert!(matches!(dots.swap(&json!({}), &mut HeaderMap::new(), &format!("/a/{}/b", placeholder(1))).err(), Some(Refusal::Value { .. })));
}

#[test]
fn a_value_beyond_ascii_is_sent_as_its_bytes() {
    let world = World::with_value("pässword".as_bytes());
    let mut head = headers(&json!([["x", placeholder(1)]]));
    let swapped = world.swap(&json!({}), &mut head, &format!("/?k={}", placeholder(1))).expect("swapped");
    assert_eq!(head["x"].as_bytes(), "pässword".as_bytes());
    assert_eq!(swapped.path_and_query, "/?k=p%C3%A4ssword");
}
