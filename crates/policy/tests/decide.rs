//! `contracts/vectors/decide.json`: rows N-05, N-16, U-03, U-07, U-08, U-10, U-11, U-12 and U-13.

use openmiosa_policy::{Compiled, Effect, Host, Mode, Networks, Request, Snapshot, path::canonical};
use serde_json::{Value, json};

fn vectors() -> Value {
    let text = include_str!("../../../contracts/vectors/decide.json");
    serde_json::from_str(text).expect("json")
}

fn snapshot(case: &Value) -> Snapshot {
    let mut snapshot = json!({
        "v": 1, "sandbox": "sbx_1", "tenant": "ten_1", "name": "test", "revision": 1, "mode": case["mode"], "rules": case["rules"], "bindings": [],
        "authority": {"certificate_pem": "", "lease": "ca_sbx_1"},
    });
    if let Some(effect) = case["default_effect"].as_str() {
        snapshot["default_effect"] = json!(effect);
    }
    serde_json::from_value(snapshot).expect("a snapshot")
}

fn compiled(mode: &str, rules: &Value) -> Compiled {
    Compiled::new(snapshot(&json!({"mode": mode, "rules": rules}))).expect("a sound snapshot")
}

fn networks(compiled: &Compiled, port: u16, method: &str, path: &str) -> Networks {
    let host = Host::parse("ok.test").expect("a host");
    let path = canonical(path).expect("a path");
    compiled.networks(&Request { host: Some(&host), literal: None, port, method, path: &path })
}

#[test]
fn decisions_are_as_the_vectors_say() {
    for case in vectors()["cases"].as_array().expect("cases") {
        let compiled = Compiled::new(snapshot(case)).expect("a sound snapshot");
        for asked in case["requests"].as_array().expect("requests") {
            let host = asked["host"].as_str().map(|host| Host::parse(host).expect("a host"));
            let path = canonical(asked["path"].as_str().unwrap_or("/")).expect("a path");
            let decision = compiled.decide(&Request {
                host: host.as_ref(),
                literal: asked["literal"].as_str().map(|address| address.parse().expect("an address")),
                port: asked["port"].as_u64().map_or(443, |port| u16::try_from(port).expect("a port")),
                method: asked["method"].as_str().unwrap_or("GET"),
                path: &path,
            });
            let outcome = decision.reason.map_or("allow", |reason| reason.as_str());
            assert_eq!(outcome, asked["want"], "{}: {asked}", case["name"]);
            assert_eq!(decision.rule.as_deref(), asked["rule"].as_str(), "{}: {asked}", case["name"]);
            assert_eq!(decision.effect == Effect::Allow, decision.reason.is_none());
            assert_eq!(decision.mode.as_str(), case["mode"]);
        }
    }
}

#[test]
fn an_unsound_snapshot_is_not_taken_and_says_which_rule() {
    for case in vectors()["bad_snapshots"].as_array().expect("cases") {
        let snapshot = snapshot(&json!({"mode": "enforce", "rules": [case["rule"]]}));
        let error = Compiled::new(snapshot).err().expect("a refusal").to_string();
        assert!(error.contains(case["error"].as_str().expect("error")), "{error}");
    }
}

#[test]
fn a_deny_may_cover_a_whole_registry() {
    let compiled = compiled("audit_only", &json!([{"id": "rul_1", "scope": "tenant", "effect": "deny", "host": "*.com"}]));
    assert_eq!(compiled.snapshot().mode, Mode::AuditOnly);
}

#[test]
fn a_snapshot_of_a_newer_version_is_refused() {
    let mut newer = snapshot(&json!({"mode": "enforce", "rules": []}));
    newer.v = 2;
    assert!(Compiled::new(newer).err().expect("a refusal").to_string().contains("newer"));
}

#[test]
fn u_12_a_snapshot_without_rules_is_no_snapshot() {
    let missing = json!({"v": 1, "sandbox": "s", "tenant": "t", "name": "n", "revision": 1, "mode": "enforce", "bindings": [], "authority": {"certificate_pem": "", "lease": ""}});
    assert!(serde_json::from_value::<Snapshot>(missing).is_err());
}

#[test]
fn n_06_a_private_range_is_open_only_to_requests_that_its_rule_means() {
    let compiled = compiled(
        "audit_only",
        &json!([
            {"id": "rul_1", "scope": "sandbox", "effect": "allow", "host": "10.0.0.0/8", "port": 5432},
            {"id": "rul_2", "scope": "sandbox", "effect": "allow", "host": "192.168.0.0/16", "methods": ["GET"], "path_glob": "/v1/*"},
            {"id": "rul_3", "scope": "sandbox", "effect": "deny", "host": "203.0.113.0/24"},
        ]),
    );
    let range = |text: &str| text.parse().expect("a range");
    let denied = vec![range("203.0.113.0/24")];
    assert_eq!(networks(&compiled, 443, "POST", "/"), Networks { allowed: vec![], denied: denied.clone() });
    assert_eq!(networks(&compiled, 5432, "POST", "/"), Networks { allowed: vec![range("10.0.0.0/8")], denied: denied.clone() });
    assert_eq!(networks(&compiled, 443, "GET", "/v1/x"), Networks { allowed: vec![range("192.168.0.0/16")], denied });
}

#[test]
fn u_03_a_secret_is_never_bound_to_hosts_of_unrelated_owners_or_to_addresses() {
    for host in ["*.com", "*.github.io", "*.s3.amazonaws.com", "*.workers.dev", "10.0.0.0/8", "192.0.2.1"] {
        let mut snapshot = snapshot(&json!({"mode": "enforce", "rules": []}));
        snapshot.bindings = vec![binding("bnd_1", "ph", host)];
        assert!(Compiled::new(snapshot).err().expect("a refusal").to_string().contains("bnd_1"), "{host}");
    }
}

#[test]
fn two_bindings_never_share_a_placeholder() {
    for (one, other) in [("ph", "ph"), ("", "ph")] {
        let mut snapshot = snapshot(&json!({"mode": "enforce", "rules": []}));
        snapshot.bindings = vec![binding("bnd_1", one, "ok.test"), binding("bnd_2", other, "ok.test")];
        assert!(Compiled::new(snapshot).is_err());
    }
}

#[test]
fn a_binding_holds_for_its_hosts_and_ports() {
    let mut snapshot = snapshot(&json!({"mode": "enforce", "rules": []}));
    snapshot.bindings = vec![binding("bnd_1", "ph", "*.ok.test")];
    let compiled = Compiled::new(snapshot).expect("a sound snapshot");
    let bound = compiled.binding("ph").expect("a binding");
    let host = |text: &str| Host::parse(text).expect("a host");
    assert!(compiled.bound(bound, &host("a.ok.test"), 443));
    assert!(!compiled.bound(bound, &host("a.ok.test"), 8443));
    assert!(!compiled.bound(bound, &host("ok.test"), 443));
    assert!(compiled.binding("other").is_none());
}

fn binding(id: &str, placeholder: &str, host: &str) -> openmiosa_policy::Binding {
    let value = json!({"id": id, "secret": "sec_1", "name": "n", "placeholder": placeholder, "hosts": [host], "ports": [443], "places": ["header", "body"], "state": "active"});
    serde_json::from_value(value).expect("a binding")
}
