"""`openmiosa network`: which hosts sandboxes may call."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from ..models import Policy, Rule
from . import output
from .context import client
from .guide import Plan, proposed
from .guide import show as show_plan
from .options import DEFAULTS, Common, Sandbox, Tenant, UsageError, Yes

if TYPE_CHECKING:
    from .._sync.client import Miosa
    from .._sync.network import Network

app = App(name="network", help="Decide which hosts sandboxes may call.")

Mode = Annotated[Literal["audit_only", "enforce"], Parameter(help="record and let pass, or let only the rules pass")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What a rule holds for, beside its host."""

    method: Annotated[list[str] | None, Parameter(negative=(), help="only these methods (repeat)")] = None
    path: Annotated[str | None, Parameter(help="only paths that match, such as /v1/*")] = None
    port: Annotated[int | None, Parameter(help="only this port; default: any")] = None
    note: Annotated[str | None, Parameter(help="why, for whoever reads the rules")] = None
    policy: Annotated[str | None, Parameter(help="id of the policy that gets the rule; default: the usual one")] = None

    def given(self) -> dict[str, Any]:
        """As the SDK calls them."""
        return {"methods": self.method, "path_glob": self.path, "port": self.port, "note": self.note, "policy_id": self.policy}


@app.command
def allow(*hosts: str, sandbox: Sandbox = None, tenant: Tenant = False, narrowed: Narrowed = Narrowed(), common: Common = DEFAULTS) -> None:
    """Let hosts be called: exact, *.suffix, or a CIDR for literal addresses."""
    _rules(hosts, "allow", sandbox, tenant, narrowed=narrowed, common=common)


@app.command
def deny(*hosts: str, sandbox: Sandbox = None, tenant: Tenant = False, narrowed: Narrowed = Narrowed(), common: Common = DEFAULTS) -> None:
    """Never let hosts be called, whatever else allows them."""
    _rules(hosts, "deny", sandbox, tenant, narrowed=narrowed, common=common)


@app.command
def rm(*rules: str, sandbox: Sandbox = None, tenant: Tenant = False, common: Common = DEFAULTS) -> None:
    """Take back rules, by id or by host."""
    if not rules:
        raise UsageError("name a rule, by id or by host")
    with client(common) as api:
        output.each(rules, _network(api, sandbox, tenant).remove, common)
    output.done({"removed": list(rules)}, f"Removed: {', '.join(rules)}.", common)


@app.command
def lockdown(
    *hosts: str,
    sandbox: Sandbox = None,
    tenant: Tenant = False,
    close_all: Annotated[bool, Parameter(negative=(), help="allow no host at all")] = False,
    yes: Yes = False,
    dry_run: Annotated[bool, Parameter(negative=(), help="show what would change, and change nothing")] = False,
    common: Common = DEFAULTS,
) -> int:
    """Let only the named hosts be called.

    Without names, at a terminal: shows what was called and what would change, and asks; --yes takes what was called and what
    rules allow already. Elsewhere: only what rules allow already.
    """
    if close_all and hosts:
        raise UsageError("--close-all and hosts contradict each other")
    with client(common) as api:
        network = _network(api, sandbox, tenant)
        chosen = [] if close_all else list(hosts) or None
        if dry_run or (chosen is None and not common.json and (yes or sys.stdin.isatty())):
            plan = _plan(network, chosen, asked=not (yes or dry_run))
            if plan is None or dry_run:
                output.say("Nothing was changed.")
                return 0 if dry_run else 1
            chosen = list(plan.hosts)
        policy = network.lockdown(chosen)
    allowed = ", ".join(rule.host for rule in policy.allow_rules) or "nothing"
    output.done(policy, f"Locked down. Allowed: {allowed}. Everything else answers 403 MIOSA-Egress-Deny.", common)
    return 0


@app.command
def observe(sandbox: Sandbox = None, *, tenant: Tenant = False, common: Common = DEFAULTS) -> None:
    """Back to recording without blocking."""
    with client(common) as api:
        policy = _network(api, sandbox, tenant).observe()
    output.done(policy, "Observing: every call is recorded, none is blocked. Secrets still go only where they are bound.", common)


@app.command
def pending(sandbox: Sandbox = None, *, common: Common = DEFAULTS) -> None:
    """List hosts refused since the lockdown, and secrets that wait for a host."""
    with client(common) as api:
        found = _network(api, sandbox, sandbox is None).pending()
    cells = [(one.host, one.port, one.count, one.reason, one.secret, output.ago(one.last_seen)) for one in found]
    output.rows(found, cells, ("host", "port", "calls", "reason", "secret", "last"), common, empty="Nothing waits for a decision.")


