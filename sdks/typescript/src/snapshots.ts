/** Stored states of a sandbox's file system. */

import { many, one } from "./envelope.js";
import { SandboxInfo, SnapshotInfo } from "./models/index.js";
import type { Sandbox } from "./sandbox.js";
import type { CallOptions, Transport } from "./transport.js";
import { given, path } from "./wire.js";

/** How long a snapshot stays. */
export interface CreateSnapshot extends CallOptions {
  readonly keep?: boolean;
  readonly retentionSeconds?: number;
}

/** The snapshots of one sandbox. */
export class Snapshots {
  readonly #transport: Transport;
  readonly #sandboxId: string;
  readonly #handle: (info: SandboxInfo) => Sandbox;

  constructor(transport: Transport, sandboxId: string, handle: (info: SandboxInfo) => Sandbox) {
    this.#transport = transport;
    this.#sandboxId = sandboxId;
    this.#handle = handle;
  }

  /** Store the file system as it is now: for so long, or with `keep` for good, whatever its sandbox says of its snapshots. */
  async create(comment?: string, options: CreateSnapshot = {}): Promise<SnapshotInfo> {
    const ask = { json: given({ comment, ...options }), signal: options.signal };
    return SnapshotInfo.decode(one(await this.#transport.request("POST", this.#path("snapshots"), ask)));
  }

  /** What is stored. */
  async list(options: CallOptions = {}): Promise<SnapshotInfo[]> {
    const ask = { signal: options.signal };
    return many(await this.#transport.request("GET", this.#path("snapshots"), ask)).map(SnapshotInfo.decode);
  }

  /** A new sandbox that starts from a snapshot. */
  async restore(snapshotId: string, options: CallOptions = {}): Promise<Sandbox> {
    const ask = { json: {}, signal: options.signal };
    const reply = await this.#transport.request("POST", this.#path("restore", snapshotId), ask);
    return this.#handle(SandboxInfo.decode(one(reply)));
  }

  /** Forget a snapshot. */
  async delete(snapshotId: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.request("DELETE", this.#path("snapshots", snapshotId), { signal: options.signal });
  }

  #path(...more: string[]): string {
    return path("sandboxes", this.#sandboxId, ...more);
  }
}
