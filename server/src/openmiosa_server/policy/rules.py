"""Rules as plain values, and the decision they lead to; what the data plane decides is decided alike here."""

import re
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .hosts import HostError, matches, parse_pattern, split_port

MODES = ("audit_only", "enforce")
EFFECTS = ("allow", "deny")
SCOPES = ("sandbox", "workspace", "tenant")  # most specific first
_METHOD = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]{1,32}")
_MAX_METHODS = 32
_MAX_GLOB = 512  # bytes, and stars: what the data plane compiles
_MAX_STARS = 8
_GLOB = re.compile(r"(?:[^%?#\\\x00-\x20\x7f]|%[0-9A-Fa-f]{2})+")


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
    name, written = split_port(host.strip())
    pattern = parse_pattern(name)
    if effect == "allow" and pattern.breadth == "registry":
        raise HostError(f"{pattern.text} covers names of unrelated owners; name the hosts that are meant")
    if port is not None and written is not None and port != written:
        raise RuleError("the host and the field port name different ports")
    chosen = port if port is not None else written
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
    """A path with stars; nothing, `*` and `/*` mean any. What no canonical path can hold is refused: it would match nothing."""
    if glob in (None, "", "*", "/*"):
        return None
    if not glob.startswith(("/", "*")) or not _GLOB.fullmatch(glob):
        raise RuleError(
            "path_glob is a path that starts with / and may have stars, such as /v1/*, without query, backslash or control characters"
        )
    if len(glob.encode()) > _MAX_GLOB or glob.count("*") > _MAX_STARS:
        raise RuleError(f"path_glob has at most {_MAX_GLOB} bytes and {_MAX_STARS} stars")
    plain = urllib.parse.unquote(glob, errors="replace")
    if not plain.isprintable() or "%" in plain or "\\" in plain or "\ufffd" in plain:
        raise RuleError("path_glob has an escape that no canonical path has")
    bare = (segment.partition(";")[0] for segment in plain.split("/"))
    if any(segment and not segment.strip(". ") for segment in bare):
        raise RuleError("path_glob has dot segments; write the path as it is after they are resolved")
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
