"""`openmiosa secrets`: values go in and never come out."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ..models import Secret as Kept
from . import output, values
from .connect import connect, expect
from .context import client
from .options import DEFAULTS, Common, ExposeAs, Sandbox, Secret, UsageError

if TYPE_CHECKING:
    from .._sync.client import Miosa
    from .._sync.secrets import Secrets

app = App(name="secrets", help="Store, rotate and remove secrets; values never show again.")
app.command(connect)

Hosts = Annotated[list[str] | None, Parameter(name="--host", negative=(), help="a host that may receive it (repeat; *.suffix works)")]
Scope = Annotated[str | None, Parameter(help="without a sandbox: tenant (default), user, workspace …")]
ExternalUser = Annotated[str | None, Parameter(help="your own user whose secret it is; that user's sandboxes inherit it")]


@app.command(name="set")
def set_secret(
    name: str,
    /,
    *source: values.Source,
    sandbox: Sandbox = None,
    expose: ExposeAs = None,
    host: Hosts = None,
    scope: Scope = None,
    external_user: ExternalUser = None,
    expires_at: Annotated[str | None, Parameter(help="when it ends (RFC 3339)")] = None,
    from_env: values.FromEnv = None,
    from_file: values.FromFile = None,
    value: values.Refused = None,
    common: Common = DEFAULTS,
) -> None:
    """Store a value, or replace it; it is asked for unless a source is named."""
    text = values.value(f"Value of {name}", source, value, from_env, from_file)
    usual = "user" if sandbox else "external_user" if external_user else "tenant"
    with client(common) as api:
        kept = _secrets(api, sandbox).set(
            name=name, value=text, expose_as_env=expose, allowed_hosts=host, scope=scope or usual, external_user_id=external_user,
            expires_at=expires_at,
        )  # fmt: skip
    output.done(kept, _stored(kept, expose), common)


@app.command(name="list")
def list_secrets(sandbox: Sandbox = None, *, common: Common = DEFAULTS) -> None:
    """List secrets: what they are called and where they may go, never what they are."""
    with client(common) as api:
        found = _secrets(api, sandbox).list()
    cells = [
        (one.name, one.type, one.status, one.preview, one.expose_as_env, one.bound_hosts or "nowhere yet", output.ago(one.last_used_at))
        for one in found
    ]
    output.rows(found, cells, ("name", "type", "status", "ends", "variable", "hosts", "used"), common, empty="No secrets yet.")


@app.command
def show(name: Secret, /, *, sandbox: Sandbox = None, common: Common = DEFAULTS) -> None:
    """Show all that may be known of a secret."""
    with client(common) as api:
        found = _secrets(api, sandbox).get(name)
    output.record(found, common)


@app.command
def rotate(
    name: Secret,
    /,
    *source: values.Source,
    sandbox: Sandbox = None,
    from_env: values.FromEnv = None,
    from_file: values.FromFile = None,
    value: values.Refused = None,
    common: Common = DEFAULTS,
) -> None:
    """Replace a value; placeholders stay, and running agents use the new value from their next request on."""
    text = values.value(f"New value of {name}", source, value, from_env, from_file)
    with client(common) as api:
        kept = _secrets(api, sandbox).rotate(name, text)
    output.done(kept, f"{kept.name} is rotated (version {kept.version}). No new request uses the old value.", common)


@app.command
def rm(*names: Secret, sandbox: Sandbox = None, common: Common = DEFAULTS) -> None:
    """Remove secrets and their bindings."""
    if not names:
        raise UsageError("name a secret")
    with client(common) as api:
        output.each(names, _secrets(api, sandbox).delete, common)
    which = f"{names[0]} is removed. No request uses it" if len(names) == 1 else f"{', '.join(names)} are removed. No request uses them"
    output.done({"deleted": names[0] if len(names) == 1 else list(names)}, f"{which} any more.", common)


@app.command
def reauthorize(
    name: Secret,
    /,
    *,
    sandbox: Sandbox = None,
    device: Annotated[bool, Parameter(negative=(), help="enter a code on any device instead of opening a URL here")] = False,
    browser: Annotated[bool, Parameter(negative="--no-browser", help="open the URL")] = True,
    timeout: Annotated[float, Parameter(help="seconds to wait for the consent")] = 300.0,
    common: Common = DEFAULTS,
) -> None:
    """Ask for consent again, for an account whose consent was withdrawn; placeholders stay."""
    with client(common) as api:
        kept = expect(_secrets(api, sandbox).reauthorize(name, flow="device" if device else None), browser, timeout)
    output.done(kept, f"{kept.name} is connected again.", common)


@app.command
def add_machine(
    name: str,
    token_url: Annotated[str, Parameter(help="where tokens are fetched")],
    client_id: str,
    /,
    *source: values.Source,
    sandbox: Sandbox = None,
    expose: ExposeAs = None,
    host: Hosts = None,
    oauth_scope: Annotated[list[str] | None, Parameter(negative=(), help="a scope to ask for (repeat)")] = None,
    from_env: values.FromEnv = None,
    from_file: values.FromFile = None,
    value: values.Refused = None,
    common: Common = DEFAULTS,
) -> None:
    """Have the server fetch and renew tokens by client credentials; the client secret is asked for unless a source is named."""
    text = values.value(f"Client secret of {client_id}", source, value, from_env, from_file)
    with client(common) as api:
        kept = _secrets(api, sandbox).add_machine_oauth(
            name=name, token_url=token_url, client_id=client_id, client_secret=text, scopes=oauth_scope, expose_as_env=expose,
            allowed_hosts=host,
        )  # fmt: skip
    output.done(kept, _stored(kept, expose), common)


@app.command
def bind(
    name: Secret,
    variable: Annotated[str, Parameter(help="the variable that holds the placeholder")],
    /,
    *,
    sandbox: Sandbox = None,
    common: Common = DEFAULTS,
) -> None:
    """Expose a secret that is stored already to a sandbox."""
    with client(common) as api:
        made = _secrets(api, _needed(sandbox)).bind(name, expose_as_env=variable)
    output.done(made, f"Inside {sandbox}, ${variable} is a placeholder of {name} ({made.id}).", common)


@app.command
def bindings(sandbox: Sandbox = None, *, common: Common = DEFAULTS) -> None:
    """List which secrets are exposed where."""
    with client(common) as api:
        found = _secrets(api, sandbox).bindings()
    where = () if sandbox else ("sandbox",)
    cells = [
        (one.secret_name or one.secret_id, one.expose_as_env, *((one.resource_id,) if where else ()), one.inherited, one.id)
        for one in found
    ]
    output.rows(found, cells, ("secret", "variable", *where, "inherited", "id"), common, empty="No secret is exposed there.")


@app.command
def unbind(
    binding: Annotated[str, Parameter(help="id of a binding, or with --sandbox the name of its secret or its variable")],
    /,
    *,
    sandbox: Sandbox = None,
    common: Common = DEFAULTS,
) -> None:
    """Take a secret from a sandbox; the secret stays."""
    with client(common) as api:
        secrets = _secrets(api, sandbox)
        known = [] if sandbox is None else [one for one in secrets.bindings() if binding in (one.id, one.secret_name, one.expose_as_env)]
        chosen = known[0].id if known else binding
        secrets.unbind(chosen)
    output.done({"unbound": chosen}, f"{binding} is taken back; the secret stays.", common)


@app.command
def providers(*, common: Common = DEFAULTS) -> None:
    """List the accounts that this server can connect."""
    with client(common) as api:
        found = api.secrets.providers()
    cells = [(one.name, one.display_name, one.configured, one.flows, one.expose_as_env, one.hosts) for one in found]
    output.rows(found, cells, ("name", "called", "ready", "flows", "variable", "hosts"), common, empty="None.")


def _secrets(api: "Miosa", sandbox: str | None) -> "Secrets":
    return api.secrets if sandbox is None else api.sandboxes.get(sandbox).secrets


def _needed(sandbox: str | None) -> str:
    if sandbox is None:
        raise UsageError("say which sandbox with --sandbox NAME")
    return sandbox


def _stored(kept: Kept, expose: str | None) -> str:
    lines = [f"{kept.name} is stored."]
    if expose:
        lines.append(f"Inside, ${expose} is a placeholder.")
    if kept.bound_hosts:
        lines.append(f"It goes only to {', '.join(kept.bound_hosts)}.")
    elif kept.inert:
        lines.append("No host is bound to it yet, so it goes nowhere: set it again with --host HOST.")
    return " ".join(lines)
