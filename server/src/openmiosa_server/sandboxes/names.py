"""Names: made up when none is given, checked when one is."""

import re
import secrets

from ..errors import Invalid

_QUALITIES = (
    "amber",
    "brave",
    "calm",
    "clear",
    "coral",
    "crisp",
    "deft",
    "fleet",
    "fresh",
    "gentle",
    "keen",
    "lively",
    "lucid",
    "mellow",
    "nimble",
    "quiet",
    "rapid",
    "silver",
    "steady",
    "sunny",
    "swift",
    "tidy",
    "vivid",
    "warm",
)
_THINGS = (
    "badger",
    "beacon",
    "brook",
    "cedar",
    "comet",
    "crane",
    "ember",
    "falcon",
    "fern",
    "finch",
    "harbor",
    "heron",
    "lark",
    "maple",
    "meadow",
    "otter",
    "pebble",
    "pine",
    "raven",
    "ridge",
    "river",
    "robin",
    "sparrow",
    "willow",
)
_LIMIT = 255
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ENV_LIMIT = 32 * 1024


def invent() -> str:
    """A name such as `calm-otter-4f1c`; the digits keep two from colliding in practice."""
    return f"{secrets.choice(_QUALITIES)}-{secrets.choice(_THINGS)}-{secrets.token_hex(2)}"


def check_name(name: str) -> str:
    """A name has 1 to 255 characters, none of them a control character, and is no id."""
    if not 1 <= len(name) <= _LIMIT:
        raise Invalid(f"the name of a sandbox has 1 to {_LIMIT} characters", code="BAD_NAME", details={"field": "name"})
    if not name.isprintable() or name != name.strip():
        raise Invalid(
            "the name of a sandbox has no control characters and no blanks at its ends", code="BAD_NAME", details={"field": "name"}
        )
    if name.startswith("sbx_"):
        raise Invalid("a name does not start with sbx_, which is how ids start", code="BAD_NAME", details={"field": "name"})
    return name


def hostname(name: str) -> str:
    """What the sandbox calls itself: the name, reduced to what a host name may hold."""
    reduced = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    return reduced or "sandbox"


def check_env(env: dict[str, str]) -> dict[str, str]:
    """Variables as a shell accepts them, without NUL, of bounded size."""
    for name, value in env.items():
        if not _ENV.match(name) or len(name) > _LIMIT:
            raise Invalid(
                f"{name[:40]!r} is no name for a variable: letters, digits and _, not a digit first",
                code="BAD_ENV",
                details={"field": "env"},
            )
        if "\0" in value or len(value) > _ENV_LIMIT:
            raise Invalid(
                f"the value of {name} has a NUL or is longer than {_ENV_LIMIT} characters", code="BAD_ENV", details={"field": "env"}
            )
    return env
