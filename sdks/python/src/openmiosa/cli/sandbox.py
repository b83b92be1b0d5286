"""`openmiosa sandbox`: made, used and removed."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from . import output
from .context import client
from .options import DEFAULTS, Box, Common, Folder, Template, UsageError, Variables, variables

app = App(name="sandbox", help="Create, use and remove sandboxes.")


@app.command
def create(
    name: str | None = None,
    /,
    *,
    template: Template = None,
    env: Variables = None,
    size: Annotated[str | None, Parameter(help="xs, small, medium, large or xl")] = None,
    common: Common = DEFAULTS,
) -> None:
    """Create a sandbox and wait until commands can run in it."""
    with client(common) as api:
        made = api.sandboxes.create(name, template=template, env=variables(env), size=size)
    output.done(made.info, f"{made.name or made.id} is {made.state} ({made.id}).", common)


@app.command(name="list")
def list_sandboxes(*, state: Annotated[str | None, Parameter(help="only those in this state")] = None, common: Common = DEFAULTS) -> None:
    """List sandboxes."""
    with client(common) as api:
        found = [one.info for one in api.sandboxes.list(state=state)]
    cells = [(one.name, one.state, one.template_id, output.ago(one.created_at), one.id) for one in found]
    empty = "No sandboxes. `openmiosa sandbox create NAME` makes one."
    output.rows(found, cells, ("name", "state", "template", "created", "id"), common, empty=empty)


@app.command
def rm(*names: Box, common: Common = DEFAULTS) -> None:
    """Destroy sandboxes with all that is in them."""
    if not names:
        raise UsageError("name a sandbox")
    with client(common) as api:
        for name in names:
            api.sandboxes.delete(name)
    output.done({"destroyed": list(names)}, f"Destroyed: {', '.join(names)}.", common)


@app.command
def pause(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """Stop a sandbox's processes where they are."""
    with client(common) as api:
        info = api.sandboxes.get(name).pause().info
    output.done(info, f"{name} is {info.state}.", common)


@app.command
def resume(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """Let a sandbox's processes go on."""
    with client(common) as api:
        info = api.sandboxes.get(name).resume().info
    output.done(info, f"{name} is {info.state}.", common)


@app.command(name="exec")
def execute(
    name: Box,
    /,
    *command: Annotated[str, Parameter(help="after `--`: one word is a shell's line, several are run as they are")],
    cwd: Folder = None,
    env: Variables = None,
    timeout: Annotated[float | None, Parameter(help="end it after so many seconds")] = None,
    stdin: Annotated[bool, Parameter(name=("--stdin", "-i"), negative=(), help="send it standard input")] = False,
    common: Common = DEFAULTS,
) -> int:
    """Run a command; its output and exit code become those of this one."""
    if not command:
        raise UsageError("name a command after `--`, such as: openmiosa sandbox exec my-agent -- python agent.py")
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


@app.command
def shell(
    name: Box,
    /,
    *command: Annotated[str, Parameter(help="after `--`: what to run instead of a shell")],
    cwd: Folder = None,
    env: Variables = None,
    common: Common = DEFAULTS,
) -> int:
    """Open a terminal in a sandbox."""
    import shlex

    from .terminal import attach

    if not sys.stdin.isatty():
        raise UsageError("a shell needs a terminal; `openmiosa sandbox exec` does not")
    with client(common) as api:
        sandbox = api.sandboxes.get(name)
        line = None if not command else command[0] if len(command) == 1 else shlex.join(command)
        return attach(sandbox, line, cwd, variables(env))
