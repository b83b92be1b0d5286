"""The guided lockdown: what was called, what would change, and a question."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models import Policy, Suggestion
from . import output
from .options import UsageError
from .screen import coloured

if TYPE_CHECKING:
    from .._sync.network import Network

WINDOW = "7d"
GREEN, RED, DIM = "32", "31", "2"


@dataclass(frozen=True, slots=True)
class Plan:
    """The hosts that stay open, beside what there is now."""

    hosts: tuple[str, ...]
    policy: Policy

    @property
    def before(self) -> tuple[str, ...]:
        """What rules allow now."""
        return allowed(self.policy)

    def lines(self) -> list[tuple[str, str]]:
        """Signs and words, as `diff` has them."""
        mode = [] if self.policy.mode == "enforce" else [("-", f"mode {self.policy.mode}"), ("+", "mode enforce")]
        gone = [("-", f"allow {host}") for host in self.before if host not in self.hosts]
        kept = [(" ", f"allow {host}") for host in self.hosts if host in self.before]
        new = [("+", f"allow {host}") for host in self.hosts if host not in self.before]
        denied = [(" ", f"deny {rule.host}") for rule in self.policy.deny_rules]
        return [*mode, *gone, *kept, *new, *denied]


def proposed(network: "Network", *, asked: bool) -> Plan | None:
    """What was observed and what rules allow, as a plan; with `asked` a person chooses. None when the answer is no."""
    policy, seen = network.get_policy(), network.suggestions(since=WINDOW)
    rules = allowed(policy)
    denied = {rule.host for rule in policy.deny_rules}
    observed = [one for one in seen if one.host not in denied]
    open_already = {rule.host for rule in policy.allow_rules}
    new = [one.host for one in observed if one.host not in open_already]
    if not observed and not rules:
        raise UsageError(
            "nothing was called yet and no rule allows anything: run the agent first, or name the hosts; --close-all closes all"
        )
    plan = Plan(tuple(dict.fromkeys((*rules, *new))), policy)
    _show(observed, open_already)
    show(plan)
    return _chosen(plan) if asked else plan


def allowed(policy: Policy) -> tuple[str, ...]:
    """The hosts that rules allow, with the port where a rule is about one."""
    named = (rule.host if rule.port is None else f"{rule.host}:{rule.port}" for rule in policy.allow_rules)
    return tuple(dict.fromkeys(named))


def show(plan: Plan) -> None:
    """What would change."""
    colours = {"+": GREEN, "-": RED, " ": DIM} if coloured(sys.stderr) else {}
    print("What changes:", file=sys.stderr)
    for sign, text in plan.lines():
        line = f"  {sign} {output.cell(text)}"
        print(f"\x1b[{colours[sign]}m{line}\x1b[0m" if sign in colours else line, file=sys.stderr)


def _show(observed: list[Suggestion], open_already: set[str]) -> None:
    print(f"Called in the last {WINDOW}:" if observed else f"Nothing was called in the last {WINDOW}.", file=sys.stderr)
    cells = [
        (one.host, one.count, one.denied_count or "-", one.methods, output.ago(one.last_seen), "yes" if one.host in open_already else "no")
        for one in observed
    ]
    if cells:
        output.table(cells, ("host", "calls", "refused", "methods", "last", "allowed by a rule"), sys.stderr)
    print(file=sys.stderr)


def _chosen(plan: Plan) -> Plan | None:
    """Ask until the answer is yes or no; numbers leave hosts out."""
    while True:
        print(file=sys.stderr)
        for number, host in enumerate(plan.hosts, 1):
            print(f"  {number}  {output.cell(host)}", file=sys.stderr)
        print("Allow these, refuse all else? [y/N, or numbers to leave out] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline().strip().lower()
        if answer in ("y", "yes"):
            return plan
        numbers = answer.replace(",", " ").split()
        if not numbers or not all(word.isdigit() and 1 <= int(word) <= len(plan.hosts) for word in numbers):
            return None
        out = {int(word) for word in numbers}
        plan = Plan(tuple(host for number, host in enumerate(plan.hosts, 1) if number not in out), plan.policy)
        show(plan)
