/** When a request is sent again, and after how long. Pure: no clock, no socket. */

import { APIError, type MiosaError, TransportError, UnexpectedReplyError } from "./errors.js";

/** The waits in milliseconds; an object, so that tests need not wait as long. */
export const pace = { first: 200, longest: 30_000 };

/** Whether a second arrival does harm. */
export interface Repeats {
  /** It has no second effect: the method is safe, or the server remembers its answer by the Idempotency-Key. */
  readonly repeatable: boolean;
  /** Failures of its own (5xx) the server does not remember; this says that doing it once more is right then. */
  readonly afterFailure: boolean;
}

/** Milliseconds to wait before attempt number `attempt + 1`, or undefined when the error is final. */
export function waitBefore(
  attempt: number,
  maxRetries: number,
  error: MiosaError,
  repeats: Repeats,
): number | undefined {
  if (attempt > maxRetries || !worthIt(error, repeats)) return undefined;
  if (error instanceof APIError && error.retryAfter !== undefined)
    return Math.min(error.retryAfter * 1000, pace.longest);
  return jittered(Math.min(pace.first * 2 ** (attempt - 1), pace.longest));
}

/** Between half of it and all of it, so that clients that failed together do not come back together. */
export function jittered(milliseconds: number): number {
  return (0.5 + Math.random() / 2) * milliseconds;
}

function worthIt(error: MiosaError, { repeatable, afterFailure }: Repeats): boolean {
  if (error instanceof APIError) {
    // Before it starts anything the server answers 409 or 429; a 5xx may come after.
    return error.retry && ((repeatable && afterFailure) || error.status === 409 || error.status === 429);
  }
  if (error instanceof UnexpectedReplyError) return false;
  return error instanceof TransportError && (repeatable || !error.sent);
}
