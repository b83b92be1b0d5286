"""What may be a name, a value, a variable; each refusal says which rule was broken."""

import re

from ..errors import Invalid, TooLarge
from .value import SecretValue

MAX_NAME = 255
MAX_VALUE = 64 * 1024  # bytes
PREVIEW_FROM = 24  # characters; of anything shorter, four would be too large a part (threats.md K-09)
PREVIEW = 4
SCOPES = ("tenant", "workspace", "user", "external_user", "external_workspace")

_NAME = re.compile(r"[^\x00-\x1f\x7f/?#]+")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Variables that decide how programs run: a placeholder there breaks the sandbox or changes what it loads.
_RESERVED = frozenset(
    [
        "PATH",
        "HOME",
        "SHELL",
        "IFS",
        "ENV",
        "BASH_ENV",
        "PWD",
        "TMPDIR",
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "NODE_OPTIONS",
        "PERL5LIB",
        "RUBYOPT",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "GIT_SSL_CAINFO",
        "AWS_CA_BUNDLE",
        "PIP_CERT",
        "DENO_CERT",
    ]
)


def check_name(name: str) -> None:
    """A label of 1 to 255 printable characters that can stand in a URL's path."""
    if not 1 <= len(name) <= MAX_NAME:
        raise Invalid(
            f"the name of a secret has 1 to {MAX_NAME} characters, this one has {len(name)}", code="BAD_NAME", details=_field("name")
        )
    if not _NAME.fullmatch(name) or name != name.strip() or name in (".", ".."):
        raise Invalid(
            "the name of a secret has no control characters, no / ? # and no space at its ends", code="BAD_NAME", details=_field("name")
        )


def check_value(value: SecretValue, field: str = "value") -> None:
    """1 byte to 64 KiB of UTF-8 without NUL, CR and LF, which no header can carry."""
    data = value.reveal()
    if not data:
        raise Invalid(f"{field} is empty; a secret has at least one byte", code="BAD_VALUE", details=_field(field))
    if len(data) > MAX_VALUE:
        raise TooLarge(f"{field} has {len(data)} bytes; at most {MAX_VALUE} are stored", code="VALUE_TOO_LARGE", details=_field(field))
    for byte, name in ((b"\0", "NUL"), (b"\r", "CR"), (b"\n", "LF")):
        if byte in data:
            raise Invalid(
                f"{field} contains {name}, which no header can carry; check for a line end at the end of the file it came from",
                code="BAD_VALUE",
                details={**_field(field), "found": name},
            )
    try:
        data.decode()
    except UnicodeDecodeError:
        raise Invalid(f"{field} is not UTF-8", code="BAD_VALUE", details=_field(field)) from None


def check_env(env: str) -> None:
    """A name that every shell accepts, and none that decides how programs run."""
    if len(env) > MAX_NAME or not _ENV.fullmatch(env):
        raise Invalid(
            "expose_as_env is a variable's name: letters, digits and _, not a digit first, such as OPENAI_API_KEY",
            code="BAD_ENV",
            details=_field("expose_as_env"),
        )
    if env.upper() in _RESERVED or env.upper().startswith("LD_"):
        raise Invalid(
            f"expose_as_env may not be {env}: programs in the sandbox depend on it", code="BAD_ENV", details=_field("expose_as_env")
        )


def check_scope(scope: str) -> None:
    """One of the five."""
    if scope not in SCOPES:
        raise Invalid(f"scope is one of {', '.join(SCOPES)}", code="BAD_SCOPE", details=_field("scope"))


def preview(value: SecretValue) -> str | None:
    """The last four characters of a long value; nothing of a short one."""
    text = value.reveal_text()
    return text[-PREVIEW:] if len(text) >= PREVIEW_FROM else None


def _field(name: str) -> dict[str, str]:
    return {"field": name}
