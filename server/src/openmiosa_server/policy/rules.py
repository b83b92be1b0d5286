"""Rules as plain values, and the decision they lead to; what the data plane decides is decided alike here."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .hosts import matches, parse_pattern

MODES = ("audit_only", "enforce")
EFFECTS = ("allow", "deny")
SCOPES = ("sandbox", "workspace", "tenant")  # most specific first
_METHOD = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]{1,32}")
_MAX_METHODS = 32
_MAX_GLOB = 1024


class RuleError(ValueError):
    """A rule that means nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule with everything in canonical form."""

    id: str
    scope: str
    effect: str
    host: str
    port: int | None = None
    methods: tuple[str, ...] | None = None
    path_glob: str | None = None


def make_rule(
    *,
    rule_id: str,
    scope: str,
    effect: str,
    host: str,
    port: int | None = None,
    methods: Sequence[str] | None = None,
    path_glob: str | None = None,
) -> PolicyRule:
    """A rule from what a caller wrote; HostError or RuleError when it means nothing."""
    if effect not in EFFECTS:
        raise RuleError("effect is allow or deny")
    pattern = parse_pattern(host)
    if port is not None and pattern.port is not None and port != pattern.port:
        raise RuleError("the host and the field port name different ports")
    chosen = port if port is not None else pattern.port
    if chosen is not None and not 1 <= chosen <= 65535:
        raise RuleError("a port is a number from 1 to 65535")
    return PolicyRule(rule_id, scope, effect, pattern.text, chosen, canonical_methods(methods), canonical_glob(path_glob))


def canonical_methods(methods: Sequence[str] | None) -> tuple[str, ...] | None:
    """Upper case, sorted, without repeats; none at all means any."""
    if not methods:
        return None
    found = tuple(sorted({method.strip().upper() for method in methods}))
    if len(found) > _MAX_METHODS or not all(_METHOD.fullmatch(method) for method in found):
        raise RuleError("methods are HTTP methods such as GET and POST")
    return None if found == ("*",) else found


def canonical_glob(glob: str | None) -> str | None:
    """A path with stars; nothing, `*` and `/*` mean any."""
    if glob in (None, "", "*", "/*"):
        return None
    if not glob.startswith("/") or len(glob) > _MAX_GLOB or "?" in glob or "#" in glob or not glob.isprintable():
        raise RuleError(f"path_glob is a path that starts with / and may have stars, such as /v1/*, of at most {_MAX_GLOB} characters")
    return glob


def covers(rules: Iterable[PolicyRule], host: str, port: int | None) -> bool:
    """Whether an allow rule lets some request to the host through, and no deny rule refuses them all."""
    allowed = False
    for rule in rules:
        if not matches(rule.host, host) or (rule.port is not None and port is not None and rule.port != port):
            continue
        if rule.effect == "deny" and rule.methods is None and rule.path_glob is None:
            return False
        allowed = allowed or rule.effect == "allow"
    return allowed
