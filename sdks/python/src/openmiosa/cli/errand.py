"""The life of one run: a sandbox is made, filled, bound and locked down, the command runs, and all of it is taken down again."""

import contextlib
import io
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._sync.client import Miosa
from .._sync.sandboxes import Sandbox
from .._text import plain
from ..errors import MiosaError, NotFoundError, TransportError
from ..models import Event
from . import archive, beneath, gather, output, packages, syncback, terminal
from .borrowed import OWN
from .connect import expect
from .context import Place
from .endings import Ended, handled
from .gather import Gathered
from .given import Given
from .options import Common, UsageError, variables
from .progress import bar
from .screen import Screen, coloured

if TYPE_CHECKING:
    from .once import Credentials, Folder, Inside, Shown

WORKSPACE = "/workspace"
# If we are killed, or the way to the server breaks, a sandbox that nobody talks to ends after this.
NET_SECONDS = 300
TIMED_OUT = 124
CONSENT_SECONDS = 300.0
PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class Errand:
    """Everything that the command line asked for."""

    place: Place
    command: Sequence[str]
    secrets: list[Given]
    found: Gathered | None
    credentials: "Credentials"
    inside: "Inside"
    files: "Folder"
    shown: "Shown"
    common: Common
    sent: syncback.Known = field(default_factory=dict)

    def run(self) -> int:
        """From nothing to nothing; gives the exit code."""
        with Miosa(self.place.api_key, self.place.base_url, timeout=60.0) as api:
            sandbox = self._make(api)
            try:
                self._prepare(api, sandbox)
                return self._perform(sandbox)
            except Ended as ended:
                if ended.number != signal.SIGALRM:
                    return 128 + ended.number
                self._say(f"Ended after {self.shown.timeout:g} s (--timeout).")
                return TIMED_OUT
            finally:
                self._take_down(sandbox)

    def _make(self, api: Miosa) -> Sandbox:
        net: dict[str, Any] = {} if self.inside.keep else {"persistent": False, "idle_timeout_sec": NET_SECONDS}
        wanted = self.inside
        return api.sandboxes.create(
            wanted.name, template=wanted.template, env=variables(wanted.env), size=wanted.size, metadata={"made_by": "openmiosa run"}, **net
        )

    def _prepare(self, api: Miosa, sandbox: Sandbox) -> None:
        """Files, packages, credentials and rules, in this order: what is sent in is there before anything may go out."""
        said = [f"Sandbox {sandbox.name or sandbox.id}"]
        if self.found is not None and self.found.names:
            size = gather.readable(self.found.size)
            self.sent = syncback.remember(self.found)
            with bar("sending", self.found.size) as progress:
                archive.send(sandbox, self.found.folder, self.found.names, WORKSPACE, progress)
            said.append(f"{len(self.found.names)} file{'s' * (len(self.found.names) != 1)} ({size})")
        if self.inside.pip:
            with bar("installing", None) as progress:
                packages.install(sandbox, list(self.inside.pip), progress)
            said.append(", ".join(self.inside.pip))
        self._say(f"{said[0]} with {', '.join(said[1:]) or 'an empty folder'}.")
        if self.found is not None and self.found.withheld:
            left = ", ".join(self.found.withheld[:5]) + (" and more" if len(self.found.withheld) > 5 else "")
            self._say(f"Left out, since they look like credentials: {left} (--include sends them).")
        for secret in self.secrets:
            self._store(api, sandbox, secret)
        for provider in self.credentials.connect:
            self._connect(api, sandbox, provider)
        self._restrict(sandbox)

    def _store(self, api: Miosa, sandbox: Sandbox, one: Given) -> None:
        if one.value is None:
            held = api.secrets.get(one.name)
            sandbox.secrets.bind(held.id, expose_as_env=one.variable)
        else:
            hosts = list(one.hosts) or None
            held = sandbox.secrets.set(name=one.name, value=one.value, expose_as_env=one.variable, allowed_hosts=hosts)
        if held.inert or not held.bound_hosts:
            self._say(
                f"${one.variable} is a placeholder of {one.name} that goes nowhere yet: name its hosts with --secret-host {one.name}=HOST."
            )
        else:
            self._say(f"${one.variable} is a placeholder; {one.name} goes only to {', '.join(held.bound_hosts)}.")

    def _connect(self, api: Miosa, sandbox: Sandbox, spec: str) -> None:
        """An account that is connected already is used again; else a person consents once, and it stays connected."""
        name, _, variable = spec.partition(":")
        known = {one.name: one for one in api.secrets.providers()}
        if name not in known:
            raise UsageError(f"this server knows no provider {name!r}; it knows {', '.join(sorted(known)) or 'none'}")
        chosen = variable or str(
            known[name].unknown.get("expose_as_env") or getattr(known[name], "expose_as_env", None) or f"{name}_TOKEN".upper()
        )
        try:
            held = api.secrets.get(f"{name}_token")
        except NotFoundError:
            held = None
        if held is None or held.status != "ready":
            asked = api.secrets.connect(name, scope="tenant")
            held = expect(asked, browser=True, timeout=CONSENT_SECONDS)
        sandbox.secrets.bind(held.id, expose_as_env=chosen)
        self._say(f"${chosen} is a placeholder for the connected account {held.name}.")

    def _restrict(self, sandbox: Sandbox) -> None:
        hosts = [host for given in self.credentials.allow for host in given.split(",") if host]
        if hosts:
            sandbox.network.lockdown(hosts)
            self._say(f"Locked down to {', '.join(hosts)}.")
        else:
            self._say("No --allow: every call is recorded and none is blocked.")

    def _perform(self, sandbox: Sandbox) -> int:
        tty = self.shown.tty if self.shown.tty is not None else sys.stdin.isatty() and sys.stdout.isatty() and not self.common.json
        if tty and not sys.stdin.isatty():
            raise UsageError("--tty needs a terminal as standard input")
        screen = _Kept() if self.common.json else Screen(raw=tty)
        watch = beneath.Beneath(self.place, sandbox.id, screen, live=self.shown.audit == "live" and not self.shown.quiet)
        watch.start()
        takes_input = not any(one.kind == "-" for one in self.secrets)
        if self.shown.timeout is not None:
            signal.setitimer(signal.ITIMER_REAL, self.shown.timeout)
        try:
            line = terminal.line(self.command)
            code = terminal.attach(sandbox, line, self._cwd(), None, tty=tty, stdin=takes_input, screen=screen, ends=True)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self.files.sync_back:
                self._bring_back(sandbox)
        finally:
            # Also when it was interrupted: what it called until then is worth a table.
            signal.setitimer(signal.ITIMER_REAL, 0)
            screen.close()
            events = _listed(watch, sandbox)
            if self.shown.audit != "none" and not self.shown.quiet and not self.common.json:
                beneath.summary(events)
        if isinstance(screen, _Kept):
            self._emit(sandbox, code, events, screen)
        return code

    def _cwd(self) -> str:
        wanted = self.inside.cwd or WORKSPACE
        return wanted if wanted.startswith("/") else f"{WORKSPACE}/{wanted}"

    def _bring_back(self, sandbox: Sandbox) -> None:
        assert self.found is not None
        back = syncback.sync_back(sandbox, self.found.folder, self.sent, WORKSPACE)
        for names, what in ((back.written, "Brought back"), (back.aside, "Not replaced, so beside it")):
            if names:
                self._say(f"{what}: {', '.join(names)}.")

    def _emit(self, sandbox: Sandbox, code: int, events: list[Event], screen: "_Kept") -> None:
        known = {"sandbox": sandbox.id, "name": sandbox.name, "exit_code": code, "kept": self.inside.keep}
        calls = {"hosts": [one.as_json() for one in beneath.by_host(events)], "events": [output.as_json(one) for one in events]}
        output.emit({**known, "stdout": screen.text("stdout"), "stderr": screen.text("stderr"), **calls})

    def _take_down(self, sandbox: Sandbox) -> None:
        """The end, whatever came before; a further Ctrl-C leaves it to the net."""
        if self.inside.keep:
            self._say(
                f"Kept: openmiosa sandbox shell {sandbox.name or sandbox.id}; openmiosa sandbox rm {sandbox.name or sandbox.id} ends it."
            )
            return
        with contextlib.ExitStack() as quiet:
            for number in (signal.SIGTERM, signal.SIGHUP):
                quiet.enter_context(handled(number, signal.SIG_IGN))
            try:
                self._destroy(sandbox)
            except (MiosaError, KeyboardInterrupt) as error:
                why = plain(str(error)) or "interrupted"
                left = f"Sandbox {sandbox.id} could not be ended now ({why}); it ends by itself {NET_SECONDS // 60} minutes from now."
                print(output.wrapped(left), file=sys.stderr)

    def _destroy(self, sandbox: Sandbox) -> None:
        """A server that has just died is soon started again by its supervisor; one of our own is not."""
        deadline = time.monotonic() + (0.0 if self.place.source == OWN else PATIENCE_SECONDS)
        while True:
            try:
                sandbox.destroy()
                return
            except TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _say(self, text: str) -> None:
        if not self.shown.quiet:
            said = output.wrapped(plain(text))
            print(f"\x1b[2m{said}\x1b[0m" if coloured(sys.stderr) else said, file=sys.stderr, flush=True)


class _Kept(Screen):
    """Keeps what the command says, for --json."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = {"stdout": io.BytesIO(), "stderr": io.BytesIO()}

    def command(self, stream: str, data: bytes) -> None:
        self._kept[stream].write(data)

    def text(self, stream: str) -> str:
        """What it said on a stream."""
        return self._kept[stream].getvalue().decode(errors="replace")


def _listed(watch: beneath.Beneath, sandbox: Sandbox) -> list[Event]:
    try:
        return watch.finish(sandbox)
    except MiosaError:
        return []  # The server has gone; what made the run fail is said elsewhere.
