"""`openmiosa sandbox exec` and `shell`: commands in a sandbox, at this terminal or with these streams."""

import sys
from typing import Annotated

from cyclopts import Parameter

from . import output
from .context import client
from .options import DEFAULTS, Box, Common, Folder, UsageError, Variables, variables


def execute(
    name: Box,
    /,
    *command: Annotated[str, Parameter(help="after `--`: one word is a shell's line, several are run as they are")],
    cwd: Folder = None,
    env: Variables = None,
    timeout: Annotated[float | None, Parameter(help="end it after so many seconds")] = None,
    stdin: Annotated[bool, Parameter(name=("--stdin", "-i"), negative=(), help="send it standard input")] = False,
    tty: Annotated[bool, Parameter(name=("--tty", "-t"), negative=(), help="at a terminal, which must be this one")] = False,
    common: Common = DEFAULTS,
) -> int:
    """Run a command; its output and exit code become those of this one."""
    if not command:
        raise UsageError("name a command after `--`, such as: openmiosa sandbox exec my-agent -- python agent.py")
    if tty:
        if timeout is not None or common.json:
            raise UsageError("--tty goes with neither --timeout nor --json")
        return shell(name, *command, cwd=cwd, env=env, common=common)
    given = command[0] if len(command) == 1 else command
    text = sys.stdin.read() if stdin else None
    with client(common) as api:
        sandbox = api.sandboxes.get(name)
        options = {"cwd": cwd, "env": variables(env), "timeout": timeout, "stdin": text}
        if common.json:
            result = sandbox.exec(given, **options)  # type: ignore[arg-type]
            output.emit(output.as_json(result))
            return result.exit_code
        for event in sandbox.exec_stream(given, **options):  # type: ignore[arg-type]
            if event.type == "exit":
                return event.exit_code or 0
            out = sys.stdout if event.type == "stdout" else sys.stderr
            out.write(event.data)
            out.flush()
    return 0


def shell(
    name: Box,
    /,
    *command: Annotated[str, Parameter(help="after `--`: what to run instead of a shell")],
    cwd: Folder = None,
    env: Variables = None,
    common: Common = DEFAULTS,
) -> int:
    """Open a terminal in a sandbox."""
    from .terminal import attach, line

    if not sys.stdin.isatty():
        raise UsageError("a shell needs a terminal; `openmiosa sandbox exec` does not")
    with client(common) as api:
        return attach(api.sandboxes.get(name), line(command), cwd, variables(env))
