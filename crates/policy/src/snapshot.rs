//! The snapshot as it travels: all that is needed to decide for one sandbox, and no values.

use serde::{Deserialize, Serialize};

/// `PUT /v1/snapshots/{sandbox}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Message version.
    pub v: u32,
    /// `sbx_…`
    pub sandbox: String,
    /// `ten_…`
    pub tenant: String,
    /// The sandbox's name.
    pub name: String,
    /// Rises with every change.
    pub revision: u64,
    /// Whether what no rule names passes.
    pub mode: Mode,
    /// What `enforce` does when no rule matches.
    #[serde(default)]
    pub default_effect: Effect,
    /// Rules of every scope that concerns the sandbox.
    pub rules: Vec<Rule>,
    /// Which secret goes where.
    pub bindings: Vec<Binding>,
    /// The sandbox's interception authority.
    pub authority: AuthorityRef,
}

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// `rul_…`
    pub id: String,
    /// Where it was written.
    pub scope: Scope,
    /// What it says.
    pub effect: Effect,
    /// An exact name, `*.suffix` or an address range.
    pub host: String,
    /// `None` is any.
    #[serde(default)]
    pub port: Option<u16>,
    /// `None` or none is any.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// `None` is any.
    #[serde(default)]
    pub path_glob: Option<String>,
}

/// Where one secret may go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Binding {
    /// `bnd_…`
    pub id: String,
    /// `sec_…`, which is also the name of its lease.
    pub secret: String,
    /// What people call it.
    pub name: String,
    /// What the sandbox holds in its place.
    pub placeholder: String,
    /// Exact names and `*.suffix`.
    pub hosts: Vec<String>,
    /// The ports on those hosts.
    pub ports: Vec<u16>,
    /// The parts of a request that it may stand in.
    pub places: Vec<Place>,
    /// The variable that carries the placeholder.
    #[serde(default)]
    pub env: Option<String>,
    /// Whether it can be used now.
    pub state: BindingState,
    /// An OAuth account, so that a 401 is worth a refresh.
    #[serde(default)]
    pub connected: bool,
}

/// The interception authority, whose key comes as a lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorityRef {
    /// The certificate.
    pub certificate_pem: String,
    /// The lease of its key.
    pub lease: String,
}

/// Whether what no rule names passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything that is not denied passes, and is recorded.
    AuditOnly,
    /// Only what is allowed passes.
    Enforce,
}

/// What a rule says. Deny where nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each variant is the contract's own word
pub enum Effect {
    Allow,
    #[default]
    Deny,
}

/// Where a rule was written, the most specific first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each variant is the contract's own word
pub enum Scope {
    Sandbox,
    Workspace,
    Tenant,
}

/// A part of a request that a secret may stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Any header value.
    Header,
    /// User name or password of `Authorization: Basic`, inside its base64.
    Basic,
    /// The query string.
    Query,
    /// The path.
    Path,
    /// A place that this version does not know, where nothing is swapped.
    #[serde(other)]
    Unknown,
}

/// Whether a binding can be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindingState {
    /// In use.
    Active,
    /// Bound to no host yet.
    Inert,
    /// The account must be connected again.
    NeedsReauth,
    /// Past its end.
    Expired,
}

impl Mode {
    /// The contract's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuditOnly => "audit_only",
            Self::Enforce => "enforce",
        }
    }
}

impl Effect {
    /// The contract's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Scope {
    /// The contract's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Workspace => "workspace",
            Self::Tenant => "tenant",
        }
    }
}

impl Place {
    /// The contract's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Basic => "basic",
            Self::Query => "query",
            Self::Path => "path",
            Self::Unknown => "unknown",
        }
    }
}
