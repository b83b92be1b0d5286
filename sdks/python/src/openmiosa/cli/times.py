"""Moments as people write them: 30m, 24h, 7d ago, or a time."""

import re
from datetime import UTC, datetime, timedelta

from .options import UsageError

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since(text: str | None) -> datetime | None:
    """The moment that is meant."""
    if text is None:
        return None
    if found := re.fullmatch(r"(\d+)\s*([smhdw])", text.strip()):
        return datetime.now(UTC) - timedelta(**{UNITS[found[2]]: int(found[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no moment: write 30m, 24h or 7d (ago), or a time such as 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.astimezone()
