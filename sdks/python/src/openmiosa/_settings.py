"""Where the server is and with which key: arguments first, then the environment."""

import os
import re

from .errors import ConfigurationError

DEFAULT_BASE_URL = "http://127.0.0.1:7878"


def api_key(given: str | None) -> str:
    """The key to send, from the argument or `MIOSA_API_KEY`."""
    key = (given if given is not None else os.environ.get("MIOSA_API_KEY", "")).strip()
    if not key:
        raise ConfigurationError("no API key: pass api_key=… or set MIOSA_API_KEY (the first `openmiosa up` prints one)")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError("the API key has characters that no key has; was something else pasted?")
    return key


def base_url(given: str | None) -> str:
    """The API's base, ending in /vN: from the argument, `MIOSA_BASE_URL`, or the address that `openmiosa up` uses."""
    base = (given if given is not None else os.environ.get("MIOSA_BASE_URL") or DEFAULT_BASE_URL).strip().rstrip("/")
    if not re.match(r"https?://[^/\s?#]+(/[^\s?#]*)?$", base):
        raise ConfigurationError(f"the base URL {base!r} is not http(s)://host[:port][/prefix]: check base_url= or MIOSA_BASE_URL")
    return base if re.search(r"/v\d+$", base) else base + "/api/v1"


def server_url(base: str) -> str:
    """The root that the API's base hangs on, where health and readiness are."""
    return re.sub(r"(/api)?/v\d+$", "", base)
