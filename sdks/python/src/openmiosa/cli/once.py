"""`openmiosa run`: one command, in a sandbox made for it."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from . import complete
from .options import DEFAULTS, Common, Template, UsageError, Variables

if TYPE_CHECKING:
    from .gather import Gathered
    from .given import Given

Many = Annotated[tuple[str, ...], Parameter(negative=())]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What it may use, and where it may go."""

    secret: Annotated[
        Many, Parameter(help="NAME=@env:VARIABLE, @file:PATH, @-, @ask or @stored (repeat); :HOST,HOST may follow", show_default=False)
    ] = ()
    secret_host: Annotated[Many, Parameter(help="NAME=HOST,HOST that may receive it (repeat)", show_default=False)] = ()
    secret_as: Annotated[Many, Parameter(help="NAME=VARIABLE that holds its placeholder inside (repeat)", show_default=False)] = ()
    connect: Annotated[
        Many, Parameter(completer=complete.providers, help="an account such as github, by consent (repeat)", show_default=False)
    ] = ()
    allow: Annotated[
        Many,
        Parameter(
            help="a host that may be called (repeat, or HOST,HOST), all others are refused; without it calls are only recorded",
            show_default=False,
        ),
    ] = ()


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the sandbox has."""

    template: Template = None
    pip: Annotated[
        Many, Parameter(help="a Python package to have inside (repeat); fetched here, so the sandbox needs no index", show_default=False)
    ] = ()
    env: Variables = None
    name: Annotated[str | None, Parameter(help="what the sandbox is called")] = None
    size: Annotated[str | None, Parameter(help="xs, small, medium, large or xl")] = None
    cwd: Annotated[str | None, Parameter(name=("--cwd", "-C"), help="where the command runs; default: /workspace")] = None
    keep: Annotated[bool, Parameter(negative=(), help="leave the sandbox there at the end")] = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Which files go in, and which come out."""

    folder: Annotated[
        Path, Parameter(name=("--folder", "-f"), help="what /workspace starts with; default: this folder", show_default=False)
    ] = Path()
    no_upload: Annotated[bool, Parameter(negative=(), help="start with an empty /workspace")] = False
    include: Annotated[
        Many, Parameter(help="send this too, though git ignores it or it looks like credentials (repeat; globs)", show_default=False)
    ] = ()
    exclude: Annotated[Many, Parameter(help="leave this out (repeat; globs)", show_default=False)] = ()
    max_size: Annotated[str | None, Parameter(help="send a folder of up to this size; default: 256M")] = None
    sync_back: Annotated[
        bool, Parameter(name=("--sync-back", "-o"), negative=(), help="bring changed and new files back; none are deleted")
    ] = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How it is shown."""

    audit: Annotated[
        Literal["live", "summary", "none"],
        Parameter(help="calls as they happen and a table at the end, the table alone, or neither"),
    ] = "live"
    tty: Annotated[
        bool | None, Parameter(name=("--tty", "-t"), negative="--no-tty", help="a terminal for the command; default: when this is one")
    ] = None
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative=(), help="say nothing but what the command says and what fails")] = (
        False
    )
    timeout: Annotated[float | None, Parameter(help="end it after so many seconds, with exit code 124")] = None


def run(
    *command: Annotated[str, Parameter(help="after `--`: one word is a shell's line, several are run as they are")],
    credentials: Credentials = Credentials(),
    inside: Inside = Inside(),
    files: Folder = Folder(),
    shown: Shown = Shown(),
    common: Common = DEFAULTS,
) -> int:
    """Run a command in a sandbox made of the current folder; its exit code becomes that of this one.

    The folder's files are in /workspace, without what git ignores and what looks like credentials. Secrets are placeholders
    inside and go out only to their hosts. At the end the sandbox is gone; changed files come back with --sync-back alone.

    Ctrl-C goes to the command; a second one within two seconds ends everything, with 130. A command that a signal ended gives
    128 and the signal's number. Where no server is known, one is started for the run if openmiosa-server is installed.
    """
    from . import given

    if not command:
        raise UsageError("name a command after `--`, such as: openmiosa run --allow api.openai.com -- python agent.py")
    secrets = given.secrets(credentials.secret, credentials.secret_host, credentials.secret_as)
    found = _gathered(files, secrets) if not files.no_upload else None
    if files.sync_back and found is None:
        raise UsageError("--sync-back and --no-upload contradict each other")
    from .borrowed import server
    from .endings import unwinding
    from .errand import Errand

    with unwinding(signal.SIGTERM, signal.SIGHUP, signal.SIGALRM), server(common) as place:
        return Errand(place, command, secrets, found, credentials, inside, files, shown, common).run()


def _gathered(files: Folder, secrets: "list[Given]") -> "Gathered":
    from . import gather

    folder = files.folder.expanduser().resolve()
    gather.check_folder(folder)
    found = gather.gather(folder, files.include, files.exclude)
    gather.check_size(found, gather.size_of(files.max_size) if files.max_size else None)
    gather.check_values(found, {one.name: one.value for one in secrets if one.value})
    return found
