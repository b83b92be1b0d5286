"""`openmiosa keys`: keys of this API."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from ..models import ApiKey
from . import complete, output
from .context import client
from .options import DEFAULTS, Common, UsageError

app = App(name="keys", help="Manage keys of this API.")

# What a key can be allowed; one that has it all is said so rather than listed.
ALL = {"audit:read", *(f"{noun}:{right}" for noun in ("sandboxes", "secrets", "network", "keys") for right in ("read", "write"))}

Key = Annotated[str, Parameter(completer=complete.keys, help="id of a key")]
Scopes = Annotated[list[str] | None, Parameter(name="--scope", negative=(), help="such as sandboxes:read (repeat)")]
Expires = Annotated[str | None, Parameter(help="when it ends (RFC 3339)")]


@app.command
def create(
    name: str,
    /,
    *,
    scope: Scopes = None,
    preset: Annotated[str | None, Parameter(help="a set of scopes with a name; `keys presets` lists them")] = None,
    external_user: Annotated[str | None, Parameter(help="your own user: the key sees what belongs to that one, and nothing else")] = None,
    expires_at: Expires = None,
    common: Common = DEFAULTS,
) -> None:
    """Make a key; it is printed once, and only its hash is kept. Without scopes it may do what your key may."""
    with client(common) as api:
        made = api.api_keys.create(name, scopes=scope, preset=preset, expires_at=expires_at, external_user_id=external_user)
    _hand_over(made, common)


@app.command(name="list")
def list_keys(*, common: Common = DEFAULTS) -> None:
    """List keys, without what opens anything."""
    with client(common) as api:
        found = api.api_keys.list().all()
    cells = [(one.id, one.name, one.prefix, _scopes(one), output.ago(one.last_used_at), one.expires_at) for one in found]
    output.rows(found, cells, ("id", "name", "starts", "scopes", "used", "expires"), common)


@app.command
def show(key: Key, /, *, common: Common = DEFAULTS) -> None:
    """Show all that may be known of a key."""
    with client(common) as api:
        found = api.api_keys.get(key)
    output.record(found, common)


@app.command
def update(
    key: Key,
    /,
    *,
    name: Annotated[str | None, Parameter(help="what it is called from now on")] = None,
    scope: Scopes = None,
    expires_at: Expires = None,
    common: Common = DEFAULTS,
) -> None:
    """Change a key's name, what it may do (never more than yours), or when it ends."""
    if name is None and scope is None and expires_at is None:
        raise UsageError("say what to change: --name, --scope or --expires-at")
    with client(common) as api:
        found = api.api_keys.update(key, name=name, scopes=scope, expires_at=expires_at)
    output.done(found, f"{found.name or found.id} is changed.", common)


@app.command
def rotate(key: Key, /, *, common: Common = DEFAULTS) -> None:
    """Give a key a new token, printed once; the old one opens nothing any more."""
    with client(common) as api:
        made = api.api_keys.rotate(key)
    _hand_over(made, common)


@app.command
def rm(*keys: Key, common: Common = DEFAULTS) -> None:
    """End keys at once."""
    if not keys:
        raise UsageError("name a key, by id")
    with client(common) as api:
        output.each(keys, api.api_keys.delete, common)
    ended = f"{keys[0]} opens" if len(keys) == 1 else f"{', '.join(keys)} open"
    output.done({"deleted": keys[0] if len(keys) == 1 else list(keys)}, f"{ended} nothing any more.", common)


@app.command
def events(key: Key, /, *, limit: Annotated[int, Parameter(help="at most so many, the newest")] = 50, common: Common = DEFAULTS) -> None:
    """List what was done to a key, oldest first."""
    with client(common) as api:
        found = list(reversed(output.first(api.api_keys.events(key, limit=min(limit, 1000)), limit)))
    cells = [(one.created_at, one.action, one.outcome, one.actor_id, one.ip_address) for one in found]
    output.rows(found, cells, ("time", "action", "outcome", "by", "from"), common, empty="Nothing was done to it.")


@app.command
def presets(*, common: Common = DEFAULTS) -> None:
    """List sets of scopes that have a name."""
    with client(common) as api:
        found = api.api_keys.presets()
    output.rows(found, [(one.name, one.scopes, one.description) for one in found], ("name", "scopes", "what for"), common)


@app.command
def save_preset(
    name: str,
    /,
    *,
    scope: Scopes = None,
    description: Annotated[str | None, Parameter(help="what it is for")] = None,
    common: Common = DEFAULTS,
) -> None:
    """Give a set of scopes a name."""
    if not scope:
        raise UsageError("name its scopes with --scope (repeat)")
    with client(common) as api:
        kept = api.api_keys.save_preset(name, scope, description=description)
    output.done(kept, f"`openmiosa keys create NAME --preset {name}` makes keys with {', '.join(kept.scopes)}.", common)


@app.command
def rm_preset(name: str, /, *, common: Common = DEFAULTS) -> None:
    """Forget a set of scopes; keys that were made with it stay as they are."""
    with client(common) as api:
        api.api_keys.delete_preset(name)
    output.done({"deleted": name}, f"{name} is forgotten.", common)


def _scopes(key: ApiKey) -> str:
    return "all" if set(key.scopes) >= ALL else ", ".join(key.scopes)


def _hand_over(made: ApiKey, common: Common) -> None:
    """The only time that a token is printed; alone on standard output, so that it can be piped to where it is kept."""
    if common.json:
        output.emit({**output.as_json(made), "token": made.token})
        return
    print("This key is shown once. Keep it where secrets are kept:", file=sys.stderr)
    print(made.token)
