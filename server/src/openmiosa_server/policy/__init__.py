"""Policy, pure: hosts, rules and the snapshot they compile to. No database, no clock, no network."""

from .compile import BindingValue, PolicyValue, SandboxValue, compile, effective_mode
from .hosts import HostError, HostPattern, canonical_name, matches, parse_pattern, split_port
from .rules import EFFECTS, MODES, PolicyRule, RuleError, covers, make_rule

__all__ = [
    "EFFECTS",
    "MODES",
    "BindingValue",
    "HostError",
    "HostPattern",
    "PolicyRule",
    "PolicyValue",
    "RuleError",
    "SandboxValue",
    "canonical_name",
    "compile",
    "covers",
    "effective_mode",
    "make_rule",
    "matches",
    "parse_pattern",
    "split_port",
]
