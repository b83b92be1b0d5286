/** Ports inside a sandbox, reachable on the server's own machine. */

import { many, one } from "./envelope.js";
import { Preview } from "./models/index.js";
import type { CallOptions, Transport } from "./transport.js";
import { path } from "./wire.js";

/** The previews of one sandbox. */
export class Previews {
  readonly #transport: Transport;
  readonly #sandboxId: string;

  constructor(transport: Transport, sandboxId: string) {
    this.#transport = transport;
    this.#sandboxId = sandboxId;
  }

  /** Make a port reachable; asking again gives the same preview. */
  async open(port: number, options: CallOptions = {}): Promise<Preview> {
    const ask = { json: { port }, signal: options.signal };
    return Preview.decode(one(await this.#transport.request("POST", this.#path(), ask)));
  }

  /** Those that are open. */
  async list(options: CallOptions = {}): Promise<Preview[]> {
    return many(await this.#transport.request("GET", this.#path(), { signal: options.signal })).map(Preview.decode);
  }

  /** One of them. */
  async get(previewId: string, options: CallOptions = {}): Promise<Preview> {
    return Preview.decode(one(await this.#transport.request("GET", this.#path(previewId), { signal: options.signal })));
  }

  /** Stop listening and end its connections. */
  async close(previewId: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.request("DELETE", this.#path(previewId), { signal: options.signal });
  }

  #path(...more: string[]): string {
    return path("sandboxes", this.#sandboxId, "previews", ...more);
  }
}
