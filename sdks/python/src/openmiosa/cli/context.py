"""Which server, with which key: the context file, the environment, and the commands that look at it."""

import contextlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from .. import _settings
from ..errors import ConfigurationError
from . import complete, output, values
from .options import DEFAULTS, Common, UsageError

if TYPE_CHECKING:
    from .._sync.client import Miosa

SHOWN = 12
NO_SERVER = "no server is known: run `openmiosa up`, or `openmiosa context add`, or set MIOSA_API_KEY and MIOSA_BASE_URL"

app = App(name="context", help="Choose between servers.")

Known = Annotated[str, Parameter(completer=complete.contexts)]


class NoServer(ConfigurationError):
    """Nothing says which server is meant."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server and the key for it."""

    base_url: str
    api_key: str
    source: str

    def __repr__(self) -> str:
        return f"Place({self.base_url!r}, from {self.source})"


@contextlib.contextmanager
def client(common: Common) -> Iterator["Miosa"]:
    """A client for the place that the command line means."""
    from .._sync.client import Miosa

    chosen = place(common.context)
    with Miosa(chosen.api_key, chosen.base_url, timeout=60.0) as made:
        yield made


def place(name: str | None = None) -> Place:
    """The named context; else the environment, whose variables win; else the current context."""
    contexts = read()
    if name is not None:
        if name not in contexts["contexts"]:
            raise ConfigurationError(f"there is no context {name!r}; `openmiosa context list` shows those there are")
        return _of(contexts, name)
    key, base = os.environ.get("MIOSA_API_KEY"), os.environ.get("MIOSA_BASE_URL")
    current = _of(contexts, contexts["current"]) if contexts["current"] in contexts["contexts"] else None
    if key:
        return Place(base or (current.base_url if current else _settings.DEFAULT_BASE_URL), key, "MIOSA_API_KEY")
    if base:
        # A key is for one server; the current context's is not shown to another.
        matching = [one for one in contexts["contexts"] if _settings.base_url(_of(contexts, one).base_url) == _settings.base_url(base)]
        if not matching:
            raise ConfigurationError(f"MIOSA_BASE_URL is set to {base} and no key for it is known: set MIOSA_API_KEY as well")
        return _of(contexts, matching[0])
    if current is None:
        raise NoServer(NO_SERVER)
    return current


def path() -> Path:
    """Where the contexts are kept."""
    if named := os.environ.get("OPENMIOSA_CONTEXTS"):
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "openmiosa", "contexts.json")


def read() -> dict[str, Any]:
    """The context file; an empty one when there is none."""
    file = path()
    try:
        held = json.loads(file.read_text())
    except FileNotFoundError:
        return {"v": 1, "current": None, "contexts": {}}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read ({error}): mend or remove it") from error
    if not isinstance(held, dict) or held.get("v") != 1 or not isinstance(held.get("contexts"), dict):
        raise ConfigurationError(f"{file} is not a context file of this version: remove it, or use the `openmiosa` that wrote it")
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        print(f"Warning: others can read {file}, which holds keys: chmod 600 {file}", file=sys.stderr)
    held.setdefault("current", None)
    return held


def _of(contexts: dict[str, Any], name: str) -> Place:
    one = contexts["contexts"][name]
    try:
        return Place(one["base_url"], one["api_key"], f"context {name}")
    except (KeyError, TypeError):
        raise ConfigurationError(f"context {name!r} in {path()} lacks base_url or api_key") from None


@app.command(name="list")
def list_contexts(*, common: Common = DEFAULTS) -> None:
    """List the servers that are known."""
    held = read()
    rows = [
        {"current": name == held["current"], "name": name, "base_url": _of(held, name).base_url, "key": _short(_of(held, name).api_key)}
        for name in sorted(held["contexts"])
    ]
    cells = [("*" if row["current"] else "", row["name"], row["base_url"], row["key"]) for row in rows]
    output.rows(rows, cells, ("", "name", "server", "key"), common, empty="No server is known. The first `openmiosa up` writes one here.")


@app.command
def use(name: Known, /, *, common: Common = DEFAULTS) -> None:
    """Make a context the current one."""
    held = _with(name)
    _write({**held, "current": name})
    output.done({"current": name}, f"Commands now go to '{name}', {_of(held, name).base_url}.", common)


@app.command
def add(
    name: str,
    base_url: Annotated[str, Parameter(help="such as https://miosa.example.com")],
    /,
    *source: values.Source,
    from_env: values.FromEnv = None,
    from_file: values.FromFile = None,
    value: values.Refused = None,
    use: Annotated[bool, Parameter(negative=(), help="make it the current one")] = False,
    force: Annotated[bool, Parameter(negative=(), help="replace a context of that name")] = False,
    common: Common = DEFAULTS,
) -> None:
    """Remember a server and its key; the key is asked for unless a source is named."""
    held = read()
    if name in held["contexts"] and not force:
        raise UsageError(f"there is a context {name!r} already; --force replaces it")
    base = _settings.base_url(base_url)
    key = _settings.api_key(values.value(f"API key for {base}", source, value, from_env, from_file))
    current = name if use or held["current"] is None else held["current"]
    _write({**held, "current": current, "contexts": {**held["contexts"], name: {"base_url": _settings.server_url(base), "api_key": key}}})
    now = " Commands now go there." if current == name else f" `openmiosa context use {name}` makes it the current one."
    output.done({"name": name, "base_url": base, "current": current == name}, f"'{name}' is remembered.{now}", common)


@app.command
def rename(name: Known, new: str, /, *, common: Common = DEFAULTS) -> None:
    """Call a context something else."""
    held = _with(name)
    if new in held["contexts"]:
        raise UsageError(f"there is a context {new!r} already")
    kept = {new if one == name else one: place for one, place in held["contexts"].items()}
    _write({**held, "current": new if held["current"] == name else held["current"], "contexts": kept})
    output.done({"name": new}, f"'{name}' is now called '{new}'.", common)


@app.command
def rm(name: Known, /, *, common: Common = DEFAULTS) -> None:
    """Forget a context; the server and its key stay as they are."""
    held = _with(name)
    kept = {one: place for one, place in held["contexts"].items() if one != name}
    current = None if held["current"] == name else held["current"]
    _write({**held, "current": current, "contexts": kept})
    left = "" if current else " No context is the current one now: `openmiosa context use NAME` chooses."
    output.done({"forgotten": name}, f"'{name}' is forgotten. Its key still works: `openmiosa keys rm` ends it.{left}", common)


@app.command
def show(
    name: Annotated[str | None, Parameter(completer=complete.contexts, help="default: what commands use now")] = None,
    /,
    *,
    common: Common = DEFAULTS,
) -> None:
    """Show which server and key a command would use, and why."""
    chosen = place(name or common.context)
    fields = {"base_url": _settings.base_url(chosen.base_url), "key": _short(chosen.api_key), "source": chosen.source, "file": str(path())}
    output.record(fields, common)


def _with(name: str) -> dict[str, Any]:
    """The context file, which has this context."""
    held = read()
    if name not in held["contexts"]:
        raise UsageError(f"there is no context {name!r}; `openmiosa context list` shows those there are")
    return held


def _write(held: dict[str, Any]) -> None:
    """Replace the context file in one step; it holds keys, so nobody else may read it."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(held, out, indent=1)
        out.write("\n")
    draft.replace(file)


def _short(key: str) -> str:
    return key[:SHOWN] + "…" if len(key) > 2 * SHOWN else "…"
