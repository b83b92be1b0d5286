/** Sandboxes: made, found, listed. */

import { one } from "./envelope.js";
import { NameTakenError, NotFoundError } from "./errors.js";
import { SandboxInfo } from "./models/index.js";
import { Pages } from "./pages.js";
import { Sandbox, WAIT } from "./sandbox.js";
import type { Extra } from "./secrets.js";
import type { CallOptions, Transport } from "./transport.js";
import { given, path } from "./wire.js";

/** What a sandbox is made with. */
export interface CreateSandbox extends Extra {
  /** The template that its file system starts from. */
  readonly template?: string;
  /** A snapshot to start from. */
  readonly snapshotId?: string;
  /** How many of its snapshots are kept, and for how long each. */
  readonly keepLastSnapshots?: number;
  readonly snapshotExpirationSec?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  readonly size?: string;
  readonly cpuCount?: number;
  readonly memoryMb?: number;
  readonly diskSizeMb?: number;
  readonly timeoutSec?: number;
  readonly idleTimeoutSec?: number;
  readonly persistent?: boolean;
  readonly alwaysOn?: boolean;
  readonly workspaceId?: string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
  readonly externalProjectId?: string;
  /** Whether it runs when the call returns; true when not given. */
  readonly wait?: boolean;
  /** In milliseconds; a minute when not given. */
  readonly waitTimeout?: number;
}

/** Which sandboxes to list. */
export interface SandboxFilters extends Extra {
  readonly state?: string;
  readonly tags?: readonly string[];
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
  readonly externalProjectId?: string;
  /** The size of a page. */
  readonly limit?: number;
}

/** The sandboxes of this key's tenant. */
export class Sandboxes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Make a sandbox; it runs when this returns. */
  async create(name?: string, options: CreateSandbox = {}): Promise<Sandbox> {
    const { template, wait = true, waitTimeout = WAIT, ...fields } = options;
    const json = given({ name, templateId: template, ...fields });
    const ask = { query: { wait: wait || undefined }, json, signal: options.signal };
    const sandbox = this.#handle(one(await this.#transport.request("POST", "sandboxes", ask)));
    return wait ? sandbox.waitUntilReady({ timeout: waitTimeout, signal: options.signal }) : sandbox;
  }

  /** The sandbox with this id or name. */
  async get(idOrName: string, options: CallOptions = {}): Promise<Sandbox> {
    const ask = { signal: options.signal };
    return this.#handle(one(await this.#transport.request("GET", path("sandboxes", idOrName), ask)));
  }

  /** The sandbox with this name. */
  async getByName(name: string, options: CallOptions = {}): Promise<Sandbox> {
    const ask = { signal: options.signal };
    return this.#handle(one(await this.#transport.request("GET", path("sandboxes", "by-name", name), ask)));
  }

  /** The sandbox with this name, resumed if it is paused, made with these options if there is none. */
  async getOrCreate(name: string, options: CreateSandbox = {}): Promise<Sandbox> {
    const { wait = true, waitTimeout = WAIT, signal } = options;
    const sandbox = (await this.#found(name, signal)) ?? (await this.#made(name, options));
    if (sandbox.state === "paused") await sandbox.resume({ signal });
    return wait ? sandbox.waitUntilReady({ timeout: waitTimeout, signal }) : sandbox;
  }

  /** Sandboxes, newest first. */
  list(filters: SandboxFilters = {}): Pages<Sandbox> {
    return new Pages(this.#transport, "sandboxes", given(filters), (item) => this.#handle(item), filters);
  }

  /** Destroy a sandbox. */
  async delete(idOrName: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.request("DELETE", path("sandboxes", idOrName), { signal: options.signal });
  }

  async #found(name: string, signal?: AbortSignal): Promise<Sandbox | undefined> {
    try {
      return await this.getByName(name, { signal });
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  async #made(name: string, options: CreateSandbox): Promise<Sandbox> {
    try {
      return await this.create(name, options);
    } catch (error) {
      if (!(error instanceof NameTakenError)) throw error;
      // Someone else made it between the two calls.
      return this.getByName(name, { signal: options.signal });
    }
  }

  #handle(record: unknown): Sandbox {
    return new Sandbox(this.#transport, SandboxInfo.decode(record));
  }
}