@app.command
def suggestions(
    sandbox: Sandbox = None, *, since: Annotated[str, Parameter(help="window: 7d, 24h, or a time")] = "7d", common: Common = DEFAULTS
) -> None:
    """List hosts that were called, with counts: what a lockdown would have to allow."""
    with client(common) as api:
        found = _network(api, sandbox, sandbox is None).suggestions(since=since)
    cells = [(one.host, one.count, one.denied_count, one.methods, output.ago(one.last_seen)) for one in found]
    output.rows(found, cells, ("host", "calls", "refused", "methods", "last"), common, empty="No host was called in this window.")


@app.command
def show(sandbox: Sandbox = None, *, common: Common = DEFAULTS) -> None:
    """Show the policy: its mode and its rules."""
    with client(common) as api:
        policy = _network(api, sandbox, sandbox is None).get_policy()
    if common.json:
        output.emit(output.as_json(policy))
        return
    output.say(_mode(policy))
    _table([*policy.allow_rules, *policy.deny_rules], common)


@app.command
def rules(sandbox: Sandbox = None, *, common: Common = DEFAULTS) -> None:
    """List rules, of a sandbox or of the tenant."""
    with client(common) as api:
        found = _network(api, sandbox, sandbox is None).rules()
    _table(found, common)


@app.command
def policies(sandbox: Sandbox = None, *, common: Common = DEFAULTS) -> None:
    """List policies, of a sandbox or of the tenant."""
    with client(common) as api:
        found = _network(api, sandbox, sandbox is None).policies()
    cells = [(one.id, one.name, one.mode, len(one.allow_rules), len(one.deny_rules), "it" if one.resource_id else "all") for one in found]
    output.rows(found, cells, ("id", "name", "mode", "allow", "deny", "for"), common, empty="No policy.")


@app.command
def create_policy(
    name: str,
    /,
    *,
    sandbox: Sandbox = None,
    tenant: Tenant = False,
    mode: Mode = "enforce",
    description: Annotated[str | None, Parameter(help="what it is for")] = None,
    common: Common = DEFAULTS,
) -> None:
    """Add a policy; rules join it with `allow --policy` and `deny --policy`."""
    with client(common) as api:
        made = _network(api, sandbox, tenant).create_policy(name=name, mode=mode, description=description)
    output.done(made, f"{made.name} is there ({made.id}, {made.mode}).", common)


@app.command
def update_policy(
    policy: Annotated[str, Parameter(help="id of a policy")],
    /,
    *,
    mode: Mode | None = None,
    name: Annotated[str | None, Parameter(help="what it is called from now on")] = None,
    description: Annotated[str | None, Parameter(help="what it is for")] = None,
    common: Common = DEFAULTS,
) -> None:
    """Change a policy; what is not given stays."""
    if mode is None and name is None and description is None:
        raise UsageError("say what to change: --mode, --name or --description")
    with client(common) as api:
        changed = api.network.update_policy(policy, mode=mode, name=name, description=description)
    output.done(changed, f"{changed.name or changed.id} is changed ({changed.mode}).", common)


def _rules(hosts: tuple[str, ...], effect: str, sandbox: str | None, tenant: bool, *, narrowed: Narrowed, common: Common) -> None:
    if not hosts:
        raise UsageError(f"name a host to {effect}")
    with client(common) as api:
        network = _network(api, sandbox, tenant)
        add = network.allow if effect == "allow" else network.deny
        made = output.each(hosts, lambda host: add(host, **narrowed.given()), common)
    output.done(made, f"{'Allowed' if effect == 'allow' else 'Denied'}: {', '.join(rule.host for rule in made)}.", common)


def _plan(network: "Network", chosen: list[str] | None, *, asked: bool) -> Plan | None:
    """What would hold afterwards; None when a person said no."""
    if chosen is None:
        return proposed(network, asked=asked)
    plan = Plan(tuple(chosen), network.get_policy())
    show_plan(plan)
    return plan


def _table(found: list[Rule], common: Common) -> None:
    cells = [(rule.effect, rule.host, rule.port, rule.methods or "any", rule.path_glob or "any", rule.note) for rule in found]
    output.rows(found, cells, ("effect", "host", "port", "methods", "path", "note"), common, empty="No rules.")


def _network(api: "Miosa", sandbox: str | None, tenant: bool) -> "Network":
    if sandbox is not None:
        return api.sandboxes.get(sandbox).network
    if not tenant:
        raise UsageError("say which sandbox with --sandbox NAME, or --tenant for the default of all sandboxes")
    return api.network


def _mode(policy: Policy) -> str:
    if policy.mode == "enforce":
        return "Mode: enforce. Only what the rules allow passes."
    return "Mode: audit_only. Every call is recorded, none is blocked but what a deny rule names."
