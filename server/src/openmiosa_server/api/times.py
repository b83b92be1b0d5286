"""Times in queries and bodies."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator

from ..errors import Invalid

_AGE = re.compile(r"(\d{1,6})([smhdw])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str | None, field: str) -> datetime | None:
    """ISO 8601, or an age such as `7d`; a time without an offset is UTC."""
    if not text:
        return None
    if age := _AGE.match(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        # A `+` that was not percent-encoded arrives as a blank.
        given = datetime.fromisoformat(text.replace(" 00:00", "+00:00"))
        return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"{field} is a time in ISO 8601 or an age such as 7d", code="BAD_TIME", details={"field": field}) from None


def _aware(value: object) -> object:
    return moment(value, "time") if isinstance(value, str) else value


Moment = Annotated[datetime, BeforeValidator(_aware)]
