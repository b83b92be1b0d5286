//! The records of one outbound call: `intent`, `decision`, `outcome`, chained by the event's id.

use std::borrow::Cow;

use serde::Serialize;

use crate::{Reason, Text};

/// One record, before the journal gives it its number.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// Written before the first upstream byte of a request that carries a value; never shown.
    Intent(Call),
    /// Written at the response head, the refusal or the failure; shown live.
    Decision(Decision),
    /// Written when the exchange ends.
    Outcome(Outcome),
}

/// What is asked, by whom, and which secrets it carries.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// RFC 3339, UTC, microseconds.
    pub at: String,
    /// `evt_…`
    pub event: Text,
    /// `sbx_…`
    pub sandbox: Text,
    /// `ten_…`
    pub tenant: Text,
    /// The canonical host, or the literal address.
    pub host: Text,
    /// The destination port.
    pub port: u16,
    /// `https`, `http`, `tls`, `tcp` or `dns`.
    pub protocol: &'static str,
    /// The request's method, empty before there is one.
    pub method: Cow<'static, str>,
    /// Without query, capped and masked.
    pub path: String,
    /// The snapshot decided under.
    pub revision: u64,
    /// `allow` or `deny`.
    pub effect: &'static str,
    /// The rule that decided.
    pub rule: Option<Text>,
    /// `audit_only` or `enforce`.
    pub policy_mode: &'static str,
    /// Which values the request carries.
    pub secrets: Vec<SecretUse>,
}

/// One value that a request carries: which, and where, never what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretUse {
    /// `sec_…`
    pub secret: Text,
    /// The secret's name.
    pub name: Text,
    /// The version lent.
    pub version: u64,
    /// `bnd_…`
    pub binding: Text,
    /// `header`, `basic`, `query` or `path`.
    pub place: &'static str,
}

/// What became of the call, as far as it is known at its response head.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// The call, repeated so that the record stands alone.
    #[serde(flatten)]
    pub call: Call,
    /// What was done.
    pub action: Action,
    /// What the sandbox received; 0 for nothing.
    pub status: u16,
    /// Why not, if not.
    pub reason: Option<Reason>,
    /// A sentence for people.
    pub message: Option<String>,
    /// The peer's address.
    pub upstream_address: Option<String>,
    /// The furthest step reached.
    pub stage: Stage,
    /// How many calls this record stands for.
    pub count: u64,
    /// The secret whose placeholder the refusal kept back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
}

/// A secret that a refused request asked for and did not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    /// `sec_…`
    pub secret: Text,
    /// The secret's name.
    pub name: Text,
    /// `bnd_…`
    pub binding: Text,
}

/// What was done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each variant is the contract's own word
pub enum Action {
    Allow,
    Reject,
    Stub,
    Error,
    ClientCancel,
}

/// The furthest step that a call reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each variant is the contract's own word
pub enum Stage {
    Accepted,
    Hello,
    Request,
    Decided,
    Dialled,
    Sent,
    Head,
    Body,
}

/// How the exchange ended.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// RFC 3339, UTC, microseconds.
    pub at: String,
    /// `evt_…`
    pub event: Text,
    /// `sbx_…`
    pub sandbox: Text,
    /// `ten_…`
    pub tenant: Text,
    /// From the upstream to the sandbox.
    pub bytes_in: u64,
    /// From the sandbox up.
    pub bytes_out: u64,
    /// From the request's arrival to its end.
    pub duration_us: u64,
    /// Why it ended.
    pub end: End,
}

/// Why an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each variant is the contract's own word
pub enum End {
    Complete,
    ClientCancel,
    UpstreamError,
    CutByPolicy,
    Refused,
    Shutdown,
}
