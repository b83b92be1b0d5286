"""What probes are told."""

from typing import Literal

from .common import Shape


class Alive(Shape):
    """The process answers."""

    status: Literal["ok"]


class Ready(Shape):
    """Whether sandboxes can be made and used, and what is missing."""

    version: str
    status: Literal["ready", "not ready"]
    checks: dict[str, str]
