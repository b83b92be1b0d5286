//! The decision of one request, under one snapshot.

use openmiosa_link::{Reason, Text};
use openmiosa_policy::{Effect, Networks};

use crate::{record::Event, refusal::Refusal, request::Asked, sandbox::State};

/// Decides, and notes in the event what was decided. Gives the networks that the address guard is told of.
pub fn decide(state: &State, asked: &Asked, event: &mut Event) -> Result<Networks, Refusal> {
    let question = asked.question();
    let decision = state.compiled.decide(&question);
    event.call.revision = state.revision();
    event.call.policy_mode = decision.mode.as_str();
    event.call.effect = decision.effect.as_str();
    event.call.rule = decision.rule.as_deref().map(Text::from);
    if decision.effect == Effect::Allow {
        return Ok(state.compiled.networks(&question));
    }
    let reason = decision.reason.and_then(|reason| Reason::from_word(reason.as_str())).unwrap_or(Reason::HostDenied);
    Err(Refusal { rule: event.call.rule.clone(), ..reason.into() })
}

/// Whether a snapshot would refuse a request that is going on.
pub fn would_refuse(state: &State, asked: &Asked) -> bool {
    state.compiled.decide(&asked.question()).effect != Effect::Allow
}
