"""`openmiosa sandbox ps`, `start`, `kill` and `logs`: what runs in the background."""

import sys
from typing import Annotated

from cyclopts import Parameter

from .._text import plain
from . import output
from .context import client
from .options import DEFAULTS, Box, Common, Folder, UsageError, Variables, variables

Pid = Annotated[int, Parameter(help="number of a process, as `ps` shows it")]


def ps(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """List the processes that were started in a sandbox, ended ones for a while too."""
    with client(common) as api:
        found = api.sandboxes.get(name).processes.list()
    cells = [(one.pid, one.name, one.status, one.exit_code, output.ago(one.started_at), one.command) for one in found]
    output.rows(found, cells, ("pid", "name", "status", "exit", "started", "command"), common, empty="Nothing was started.")


def start(
    name: Box,
    /,
    *command: Annotated[str, Parameter(help="after `--`: one word is a shell's line, several are run as they are")],
    label: Annotated[str | None, Parameter(name="--name", help="what the process is called")] = None,
    cwd: Folder = None,
    env: Variables = None,
    common: Common = DEFAULTS,
) -> None:
    """Start a command in the background."""
    if not command:
        raise UsageError("name a command after `--`")
    with client(common) as api:
        given = command[0] if len(command) == 1 else command
        made = api.sandboxes.get(name).processes.start(given, cwd=cwd, env=variables(env), name=label)
    output.done(made, f"Started as {made.pid}. `openmiosa sandbox logs {name} --pid {made.pid}` shows what it writes.", common)


def kill(name: Box, /, *pids: Pid, common: Common = DEFAULTS) -> None:
    """End background processes: TERM, and KILL after five seconds."""
    if not pids:
        raise UsageError(f"name a process; `openmiosa sandbox ps {name}` lists them")
    with client(common) as api:
        sandbox = api.sandboxes.get(name)
        output.each(map(str, pids), lambda pid: sandbox.processes.stop(int(pid)), common)
    output.done({"ended": list(pids)}, f"Ended: {', '.join(map(str, pids))}.", common)


def logs(
    name: Box,
    /,
    *,
    pid: Annotated[int | None, Parameter(help="only this process; default: all of them")] = None,
    lines: Annotated[int, Parameter(name=("--lines", "-n"), help="the last so many")] = 200,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative=(), help="go on with what is written from now on")] = False,
    common: Common = DEFAULTS,
) -> None:
    """Show what background processes wrote, and with --follow what they write."""
    with client(common) as api:
        sandbox = api.sandboxes.get(name)
        if follow:
            for text in sandbox.logs_stream() if pid is None else sandbox.processes.stream(pid):
                _say(text)
            return
        said = sandbox.logs(lines=lines) if pid is None else sandbox.processes.logs(pid, tail=lines)
    if common.json:
        output.emit({"logs": said})
        return
    for text in said.splitlines():
        _say(text)


def _say(text: str) -> None:
    """A line of theirs, escaped on a terminal and as it is elsewhere."""
    print(plain(text) if sys.stdout.isatty() else text, flush=True)
