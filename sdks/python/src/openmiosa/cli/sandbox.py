"""`openmiosa sandbox`: made, used and removed."""

from typing import Annotated

from cyclopts import App, Parameter

from . import output
from .context import client
from .options import DEFAULTS, Box, Boxes, Common, Tags, Template, UsageError, Variables, variables

app = App(name="sandbox", help="Create, use and remove sandboxes.")

for _name, _target, _help in (
    ("exec", "inside:execute", "Run a command; its output and exit code become those of this one."),
    ("shell", "inside:shell", "Open a terminal in a sandbox."),
    ("ps", "processes:ps", "List the processes that were started in a sandbox."),
    ("start", "processes:start", "Start a command in the background."),
    ("kill", "processes:kill", "End background processes."),
    ("logs", "processes:logs", "Show what background processes write."),
    ("files", "files:app", "List, make, remove and watch files; `openmiosa cp` copies them."),
    ("env", "env:app", "Set variables of a sandbox; not for secrets."),
    ("snapshots", "snapshots:app", "Keep the file system as it is, and start new sandboxes from it."),
    ("previews", "previews:app", "Reach a port of a sandbox."),
):
    app.command(f"openmiosa.cli.{_target}", name=_name, help=_help)

Seconds = Annotated[int | None, Parameter(help="how long it lives, in seconds")]
Idle = Annotated[int | None, Parameter(name="--idle-timeout", help="how long it lives without being used, in seconds")]
Metadata = Annotated[list[str] | None, Parameter(negative=(), help="NAME=VALUE to remember with it (repeat)")]
ExternalUser = Annotated[str | None, Parameter(help="your own user whom it belongs to")]


@app.command
def create(
    name: str | None = None,
    /,
    *,
    template: Template = None,
    env: Variables = None,
    size: Annotated[str | None, Parameter(help="xs, small, medium, large or xl")] = None,
    cpu: Annotated[int | None, Parameter(help="processors, instead of a size")] = None,
    memory: Annotated[int | None, Parameter(help="MiB of memory, instead of a size")] = None,
    disk: Annotated[int | None, Parameter(help="MiB of disk, instead of a size")] = None,
    timeout: Seconds = None,
    idle_timeout: Idle = None,
    ephemeral: Annotated[bool, Parameter(negative=(), help="destroyed, and not paused, when its time is over")] = False,
    tag: Tags = None,
    metadata: Metadata = None,
    external_user: ExternalUser = None,
    common: Common = DEFAULTS,
) -> None:
    """Create a sandbox and wait until commands can run in it."""
    with client(common) as api:
        made = api.sandboxes.create(
            name, template=template, env=variables(env), size=size, cpu_count=cpu, memory_mb=memory, disk_size_mb=disk, timeout_sec=timeout,
            idle_timeout_sec=idle_timeout, persistent=False if ephemeral else None, tags=tag, metadata=variables(metadata, "--metadata"),
            external_user_id=external_user,
        )  # fmt: skip
    output.done(made.info, f"{made.name or made.id} is {made.state} ({made.id}).", common)


@app.command(name="list")
def list_sandboxes(
    *,
    state: Annotated[str | None, Parameter(help="only those in this state")] = None,
    tag: Tags = None,
    external_user: ExternalUser = None,
    common: Common = DEFAULTS,
) -> None:
    """List sandboxes, the newest first."""
    with client(common) as api:
        found = [one.info for one in api.sandboxes.list(state=state, tags=tag, external_user_id=external_user)]
    cells = [(one.name, one.state, one.template_id, output.ago(one.created_at), one.id) for one in found]
    empty = "No sandboxes. `openmiosa sandbox create NAME` makes one."
    output.rows(found, cells, ("name", "state", "template", "created", "id"), common, empty=empty)


@app.command
def show(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """Show all that is known of a sandbox."""
    with client(common) as api:
        info = api.sandboxes.get(name).info
    output.record(info, common)


@app.command
def usage(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """Show how long a sandbox has lived, what it may use and what it uses."""
    with client(common) as api:
        sandbox = api.sandboxes.get(name)
        said = (sandbox.usage(), sandbox.metrics())
    # What this version does not know is for programs.
    known = {name: value for one in said for name, value in output.as_json(one).items() if common.json or name not in one.unknown}
    output.record(known, common)


@app.command
def rm(*names: Boxes, common: Common = DEFAULTS) -> None:
    """Destroy sandboxes with all that is in them."""
    if not names:
        raise UsageError("name a sandbox")
    with client(common) as api:
        output.each(names, api.sandboxes.delete, common)
    output.done({"destroyed": list(names)}, f"Destroyed: {', '.join(names)}.", common)


@app.command
def pause(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """Stop a sandbox's processes where they are."""
    _do("pause", name, common)


@app.command
def resume(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """Let a sandbox's processes go on."""
    _do("resume", name, common)


@app.command
def stop(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """End a sandbox's processes and keep its files; `resume` starts it again."""
    _do("stop", name, common)


@app.command
def extend(name: Box, seconds: int, /, *, common: Common = DEFAULTS) -> None:
    """Let a sandbox live this much longer, in seconds from now."""
    with client(common) as api:
        info = api.sandboxes.get(name).extend(seconds).info
    output.done(info, f"{name} lives for {seconds} s from now.", common)


@app.command
def fork(
    name: Box,
    new: Annotated[str | None, Parameter(help="what the copy is called")] = None,
    /,
    *,
    snapshot: Annotated[str | None, Parameter(help="its files as this snapshot has them; default: as they are")] = None,
    timeout: Seconds = None,
    common: Common = DEFAULTS,
) -> None:
    """Make a copy of a sandbox's files; processes, secrets and rules stay behind."""
    with client(common) as api:
        made = api.sandboxes.get(name).fork(name=new, snapshot_id=snapshot, timeout_sec=timeout)
    output.done(made.info, f"{made.name or made.id} is {made.state}, with the files of {name} ({made.id}).", common)


@app.command
def update(
    name: Box,
    /,
    *,
    new_name: Annotated[str | None, Parameter(name="--name", help="what it is called from now on")] = None,
    tag: Tags = None,
    metadata: Metadata = None,
    timeout: Seconds = None,
    idle_timeout: Idle = None,
    always_on: Annotated[bool | None, Parameter(help="whether it is spared when its time is over")] = None,
    common: Common = DEFAULTS,
) -> None:
    """Change what is said of a sandbox, or how long it lives; what is not given stays."""
    fields = {"name": new_name, "tags": tag, "timeout_sec": timeout, "idle_timeout_sec": idle_timeout, "always_on": always_on}
    given = {field: value for field, value in {**fields, "metadata": variables(metadata, "--metadata")}.items() if value is not None}
    if not given:
        raise UsageError("say what to change: --name, --tag, --metadata, --timeout, --idle-timeout or --always-on")
    with client(common) as api:
        info = api.sandboxes.get(name).update(**given).info  # type: ignore[arg-type]
    output.done(info, f"{info.name or info.id} is changed.", common)


def _do(action: str, name: str, common: Common) -> None:
    with client(common) as api:
        info = getattr(api.sandboxes.get(name), action)().info
    output.done(info, f"{name} is {info.state}.", common)
