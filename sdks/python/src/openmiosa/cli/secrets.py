"""`openmiosa secrets`: values go in and never come out."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ..models import Secret
from . import output, values
from .context import client
from .options import DEFAULTS, Common, ExposeAs, Sandbox

if TYPE_CHECKING:
    from .._sync.client import Miosa
    from .._sync.secrets import Secrets

app = App(name="secrets", help="Store, rotate and remove secrets; values never show again.")

Hosts = Annotated[list[str] | None, Parameter(name="--host", negative=(), help="a host that may receive it (repeat; *.suffix works)")]


@app.command(name="set")
def set_secret(
    name: str,
    /,
    *source: values.Source,
    sandbox: Sandbox = None,
    expose: ExposeAs = None,
    host: Hosts = None,
    scope: Annotated[str | None, Parameter(help="without a sandbox: tenant (default), user, workspace …")] = None,
    from_env: values.FromEnv = None,
    from_file: values.FromFile = None,
    value: values.Refused = None,
    common: Common = DEFAULTS,
) -> None:
    """Store a value, or replace it; it is asked for unless a source is named."""
    text = values.value(f"Value of {name}", source, value, from_env, from_file)
    with client(common) as api:
        kept = _secrets(api, sandbox).set(
            name=name, value=text, expose_as_env=expose, allowed_hosts=host, scope=scope or ("user" if sandbox else "tenant")
        )
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
def rotate(
    name: str,
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
def rm(name: str, /, *, sandbox: Sandbox = None, common: Common = DEFAULTS) -> None:
    """Remove a secret and its bindings."""
    with client(common) as api:
        _secrets(api, sandbox).delete(name)
    output.done({"deleted": name}, f"{name} is removed. No request uses it any more.", common)


def _secrets(api: "Miosa", sandbox: str | None) -> "Secrets":
    return api.secrets if sandbox is None else api.sandboxes.get(sandbox).secrets


def _stored(kept: Secret, expose: str | None) -> str:
    lines = [f"{kept.name} is stored."]
    if expose:
        lines.append(f"Inside, ${expose} is a placeholder.")
    if kept.bound_hosts:
        lines.append(f"It goes only to {', '.join(kept.bound_hosts)}.")
    elif kept.inert:
        lines.append("No host is bound to it yet, so it goes nowhere: set it again with --host HOST.")
    return " ".join(lines)
