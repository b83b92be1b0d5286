"""When a request is sent again, and after how long. Pure: no clock, no socket."""

import random

from .errors import APIError, MiosaError, TransportError, UnexpectedReplyError

FIRST_WAIT = 0.2
LONGEST_WAIT = 30.0


def wait_before(attempt: int, max_retries: int, error: MiosaError, *, repeatable: bool) -> float | None:
    """Seconds to wait before attempt number `attempt + 1`, or None when the error is final.

    `repeatable` says that a second arrival has no second effect: the method is safe or idempotent, or carries an Idempotency-Key.
    """
    if attempt > max_retries or not _worth_it(error, repeatable):
        return None
    if isinstance(error, APIError) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT)
    # Full jitter keeps clients that failed together from coming back together.
    return random.uniform(0.5, 1.0) * min(FIRST_WAIT * 2.0 ** (attempt - 1), LONGEST_WAIT)  # noqa: S311


def _worth_it(error: MiosaError, repeatable: bool) -> bool:
    if isinstance(error, APIError):
        # Before it starts anything the server answers 409 or 429; a 5xx may come after.
        return error.retry and (repeatable or error.status in (409, 429))
    if isinstance(error, UnexpectedReplyError):
        return False
    return isinstance(error, TransportError) and (repeatable or not error.sent)
