/** An account that is being connected: what a person must do, and waiting until it is done. */

import { one } from "./envelope.js";
import { ConnectionFailedError, WaitTimeoutError } from "./errors.js";
import { type ConnectionInfo, ConnectionStatus, Secret } from "./models/index.js";
import { sleep } from "./patience.js";
import type { CallOptions, Transport } from "./transport.js";
import { path } from "./wire.js";

/** How long to wait for a person. */
export interface WaitOptions extends CallOptions {
  /** In milliseconds; five minutes when not given. */
  readonly timeout?: number;
  /** Milliseconds between two looks. */
  readonly pollInterval?: number;
}

/** A consent that has been asked for. Open `authorizeUrl`, or with the device flow enter `userCode` at `verificationUri`. */
export class Connection {
  readonly info: ConnectionInfo;
  readonly #transport: Transport;

  constructor(transport: Transport, info: ConnectionInfo) {
    this.#transport = transport;
    this.info = info;
  }

  /** Whose account it is. */
  get provider(): string | undefined {
    return this.info.provider;
  }

  /** Where a person gives consent in a browser; undefined with the device flow. */
  get authorizeUrl(): string | undefined {
    return this.info.authorizeUrl;
  }

  /** What this consent is known by; as private as a password while it is open. */
  get state(): string {
    return this.info.state;
  }

  /** Device flow: where the code is entered. */
  get verificationUri(): string | undefined {
    return this.info.verificationUri;
  }

  /** Device flow: the code to enter. */
  get userCode(): string | undefined {
    return this.info.userCode;
  }

  /** How far it is. */
  async status(options: CallOptions = {}): Promise<ConnectionStatus> {
    const query = { state: this.state };
    const reply = await this.#transport.request("GET", "egress/oauth/status", { query, signal: options.signal });
    return ConnectionStatus.decode(one(reply));
  }

  /** The account's secret, once consent was given; ConnectionFailedError when it was refused. */
  async waitForCompletion(options: WaitOptions = {}): Promise<Secret> {
    const timeout = options.timeout ?? 300_000;
    const pause = options.pollInterval ?? Math.min((this.info.interval ?? 1) * 1000, 2000);
    const deadline = performance.now() + timeout;
    for (;;) {
      const status = await this.status(options);
      if (status.failed) {
        const reason = status.message ?? status.error ?? status.status;
        throw new ConnectionFailedError(`${this.provider} was not connected: ${reason}`, this.provider, status.error);
      }
      if (status.done && status.secretId) {
        const where = path("egress", "secrets", status.secretId);
        return Secret.decode(one(await this.#transport.request("GET", where, { signal: options.signal }), "secret"));
      }
      if (performance.now() + pause > deadline) {
        const limit = `${timeout / 1000} s`;
        throw new WaitTimeoutError(
          `no consent for ${this.provider} within ${limit}; waiting again is fine while the link holds`,
        );
      }
      await sleep(pause, options.signal);
    }
  }
}
