//! The bodies of the link's requests and answers.

use serde::{Deserialize, Serialize};

/// The version of the messages that this code speaks.
pub const VERSION: u32 = 1;

/// `POST /v1/hello` on the server's socket.
#[derive(Clone, Debug, Serialize)]
pub struct Hello<'a> {
    /// Message version.
    pub v: u32,
    /// `gw_…`
    pub gateway: &'a str,
    /// One id for each run of egressd.
    pub boot: &'a str,
    /// Base64 of the X25519 key that leases are sealed to.
    pub public_key: &'a str,
    /// The program's version.
    pub version: &'a str,
}

/// The answer to a hello, and the body of `PUT /v1/epoch`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Epoch {
    /// Message version; absent in answers.
    #[serde(default = "first_version")]
    pub v: u32,
    /// Raised by the server at each start.
    pub epoch: u64,
}

/// `PUT /v1/leases/{lease}`.
#[derive(Clone, Deserialize)]
pub struct LeasePut {
    /// Message version.
    pub v: u32,
    /// `sec_…` or `ca_sbx_…`
    pub lease: String,
    /// `ten_…`
    pub tenant: String,
    /// What the value is.
    pub purpose: Purpose,
    /// Rises with each rotation.
    pub version: u64,
    /// A lifetime from receipt; `None` lasts until revoked.
    pub expires_in_ms: Option<u64>,
    /// The value, sealed to egressd's key.
    pub sealed: Sealed,
}

impl LeasePut {
    /// What the sealing is bound to.
    pub fn sealing_context(&self, boot: &str) -> String {
        format!("{boot}\n{}\n{}\n{}\n{}", self.lease, self.tenant, self.purpose.as_str(), self.version)
    }
}

/// An HPKE single-shot message.
#[derive(Clone, Deserialize)]
pub struct Sealed {
    /// Base64 of the encapsulated key.
    pub enc: String,
    /// Base64 of the ciphertext with its tag.
    pub ciphertext: String,
}

/// What a lease lends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A UTF-8 value.
    Secret,
    /// A PKCS#8 key of a sandbox's authority.
    AuthorityKey,
}

impl Purpose {
    /// The contract's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::AuthorityKey => "authority_key",
        }
    }
}

/// `GET /v1/status` on egressd's socket.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Message version.
    pub v: u32,
    /// `gw_…`
    pub gateway: String,
    /// One id for each run of egressd.
    pub boot: String,
    /// The highest epoch heard.
    pub epoch: u64,
    /// Base64 of the X25519 key.
    pub public_key: String,
    /// The program's version.
    pub version: String,
    /// What is known of each sandbox.
    pub sandboxes: Vec<SandboxStatus>,
    /// What is lent.
    pub leases: Vec<LeaseStatus>,
    /// How far the journal got.
    pub journal: JournalStatus,
}

/// One sandbox in a status.
#[derive(Clone, Debug, Serialize)]
pub struct SandboxStatus {
    /// `sbx_…`
    pub sandbox: String,
    /// The snapshot in force.
    pub revision: u64,
    /// Whether its listeners are here.
    pub listening: bool,
    /// Connections open now.
    pub connections: usize,
}

/// One lease in a status.
#[derive(Clone, Debug, Serialize)]
pub struct LeaseStatus {
    /// `sec_…` or `ca_sbx_…`
    pub lease: String,
    /// The version held.
    pub version: u64,
}

/// The journal in a status.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct JournalStatus {
    /// The number that the next record gets.
    pub next: u64,
    /// The highest number that the server has stored.
    pub acknowledged: u64,
}

/// `POST /v1/refresh` on the server's socket.
#[derive(Clone, Debug, Serialize)]
pub struct Refresh<'a> {
    /// Message version.
    pub v: u32,
    /// `sbx_…`
    pub sandbox: &'a str,
    /// `sec_…`
    pub secret: &'a str,
    /// The version that the upstream refused.
    pub version: u64,
}

/// The answer to a refresh.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Refreshed {
    /// What came of it.
    pub result: RefreshResult,
    /// The version lent now.
    #[serde(default)]
    pub version: u64,
}

/// What came of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each variant is the contract's own word
pub enum RefreshResult {
    Refreshed,
    Unchanged,
    NeedsReauth,
    Unavailable,
}

/// The answer to `POST /v1/events`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Acknowledged {
    /// The highest number stored.
    pub acknowledged: u64,
}

/// The body of every error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error itself.
    pub error: ErrorDetail,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// A word of the contract.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retry: bool,
}

fn first_version() -> u32 {
    VERSION
}
