//! Snapshots as the server sends them.

use serde_json::{Value, json};

use crate::ca::TestCa;

/// Builds the body of `PUT /v1/snapshots/{sandbox}`.
#[derive(Clone, Debug)]
pub struct SnapshotBuilder {
    value: Value,
}

impl SnapshotBuilder {
    /// A snapshot in `audit_only` without rules and bindings, revision 1.
    pub fn new(sandbox: &str) -> Self {
        Self {
            value: json!({
                "v": 1, "sandbox": sandbox, "tenant": "ten_test", "name": "test", "revision": 1, "mode": "audit_only", "default_effect": "deny",
                "rules": [], "bindings": [], "authority": {"certificate_pem": "", "lease": format!("ca_{sandbox}")},
            }),
        }
    }

    /// Another revision.
    #[must_use]
    pub fn revision(self, revision: u64) -> Self {
        self.set("revision", json!(revision))
    }

    /// Only what is allowed passes.
    #[must_use]
    pub fn enforce(self) -> Self {
        self.set("mode", json!("enforce"))
    }

    /// The sandbox's authority.
    #[must_use]
    pub fn authority(mut self, ca: &TestCa) -> Self {
        self.value["authority"]["certificate_pem"] = json!(ca.pem());
        self
    }

    /// A rule that allows a host, a suffix or a range.
    #[must_use]
    pub fn allow(self, host: &str) -> Self {
        self.rule("allow", host, json!({}))
    }

    /// A rule that denies one.
    #[must_use]
    pub fn deny(self, host: &str) -> Self {
        self.rule("deny", host, json!({}))
    }

    /// A rule with more fields: port, methods, `path_glob`, scope, id.
    #[must_use]
    pub fn rule(mut self, effect: &str, host: &str, more: Value) -> Self {
        let number = self.list("rules").len();
        let rule = json!({"id": format!("rul_{number}"), "scope": "sandbox", "effect": effect, "host": host, "port": null, "methods": null, "path_glob": null});
        self.list("rules").push(merged(rule, more));
        self
    }

    /// A binding of a secret called `name`, whose lease is `sec_<name>`.
    #[must_use]
    pub fn bind(self, name: &str, placeholder: &str, hosts: &[&str]) -> Self {
        self.bind_with(name, placeholder, hosts, json!({}))
    }

    /// A binding with more fields: ports, places, state, connected.
    #[must_use]
    pub fn bind_with(mut self, name: &str, placeholder: &str, hosts: &[&str], more: Value) -> Self {
        let binding = json!({
            "id": format!("bnd_{name}"), "secret": format!("sec_{name}"), "name": name, "placeholder": placeholder, "hosts": hosts, "ports": [443],
            "places": ["header", "basic", "query", "path"], "env": null, "state": "active", "connected": false,
        });
        self.list("bindings").push(merged(binding, more));
        self
    }

    /// The message.
    pub fn build(self) -> Value {
        self.value
    }

    fn set(mut self, field: &str, value: Value) -> Self {
        self.value[field] = value;
        self
    }

    fn list(&mut self, field: &str) -> &mut Vec<Value> {
        self.value[field].as_array_mut().expect("a list")
    }
}

fn merged(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}
