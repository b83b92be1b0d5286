"""`openmiosa network`: which hosts sandboxes may call."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ..models import Policy
from . import output
from .context import client
from .options import DEFAULTS, Common, Sandbox, Tenant, UsageError

if TYPE_CHECKING:
    from .._sync.client import Miosa
    from .._sync.network import Network

app = App(name="network", help="Decide which hosts sandboxes may call.")

Methods = Annotated[list[str] | None, Parameter(name="--method", negative=(), help="only these methods (repeat)")]
PathGlob = Annotated[str | None, Parameter(name="--path", help="only paths that match, such as /v1/*")]


@app.command
def allow(
    *hosts: str, sandbox: Sandbox = None, tenant: Tenant = False, method: Methods = None, path: PathGlob = None, common: Common = DEFAULTS
) -> None:
    """Let hosts be called: exact, *.suffix, or a CIDR for literal addresses."""
    _rules(hosts, "allow", sandbox, tenant, options={"methods": method, "path_glob": path}, common=common)


@app.command
def deny(
    *hosts: str, sandbox: Sandbox = None, tenant: Tenant = False, method: Methods = None, path: PathGlob = None, common: Common = DEFAULTS
) -> None:
    """Never let hosts be called, whatever else allows them."""
    _rules(hosts, "deny", sandbox, tenant, options={"methods": method, "path_glob": path}, common=common)


@app.command
def rm(*rules: str, sandbox: Sandbox = None, tenant: Tenant = False, common: Common = DEFAULTS) -> None:
    """Take back rules, by id or by host."""
    if not rules:
        raise UsageError("name a rule, by id or by host")
    with client(common) as api:
        network = _network(api, sandbox, tenant)
        for rule in rules:
            network.remove(rule)
    output.done({"removed": list(rules)}, f"Removed: {', '.join(rules)}.", common)


@app.command
def lockdown(
    *hosts: str,
    sandbox: Sandbox = None,
    tenant: Tenant = False,
    close_all: Annotated[bool, Parameter(negative=(), help="allow no host at all")] = False,
    common: Common = DEFAULTS,
) -> None:
    """Let only the named hosts be called; without names, only those that rules allow already."""
    if close_all and hosts:
        raise UsageError("--close-all and hosts contradict each other")
    with client(common) as api:
        policy = _network(api, sandbox, tenant).lockdown([] if close_all else (list(hosts) or None))
    allowed = ", ".join(rule.host for rule in policy.allow_rules) or "nothing"
    output.done(policy, f"Locked down. Allowed: {allowed}. Everything else answers 403 MIOSA-Egress-Deny.", common)


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
    print(_mode(policy))
    rules = [*policy.allow_rules, *policy.deny_rules]
    cells = [(rule.effect, rule.host, rule.port, rule.methods or "any", rule.path_glob or "any", rule.note) for rule in rules]
    output.rows(rules, cells, ("effect", "host", "port", "methods", "path", "note"), common, empty="No rules.")


def _rules(
    hosts: tuple[str, ...],
    effect: str,
    sandbox: str | None,
    tenant: bool,
    *,
    options: dict[str, Any],
    common: Common,
) -> None:
    if not hosts:
        raise UsageError(f"name a host to {effect}")
    with client(common) as api:
        network = _network(api, sandbox, tenant)
        add = network.allow if effect == "allow" else network.deny
        made = [add(host, **options) for host in hosts]
    output.done(made, f"{'Allowed' if effect == 'allow' else 'Denied'}: {', '.join(rule.host for rule in made)}.", common)


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
