"""The commands of the server's own machine, found by the `openmiosa` CLI: up, config, template, host.

Each takes its arguments and returns an exit code: 0 done, 1 refused, 2 usage or bad configuration, 3 could not start.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .. import settings as configuration
from ..errors import OpenMiosaError
from ..templates import TemplateStore
from ..templates.build import build
from . import layout
from .ephemeral import ephemeral
from .programs import CouldNotStart, binary
from .up import Request, say
from .up import up as run_up


def up(argv: list[str]) -> int:
    """Start server, egressd and cell, and keep them running until Ctrl-C."""
    parser = _parser("up", up.__doc__)
    parser.add_argument(
        "--ephemeral",
        action="store_true",
        help="for tests and other programs: a state folder and a port of its own, one line of JSON on stdout "
        "(base_url, api_key, state) when it serves, and an end without traces when stdin closes",
    )
    parser.add_argument("--context", default="local", help="name of the CLI context that the first start writes (default: local)")
    asked = parser.parse_args(argv)
    if asked.ephemeral:
        return _guarded(lambda: asyncio.run(ephemeral(asked.config)))
    return _guarded(lambda: asyncio.run(run_up(Request(asked.state, _config(asked), asked.context))))


def config(argv: list[str]) -> int:
    """Show every setting in force and where it comes from; values of secrets are not shown."""
    parser = _parser("config", config.__doc__)
    parser.add_argument("--json", action="store_true", help="as JSON")
    asked = parser.parse_args(argv)
    return _guarded(lambda: _show(asked))


def _show(asked: argparse.Namespace) -> int:
    rows = configuration.describe(configuration.load(_config(asked), asked.state))
    if asked.json:
        say(json.dumps([{"setting": key, "value": value, "source": source} for key, value, source in rows], indent=1, default=str))
        return 0
    width = max(len(key) for key, _, _ in rows)
    for key, value, source in rows:
        say(f"{key:<{width}}  {value}  ({source})")
    return 0


def template(argv: list[str]) -> int:
    """Build, list and remove templates: layers of pip packages that sandboxes see under /usr."""
    parser = _parser("template", template.__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    make = actions.add_parser("build", help="build a template NAME with pip packages (binary wheels)")
    make.add_argument("name")
    make.add_argument(
        "--pip", action="append", default=[], metavar="PACKAGE", help="a package, with a version if you like; repeat for more"
    )
    make.add_argument("--replace", action="store_true", help="build it anew when it exists")
    actions.add_parser("list", help="list the templates")
    actions.add_parser("rm", help="remove a template").add_argument("name")
    asked = parser.parse_args(argv)
    return _guarded(lambda: _template(asked))


def _template(asked: argparse.Namespace) -> int:
    places = layout.layout(asked.state)
    layout.prepare(places)
    settings = configuration.load(_config(asked), places.state)
    store = TemplateStore(places.templates, settings.sandboxes.default_template)
    if asked.action == "build":
        made = build(store, asked.name, asked.pip, replace=asked.replace)
        say(f"Template '{made.id}' is ready (Python {made.python}; {', '.join(made.packages) or 'no packages'}).")
        say(f"Use it:  openmiosa sandbox create my-agent --template {made.id}")
    elif asked.action == "rm":
        store.remove(asked.name)
        say(f"Template '{asked.name}' is removed.")
    else:
        for known in store.all():
            say(f"{known.id:<24} {', '.join(known.packages) or '-'}")
    return 0


def host(argv: list[str]) -> int:
    """Say what this machine's kernel offers for sandboxes, what is missing, and how to mend it."""
    parser = argparse.ArgumentParser("openmiosa host", description=host.__doc__)
    parser.add_argument("--json", action="store_true", help="as JSON")
    asked = parser.parse_args(argv)
    return _guarded(lambda: subprocess.run([binary("cell"), "check", *(["--json"] if asked.json else [])], check=False).returncode)


def _config(asked: argparse.Namespace) -> Path:
    return configuration.config_file(str(asked.config) if asked.config else None, asked.state)


def _parser(name: str, description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"openmiosa {name}", description=description)
    parser.add_argument("--state", type=Path, default=configuration.state_folder(), help="state folder (default: %(default)s)")
    parser.add_argument(
        "--config", type=Path, default=None, help="configuration file (default: OPENMIOSA_CONFIG, else openmiosa.toml in the state folder)"
    )
    return parser


def _guarded(work: Callable[[], int]) -> int:
    """Turn what a person can mend into one message and an exit code."""
    try:
        return work()
    except configuration.BadSettings as error:
        return _fail(2, error)
    except OpenMiosaError as error:
        return _fail(1, error)
    except BrokenPipeError:
        # Whoever read our output has read enough (`| head`); the interpreter must not complain on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (CouldNotStart, OSError) as error:
        return _fail(3, error)


def _fail(code: int, error: Exception) -> int:
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    named = {"up": up, "config": config, "template": template, "host": host}
    if len(sys.argv) < 2 or sys.argv[1] not in named:
        sys.exit(f"usage: python -m openmiosa_server.supervise.commands {'|'.join(named)} …")
    sys.exit(named[sys.argv[1]](sys.argv[2:]))
