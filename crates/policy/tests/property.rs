//! Row U-11: the indexed decision equals a slow one that is written straight from the contract's sentence.

use openmiosa_policy::{Compiled, Effect, Host, HostPattern, Mode, Request, Rule, Scope, Snapshot, path::canonical};
use proptest::{collection::vec, option, prelude::*, sample::select};

const HOSTS: [&str; 6] = ["ok.test", "a.ok.test", "b.a.ok.test", "no.test", "evilok.test", "a.no.test"];
const PATTERNS: [&str; 6] = ["ok.test", "*.ok.test", "*.a.ok.test", "no.test", "*.no.test", "10.0.0.0/8"];
const METHODS: [&str; 3] = ["GET", "POST", "get"];
const GLOBS: [&str; 4] = ["/v1/*", "/*", "/admin", "*x*"];
const PATHS: [&str; 6] = ["/", "/v1/x", "/admin", "/ADMIN", "/v1/../admin", "/v1%2Fx"];

fn rule() -> impl Strategy<Value = Rule> {
    (
        select(vec![Scope::Sandbox, Scope::Workspace, Scope::Tenant]),
        select(vec![Effect::Allow, Effect::Deny]),
        select(PATTERNS.to_vec()),
        option::of(select(vec![443_u16, 80])),
        option::of(vec(select(METHODS.to_vec()), 0..3)),
        option::of(select(GLOBS.to_vec())),
    )
        .prop_map(|(scope, effect, host, port, methods, glob)| Rule {
            id: String::new(),
            scope,
            effect,
            host: host.to_owned(),
            port,
            methods: methods.map(|methods| methods.into_iter().map(str::to_owned).collect()),
            path_glob: glob.map(str::to_owned),
        })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    (vec(rule(), 0..8), select(vec![Mode::AuditOnly, Mode::Enforce]), select(vec![Effect::Allow, Effect::Deny])).prop_map(
        |(mut rules, mode, default_effect)| {
            for (number, rule) in rules.iter_mut().enumerate() {
                rule.id = format!("rul_{number}");
            }
            Snapshot {
                v: 1,
                sandbox: "sbx_1".into(),
                tenant: "ten_1".into(),
                name: "test".into(),
                revision: 1,
                mode,
                default_effect,
                rules,
                bindings: Vec::new(),
                authority: openmiosa_policy::AuthorityRef { certificate_pem: String::new(), lease: String::new() },
            }
        },
    )
}

/// Whether one rule matches, each part by the words of the contract and nothing indexed.
fn matches(rule: &Rule, request: &Request<'_>) -> bool {
    let pattern = HostPattern::parse(&rule.host).expect("a pattern");
    let host = request.host.is_some_and(|host| pattern.matches_host(host))
        || request.literal.is_some_and(|address| pattern.matches_literal(address));
    let port = rule.port.is_none() || rule.port == Some(request.port);
    let named =
        |method: &String| if rule.effect == Effect::Allow { method == request.method } else { method.eq_ignore_ascii_case(request.method) };
    let method = rule.methods.as_ref().is_none_or(|methods| methods.is_empty() || methods.iter().any(named));
    let path = rule.path_glob.as_ref().is_none_or(|glob| {
        let glob = openmiosa_policy::Glob::parse(glob).expect("a glob");
        if rule.effect == Effect::Allow { glob.allows(request.path) } else { glob.denies(request.path) }
    });
    host && port && method && path
}

fn slow(snapshot: &Snapshot, request: &Request<'_>) -> Effect {
    let any = |effect: Effect| snapshot.rules.iter().any(|rule| rule.effect == effect && matches(rule, request));
    if any(Effect::Deny) {
        Effect::Deny
    } else if any(Effect::Allow) || (request.literal.is_none() && snapshot.mode == Mode::AuditOnly) {
        Effect::Allow
    } else if request.literal.is_some() {
        Effect::Deny
    } else {
        snapshot.default_effect
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn u_11_the_index_decides_as_the_contract_reads(
        snapshot in snapshot(), host in select(HOSTS.to_vec()), literal in option::weighted(0.2, select(vec!["10.1.1.1", "8.8.8.8"])),
        port in select(vec![443_u16, 80]), method in select(METHODS.to_vec()), path in select(PATHS.to_vec()),
    ) {
        let host = Host::parse(host).expect("a host");
        let path = canonical(path).expect("a path");
        let literal = literal.map(|address| address.parse().expect("an address"));
        let request = Request { host: literal.is_none().then_some(&host), literal, port, method, path: &path };
        let decision = Compiled::new(snapshot.clone()).expect("a sound snapshot").decide(&request);
        prop_assert_eq!(decision.effect, slow(&snapshot, &request));
        if let Some(id) = &decision.rule {
            let rule = snapshot.rules.iter().find(|rule| rule.id == **id).expect("a rule of the snapshot");
            prop_assert!(matches(rule, &request) && rule.effect == decision.effect);
            let more_specific = snapshot.rules.iter().any(|other| other.effect == rule.effect && other.scope < rule.scope && matches(other, &request));
            prop_assert!(!more_specific);
        }
    }

    #[test]
    fn hosts_and_paths_never_panic_and_are_stable(text in "\\PC{0,40}", dotted in "[a-z0-9.%;/*-]{0,30}") {
        for text in [text.as_str(), dotted.as_str()] {
            if let Ok(host) = Host::parse(text) {
                prop_assert_eq!(Host::parse(host.as_str()).ok(), Some(host));
            }
            if let Ok(path) = canonical(&format!("/{text}")) {
                prop_assert_eq!(canonical(path.as_str()).map(|again| again.as_str().to_owned()), Ok(path.as_str().to_owned()));
            }
        }
    }
}
