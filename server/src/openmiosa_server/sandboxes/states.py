"""The states of a sandbox and what may follow what.

provisioning -> running <-> paused
      |            |          |
      +--> error   +----------+--> destroyed
"""

from ..errors import Conflict

LIVING = ("provisioning", "running", "paused")
FINAL = ("destroyed", "error")
ALL = (*LIVING, *FINAL)

_NEXT = {
    "provisioning": ("running", "error", "destroyed"),
    "running": ("paused", "error", "destroyed"),
    "paused": ("running", "error", "destroyed"),
    "error": ("destroyed",),
    "destroyed": (),
}


def require_move(name: str, current: str, wanted: str) -> None:
    """Refuse a step that the drawing above does not show."""
    if wanted not in _NEXT[current]:
        raise Conflict(
            f"the sandbox {name} is {current} and cannot become {wanted}; {_hint(current)}",
            code="RESOURCE_STATE",
            details={"state": current, "wanted": wanted},
        )


def _hint(current: str) -> str:
    following = [state for state in _NEXT[current] if state != "error"]
    return f"it can become {' or '.join(following)}" if following else "create another one"
