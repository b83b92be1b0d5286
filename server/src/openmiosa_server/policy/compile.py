"""Rules, bindings and a revision, given as plain values, become the snapshot that the data plane decides by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .rules import SCOPES, PolicyRule


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """Mode and default of one policy, and the scope it stands at."""

    scope: str
    mode: str
    default_effect: str


@dataclass(frozen=True, slots=True)
class BindingValue:
    """A binding as the data plane needs it."""

    id: str
    secret: str
    name: str
    placeholder: str
    hosts: tuple[str, ...]
    env: str
    state: str
    connected: bool
    ports: tuple[int, ...] = (443,)
    places: tuple[str, ...] = ("header", "basic", "query", "path")


@dataclass(frozen=True, slots=True)
class SandboxValue:
    """What the snapshot says of the sandbox itself."""

    id: str
    tenant: str
    name: str
    revision: int
    authority_pem: str
    authority_lease: str


def compile(
    sandbox: SandboxValue, policies: Sequence[PolicyValue], rules: Iterable[PolicyRule], bindings: Iterable[BindingValue]
) -> dict[str, Any]:
    """The snapshot of `contracts/link`, the same for the same values whatever their order."""
    mode, default_effect = effective_mode(policies)
    ordered = sorted(rules, key=lambda rule: (rule.effect != "deny", SCOPES.index(rule.scope), rule.host, rule.id))
    return {
        "v": 1,
        "sandbox": sandbox.id,
        "tenant": sandbox.tenant,
        "name": sandbox.name,
        "revision": sandbox.revision,
        "mode": mode,
        "default_effect": default_effect,
        "rules": [_rule(rule) for rule in ordered],
        "bindings": [_binding(binding) for binding in sorted(bindings, key=lambda binding: (binding.env, binding.id))],
        "authority": {"certificate_pem": sandbox.authority_pem, "lease": sandbox.authority_lease},
    }


def effective_mode(policies: Sequence[PolicyValue]) -> tuple[str, str]:
    """The most specific policy that enforces; a wider lockdown is not undone by a narrower policy that only observes."""
    ordered = sorted(policies, key=lambda policy: SCOPES.index(policy.scope))
    for policy in ordered:
        if policy.mode == "enforce":
            return "enforce", policy.default_effect
    return "audit_only", ordered[0].default_effect if ordered else "deny"


def _rule(rule: PolicyRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "scope": rule.scope,
        "effect": rule.effect,
        "host": rule.host,
        "port": rule.port,
        "methods": None if rule.methods is None else list(rule.methods),
        "path_glob": rule.path_glob,
    }


def _binding(binding: BindingValue) -> dict[str, Any]:
    return {
        "id": binding.id,
        "secret": binding.secret,
        "name": binding.name,
        "placeholder": binding.placeholder,
        "hosts": list(binding.hosts),
        "ports": list(binding.ports),
        "places": list(binding.places),
        "env": binding.env,
        "state": binding.state,
        "connected": binding.connected,
    }
