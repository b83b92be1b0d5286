/** Ends a request that nothing is heard of for too long, or whose caller has given up. */

import { RequestTimeoutError } from "./errors.js";

/** One request's patience: `heard()` whenever something arrives, `end()` when all has. */
export class Patience {
  readonly #controller = new AbortController();
  readonly #silence: number | null;
  readonly #callers: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timedOut = false;

  /** `silence` in milliseconds; null waits for ever. */
  constructor(silence: number | null, callers?: AbortSignal) {
    this.#silence = silence;
    this.#callers = callers;
    if (callers?.aborted) this.#give();
    else callers?.addEventListener("abort", this.#give, { once: true });
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something arrived: the clock starts anew. */
  heard(): void {
    clearTimeout(this.#timer);
    if (this.#silence === null || this.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timedOut = true;
      this.#controller.abort();
    }, this.#silence);
  }

  /** Nothing more is expected. */
  end(): void {
    clearTimeout(this.#timer);
    this.#callers?.removeEventListener("abort", this.#give);
  }

  /** What to throw for what fetch threw: the caller's own reason, a timeout, or the error itself. */
  why(error: unknown, baseUrl: string): unknown {
    if (this.#callers?.aborted) return this.#callers.reason;
    if (!this.#timedOut) return error;
    return new RequestTimeoutError(`${baseUrl} said nothing for ${(this.#silence ?? 0) / 1000} s`);
  }

  readonly #give = (): void => {
    this.#controller.abort(this.#callers?.reason);
  };
}

/** Wait so many milliseconds, or until the signal is aborted, which rejects with its reason. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const give = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", give);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", give, { once: true });
  });
}
