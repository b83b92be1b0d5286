"""The wall clock, always UTC, and its one spelling on the wire."""

import re
from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """The time, in UTC, with microseconds."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def optional_rfc3339(moment: datetime | None) -> str | None:
    """The same for a time that may be missing."""
    return None if moment is None else rfc3339(moment)


def parse(text: str) -> datetime:
    """An ISO 8601 time as UTC; a time without an offset is taken as UTC. ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_AGE = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_since(text: str) -> datetime:
    """A moment as ISO 8601, or as an age such as `7d`, `24h`, `30m`. ValueError when it is neither."""
    age = _AGE.fullmatch(text.strip())
    if age is None:
        return parse(text)
    return now() - timedelta(**{_UNITS[age[2]]: min(int(age[1]), 520_000)})
