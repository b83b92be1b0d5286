"""`openmiosa connect`: an account by OAuth."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .._text import plain
from ..models import Secret
from . import complete, output
from .context import client
from .options import DEFAULTS, Common, ExposeAs, Sandbox

if TYPE_CHECKING:
    from .._sync.connection import Connection


def connect(
    provider: Annotated[str, Parameter(completer=complete.providers, help="such as github")],
    /,
    *,
    sandbox: Sandbox = None,
    expose: ExposeAs = None,
    oauth_scope: Annotated[list[str] | None, Parameter(negative=(), help="a scope to ask for (repeat); default: the provider's")] = None,
    external_user: Annotated[str | None, Parameter(help="your own user whose account it is")] = None,
    device: Annotated[bool, Parameter(negative=(), help="enter a code on any device instead of opening a URL here")] = False,
    browser: Annotated[bool, Parameter(negative="--no-browser", help="open the URL")] = True,
    timeout: Annotated[float, Parameter(help="seconds to wait for the consent")] = 300.0,
    common: Common = DEFAULTS,
) -> None:
    """Connect an account: a person consents, the server keeps the tokens fresh, the sandbox sees a placeholder."""
    with client(common) as api:
        secrets = api.secrets if sandbox is None else api.sandboxes.get(sandbox).secrets
        flow = "device" if device else None
        asked = secrets.connect(provider, expose_as_env=expose, flow=flow, scopes=oauth_scope, external_user_id=external_user)
        kept = expect(asked, browser, timeout)
    sentence = f"{provider} is connected as {kept.name}." + (f" Inside, ${expose} is a placeholder." if expose else "")
    output.done(kept, sentence, common)


def expect(asked: "Connection", browser: bool, timeout: float) -> Secret:
    """Say where the consent is given, and wait for it."""
    invite(asked, browser)
    return asked.wait_for_completion(timeout=timeout)


def invite(asked: "Connection", browser: bool) -> None:
    """Say where the consent is given; on standard error, so that --json stays JSON."""
    if asked.user_code:
        print(f"Open  {plain(asked.verification_uri or '')}\nand enter  {plain(asked.user_code)}", file=sys.stderr)
    else:
        print(f"Open this and consent:\n{plain(asked.authorize_url or '')}", file=sys.stderr)
        if browser and asked.authorize_url and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
            import webbrowser

            webbrowser.open(asked.authorize_url)
    print("Waiting for the consent (Ctrl-C stops waiting) …", file=sys.stderr)
