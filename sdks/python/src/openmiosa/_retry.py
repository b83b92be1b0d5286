"""When a request is sent again, and after how long. Pure: no clock, no socket."""

import random

from .errors import APIError, MiosaError, TransportError, UnexpectedReplyError

FIRST_WAIT = 0.2
LONGEST_WAIT = 30.0


def wait_before(attempt: int, max_retries: int, error: MiosaError, *, repeatable: bool, after_failure: bool = True) -> float | None:
    """Seconds to wait before attempt number `attempt + 1`, or None when the error is final.

    `repeatable` says that a second arrival has no second effect: the method is safe, or the server remembers its answer by the
    Idempotency-Key. Failures of its own (5xx) it does not remember: `after_failure` says that doing it once more is right then.
    """
    if attempt > max_retries or not _worth_it(error, repeatable, after_failure):
        return None
    if isinstance(error, APIError) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT)
    # Full jitter keeps clients that failed together from coming back together.
    return random.uniform(0.5, 1.0) * min(FIRST_WAIT * 2.0 ** (attempt - 1), LONGEST_WAIT)  # noqa: S311


def _worth_it(error: MiosaError, repeatable: bool, after_failure: bool) -> bool:
    if isinstance(error, APIError):
        # Before it starts anything the server answers 409 or 429; a 5xx may come after.
        return error.retry and ((repeatable and after_failure) or error.status in (409, 429))
    if isinstance(error, UnexpectedReplyError):
        return False
    return isinstance(error, TransportError) and (repeatable or not error.sent)
