//! One outbound call as an event. Whatever happens, it is decided once and ended once: dropping it records a cancel.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use openmiosa_credential::Masker;
use openmiosa_journal::JournalError;
use openmiosa_link::{
    Reason, Text,
    records::{Action, Call, Decision, End, Outcome, Record, SecretUse, Stage},
};

use crate::{gateway::Gateway, metrics::CallLabels, refusal::Refusal, sandbox::Sandbox};

/// The cap of a recorded path.
const PATH_CAP: usize = 1024;
/// The cap of a recorded method.
const METHOD_CAP: usize = 32;

/// An event that is being made.
pub struct Event {
    /// What its records repeat.
    pub call: Call,
    /// The furthest step reached.
    pub stage: Stage,
    /// The peer's address, once there is one.
    pub upstream_address: Option<String>,
    /// Bytes that went up; shared with the request's body.
    pub bytes_out: Arc<AtomicU64>,
    /// Bytes that came down.
    pub bytes_in: u64,
    gateway: Arc<Gateway>,
    started: Instant,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Open,
    Decided,
    Ended,
}

impl Event {
    /// An event that has only begun.
    pub fn open(gateway: &Arc<Gateway>, sandbox: &Sandbox, port: u16, protocol: &'static str) -> Self {
        let state = sandbox.state();
        let call = Call {
            at: now(),
            event: format!("evt_{}", lower_ulid()).into(),
            sandbox: sandbox.id.clone(),
            tenant: state.as_ref().map_or_else(|| Text::from(""), |s| s.tenant.clone()),
            host: Text::from(""),
            port,
            protocol,
            method: "".into(),
            path: String::new(),
            revision: state.as_ref().map_or(0, |s| s.revision()),
            effect: "deny",
            rule: None,
            policy_mode: state.as_ref().map_or("audit_only", |s| s.mode()),
            secrets: Vec::new(),
        };
        Self {
            call,
            stage: Stage::Accepted,
            upstream_address: None,
            bytes_out: Arc::default(),
            bytes_in: 0,
            gateway: Arc::clone(gateway),
            started: Instant::now(),
            progress: Progress::Open,
        }
    }

    /// Notes a step; a step back is not noted.
    pub fn reached(&mut self, stage: Stage) {
        self.stage = self.stage.max(stage);
    }

    /// The clock of this call starts now: its connection may have waited long for it.
    pub fn restart(&mut self) {
        self.started = Instant::now();
        self.call.at = now();
    }

    /// Notes what is asked, capped; `path` has no query and is masked already.
    pub fn asks(&mut self, method: &str, path: String) {
        self.call.method = cap(method.to_owned(), METHOD_CAP).into();
        self.call.path = cap(path, PATH_CAP);
        self.reached(Stage::Request);
    }

    /// Writes the intent, as durably as is asked for, before any value leaves.
    pub async fn intend(&mut self, secrets: Vec<SecretUse>) -> Result<(), JournalError> {
        self.call.secrets = secrets;
        self.call.at = now();
        let journal = &self.gateway.journal;
        let number = journal.append(&Record::Intent(self.call.clone()))?;
        journal.durable(number).await
    }

    /// Writes the decision.
    pub fn decide(&mut self, action: Action, status: u16, adjust: impl FnOnce(&mut Decision)) {
        if self.progress != Progress::Open {
            return;
        }
        self.progress = Progress::Decided;
        self.call.at = now();
        let mut decision = Decision {
            call: self.call.clone(),
            action,
            status,
            reason: None,
            message: None,
            upstream_address: self.upstream_address.take(),
            stage: self.stage,
            count: 1,
            held_back: None,
        };
        adjust(&mut decision);
        let reason = decision.reason.map_or("none", Reason::as_str);
        self.gateway.metrics.calls.get_or_create(&CallLabels { action: action_word(action), reason }).inc();
        self.write(&Record::Decision(decision));
        if action == Action::Stub {
            self.progress = Progress::Ended;
        }
    }

    /// Writes the refusal or failure, and the end.
    pub fn refuse(&mut self, refusal: Refusal, status: u16) {
        let reason = refusal.reason;
        let action = if reason.is_refusal() { Action::Reject } else { Action::Error };
        self.decide(action, status, |decision| {
            decision.reason = Some(reason);
            decision.message = refusal.message;
            decision.held_back = refusal.held_back;
        });
        self.end(match (refusal.cut, reason.is_refusal()) {
            (true, _) => End::CutByPolicy,
            (false, true) => End::Refused,
            (false, false) => End::UpstreamError,
        });
    }

    /// Writes the outcome.
    pub fn end(&mut self, end: End) {
        if self.progress != Progress::Decided {
            return;
        }
        self.progress = Progress::Ended;
        let bytes_out = self.bytes_out.load(Ordering::Relaxed);
        self.gateway.metrics.bytes_in.inc_by(self.bytes_in);
        self.gateway.metrics.bytes_out.inc_by(bytes_out);
        self.write(&Record::Outcome(Outcome {
            at: now(),
            event: self.call.event.clone(),
            sandbox: self.call.sandbox.clone(),
            tenant: self.call.tenant.clone(),
            bytes_in: self.bytes_in,
            bytes_out,
            duration_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            end,
        }));
    }

    /// Forgets an event that turned out to be none, such as a connection that asked for nothing after an earlier request.
    pub fn forget(mut self) {
        self.progress = Progress::Ended;
    }

    fn write(&self, record: &Record) {
        if let Err(error) = self.gateway.journal.append(record) {
            self.gateway.metrics.journal_errors.inc();
            tracing::error!(%error, event = %self.call.event, "a record could not be written");
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let end = if self.gateway.stop.is_cancelled() { End::Shutdown } else { End::ClientCancel };
        self.decide(Action::ClientCancel, 0, |_| {});
        self.end(end);
    }
}

/// A host as it may be recorded: a placeholder in a name is named, not repeated (S-06).
pub fn visible_host(sandbox: &Sandbox, host: &str) -> Text {
    if !host.contains("miosa-tok-") {
        return host.into();
    }
    let state = sandbox.state();
    state.map_or_else(|| "[placeholder]".into(), |state| Masker::new(&state.compiled, &[]).mask(host).into())
}

/// The time now, as records write it.
pub fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

/// A new lower-case ULID.
pub fn lower_ulid() -> String {
    ulid::Ulid::new().to_string().to_lowercase()
}

fn cap(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let boundary = (0..=limit).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(boundary.unwrap_or(0));
    }
    text
}

fn action_word(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Reject => "reject",
        Action::Stub => "stub",
        Action::Error => "error",
        Action::ClientCancel => "client_cancel",
    }
}
