/** Events as they happen: a stream that reconnects and goes on where it was, without gap or duplicate. */

import {
  APIError,
  ConnectionLostError,
  MiosaError,
  NotFoundError,
  RequestTimeoutError,
  TransportError,
  UnexpectedReplyError,
} from "./errors.js";
import { Event } from "./models/index.js";
import { Pages } from "./pages.js";
import { sleep } from "./patience.js";
import { resource } from "./resource.js";
import { jittered } from "./retry.js";
import type { Frame } from "./sse.js";
import type { CallOptions, Transport } from "./transport.js";
import { objectOf, path } from "./wire.js";

/** Milliseconds; an object, so that tests need not wait as long. */
export const pace = {
  // The server says something at least every 20 s; after this silence the connection is taken for dead.
  silence: 45_000,
  first: 100,
  longest: 5_000,
};
// How many ids are remembered to drop what comes twice around a reconnection.
const REMEMBERED = 4096;
const BEGINNING = "1970-01-01T00:00:00Z";

/** Where a tail starts, and how long it bears a server that is away. */
export interface TailOptions extends CallOptions {
  /** The id of an event; the tail starts with the one after it. */
  readonly after?: string;
  /** Milliseconds after which a server that is away is given up; five minutes when not given. */
  readonly reconnectTimeout?: number;
}

/**
 * Loop over it with `for await`; leaving the loop ends it, and so does `close()`.
 *
 * It starts with its first step, or, so that nothing is missed before that, with `open()`.
 */
export class Tail implements AsyncIterableIterator<Event> {
  /** The id of the last event that was given. */
  lastId: string | undefined;
  readonly #transport: Transport;
  readonly #sandboxId: string | undefined;
  readonly #outage: Outage;
  readonly #closed = new AbortController();
  readonly #callers: AbortSignal | undefined;
  readonly #seen = new Set<string>();
  readonly #source: AsyncGenerator<Event, undefined>;
  #placed: boolean;

  constructor(transport: Transport, sandboxId: string | undefined, options: TailOptions) {
    this.#transport = transport;
    this.#sandboxId = sandboxId;
    this.#outage = new Outage(options.reconnectTimeout ?? 300_000);
    this.lastId = options.after;
    this.#placed = options.after !== undefined;
    this.#callers = options.signal;
    this.#callers?.addEventListener("abort", this.#giveUp, { once: true });
    if (this.#callers?.aborted) this.#giveUp();
    this.#source = this.#run();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next event. */
  async next(): Promise<IteratorResult<Event, undefined>> {
    return this.#source.next();
  }

  /** End it, as leaving a loop does. */
  async return(): Promise<IteratorResult<Event, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Fix where it starts: what comes after the newest event of now is given, whenever the loop begins. */
  async open(): Promise<this> {
    if (!this.#placed) {
      this.lastId = (await this.#listed({ limit: 1 }).first())?.id;
      this.#placed = true;
    }
    return this;
  }

  /** End it, also while somebody waits for its next event. */
  async close(): Promise<void> {
    this.#callers?.removeEventListener("abort", this.#giveUp);
    this.#closed.abort(CLOSED);
    await this.#source.return(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#run(): AsyncGenerator<Event, undefined> {
    let connected = false;
    try {
      await this.open();
      for (;;) {
        let wait: number;
        try {
          for await (const event of this.#connection()) {
            connected = true;
            if (event) yield event;
          }
          wait = this.#outage.wait(new ConnectionLostError("the server ended the stream"));
        } catch (error) {
          // The sandbox is gone, and with it what could still happen.
          if (error instanceof NotFoundError && connected) return undefined;
          if (!(error instanceof MiosaError)) throw error;
          wait = this.#outage.wait(error);
        }
        await sleep(wait, this.#closed.signal);
      }
    } catch (error) {
      if (error === CLOSED) return undefined;
      throw error;
    } finally {
      this.#callers?.removeEventListener("abort", this.#giveUp);
    }
  }

  /** One connection: undefined once it stands, then what is new. */
  async *#connection(): AsyncGenerator<Event | undefined> {
    const where =
      this.#sandboxId === undefined ? "events/stream" : path("sandboxes", this.#sandboxId, "audit", "stream");
    const known = this.lastId;
    // The tenant's stream carries more than calls.
    const types = this.#sandboxId === undefined ? "audit" : undefined;
    const ask = { query: { after: known, types }, timeout: pace.silence, signal: this.#closed.signal };
    const frames = await this.#transport.events("GET", where, ask);
    this.#outage.over();
    yield undefined;
    if (known === undefined) {
      // There was no event to start after, so all that are there by now are new; the stream is open, none falls between.
      for await (const event of this.#listed({ since: BEGINNING })) {
        if (this.#isNew(event)) yield event;
      }
    }
    for await (const frame of frames) {
      const event = eventOf(frame);
      if (event && this.#isNew(event)) yield event;
    }
  }

  #listed(filters: Readonly<Record<string, unknown>>): Pages<Event> {
    const query = { ...resource(this.#sandboxId), ...filters };
    return new Pages(this.#transport, "egress/audit", query, Event.decode, { signal: this.#closed.signal });
  }

  #isNew(event: Event): boolean {
    if (this.#seen.has(event.id)) return false;
    this.#seen.add(event.id);
    const [oldest] = this.#seen;
    if (this.#seen.size > REMEMBERED && oldest !== undefined) this.#seen.delete(oldest);
    this.lastId = event.id;
    return true;
  }

  readonly #giveUp = (): void => this.#closed.abort(this.#callers?.reason);
}

const CLOSED = Symbol("closed");

/** How long to wait before the next connection, and when to give up. */
class Outage {
  readonly #limit: number;
  #since: number | undefined;
  #tries = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The connection stands. */
  over(): void {
    this.#since = undefined;
    this.#tries = 0;
  }

  /** Milliseconds until the next try; throws the error when it is final or has lasted too long. */
  wait(error: MiosaError): number {
    const now = performance.now();
    this.#since ??= now;
    if (!mayPass(error) || now - this.#since > this.#limit) throw error;
    if (error instanceof RequestTimeoutError) return 0;
    this.#tries += 1;
    return jittered(Math.min(pace.first * 2 ** this.#tries, pace.longest));
  }
}

/** Whether the same connection may succeed later. */
function mayPass(error: MiosaError): boolean {
  if (error instanceof APIError) return error.retry;
  return error instanceof TransportError && !(error instanceof UnexpectedReplyError);
}

/** The event of a frame; undefined for what else the stream carries, such as the sandbox's own life. */
function eventOf(frame: Frame): Event | undefined {
  const said = objectOf(frame.data);
  const isCall = String(said.id ?? "").startsWith("evt_") && said.action !== undefined;
  return isCall ? Event.decode(said) : undefined;
}
