/** Lists that may be long: pages are fetched as they are needed. */

import { many, nextCursor } from "./envelope.js";
import type { CallOptions, Transport } from "./transport.js";

/** Loop over it with `for await`, as often as you like; each time it starts from the first page. */
export class Pages<T> implements AsyncIterable<T> {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #query: Readonly<Record<string, unknown>>;
  readonly #read: (item: unknown) => T;
  readonly #call: CallOptions;

  constructor(
    transport: Transport,
    path: string,
    query: Readonly<Record<string, unknown>>,
    read: (item: unknown) => T,
    call: CallOptions = {},
  ) {
    this.#transport = transport;
    this.#path = path;
    this.#query = query;
    this.#read = read;
    this.#call = call;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    let query = this.#query;
    for (;;) {
      const body = await this.#transport.request("GET", this.#path, { query, signal: this.#call.signal });
      for (const item of many(body)) yield this.#read(item);
      const cursor = nextCursor(body);
      if (cursor === undefined || cursor === query.cursor) return;
      query = { ...query, cursor };
    }
  }

  /** Everything, as a list. */
  async all(): Promise<T[]> {
    const found: T[] = [];
    for await (const item of this) found.push(item);
    return found;
  }

  /** The first item, if there is one. */
  async first(): Promise<T | undefined> {
    for await (const item of this) return item;
    return undefined;
  }
}
