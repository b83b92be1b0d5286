/** Sandboxes: made, found, listed; and the handle of one. */

import { Audit } from "./audit.js";
import { Env } from "./env.js";
import { type Json, one } from "./envelope.js";
import { NameTakenError, NotFoundError, SandboxFailedError, WaitTimeoutError } from "./errors.js";
import { type Exec, execOf, linesOf, Processes, textOf } from "./exec.js";
import { Files } from "./files.js";
import { Readiness, SandboxInfo } from "./models/index.js";
import { Network } from "./network.js";
import { Pages } from "./pages.js";
import { sleep } from "./patience.js";
import { Previews } from "./previews.js";
import { type Extra, Secrets } from "./secrets.js";
import { Snapshots } from "./snapshots.js";
import { openTerminal, type ShellOptions, type Terminal } from "./terminal.js";
import type { CallOptions, Transport } from "./transport.js";
import { given, objectOf, path } from "./wire.js";

const WAIT = 60_000;

/** What a sandbox is made with. */
export interface CreateSandbox extends Extra {
  /** The template that its file system starts from. */
  readonly template?: string;
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

/** What changes of a sandbox. */
export interface UpdateSandbox extends Extra {
  readonly name?: string;
  readonly slug?: string;
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly alwaysOn?: boolean;
  readonly timeoutSec?: number;
  readonly idleTimeoutSec?: number;
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

/** One sandbox. `await using sandbox = …` destroys it at the end of the block; `destroy()` does so at once. */
export class Sandbox {
  /** What was last heard of it. */
  info: SandboxInfo;
  readonly exec: Exec;
  readonly processes: Processes;
  readonly files: Files;
  readonly env: Env;
  readonly snapshots: Snapshots;
  readonly previews: Previews;
  readonly secrets: Secrets;
  readonly network: Network;
  readonly audit: Audit;
  readonly #transport: Transport;

  /** Handles come from `client.sandboxes`. @internal */
  constructor(transport: Transport, info: SandboxInfo) {
    this.#transport = transport;
    this.info = info;
    this.exec = execOf(transport, info.id);
    this.processes = new Processes(transport, info.id);
    this.files = new Files(transport, info.id);
    this.env = new Env(transport, info.id);
    this.snapshots = new Snapshots(transport, info.id, (made) => new Sandbox(transport, made));
    this.previews = new Previews(transport, info.id);
    this.secrets = new Secrets(transport, info.id);
    this.network = new Network(transport, info.id);
    this.audit = new Audit(transport, info.id);
  }

  /** Its id, for ever the same. */
  get id(): string {
    return this.info.id;
  }

  /** Its name. */
  get name(): string | undefined {
    return this.info.name;
  }

  /** Its state when this handle last heard of it; `refresh()` asks again. */
  get state(): string {
    return this.info.state;
  }

  /** Ask the server for the state of things. */
  async refresh(options: CallOptions = {}): Promise<this> {
    return this.#take("GET", [], undefined, options);
  }

  /** Stop its processes where they are. */
  async pause(options: CallOptions = {}): Promise<this> {
    return this.#take("POST", ["pause"], {}, options);
  }

  /** Let its processes go on. */
  async resume(options: CallOptions = {}): Promise<this> {
    return this.#take("POST", ["resume"], {}, options);
  }

  /** End its processes and keep its files. */
  async stop(options: CallOptions = {}): Promise<this> {
    return this.#take("POST", ["stop"], {}, options);
  }

  /** Let it live so many seconds longer. */
  async extend(timeoutSec: number, options: CallOptions = {}): Promise<this> {
    return this.#take("POST", ["extend"], { timeout_sec: timeoutSec }, options);
  }

  /** Change name, slug, tags, metadata or timeouts. */
  async update(change: UpdateSandbox): Promise<this> {
    return this.#take("PATCH", [], given(change), change);
  }

  /** Replace its tags. */
  async setTags(tags: readonly string[], options: CallOptions = {}): Promise<this> {
    return this.#take("PATCH", ["tags"], { tags }, options);
  }

  /** A new sandbox with this one's files, or those of one of its snapshots. */
  async fork(options: Extra & { readonly snapshotId?: string; readonly name?: string } = {}): Promise<Sandbox> {
    const ask = { json: given(options), signal: options.signal };
    const reply = await this.#transport.request("POST", this.#path("fork"), ask);
    return new Sandbox(this.#transport, SandboxInfo.decode(one(reply)));
  }

  /** End it with all that is in it; one that is gone already is no error. */
  async destroy(options: CallOptions = {}): Promise<void> {
    try {
      await this.#transport.request("DELETE", this.#path(), { signal: options.signal });
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  /** Whether commands can run in it, and what each of its parts says. */
  async readiness(options: CallOptions = {}): Promise<Readiness> {
    const ask = { signal: options.signal };
    return Readiness.decode(one(await this.#transport.request("GET", this.#path("readiness"), ask)));
  }

  /** This handle, once commands can run in the sandbox; `timeout` in milliseconds, a minute when not given. */
  async waitUntilReady(options: CallOptions & { readonly timeout?: number } = {}): Promise<this> {
    const timeout = options.timeout ?? WAIT;
    const deadline = performance.now() + timeout;
    const called = this.name ?? this.id;
    while (this.state !== "running") {
      if (["error", "failed", "destroyed"].includes(this.state)) {
        throw new SandboxFailedError(`sandbox ${called} is ${this.state}: the server's log says why`);
      }
      if (performance.now() > deadline) {
        throw new WaitTimeoutError(`sandbox ${called} was still ${this.state} after ${timeout / 1000} s`);
      }
      if (!(await this.#toldReady(options.signal))) await sleep(100, options.signal);
      await this.refresh(options);
    }
    return this;
  }

  /** How long it has lived, and what it may use. */
  async usage(options: CallOptions = {}): Promise<Json> {
    return this.#about("usage", options);
  }

  /** What it uses just now. */
  async metrics(options: CallOptions = {}): Promise<Json> {
    return this.#about("metrics", options);
  }

  /** What it may use. */
  async resources(options: CallOptions = {}): Promise<Json> {
    return this.#about("resources", options);
  }

  /** What it has left behind. */
  async artifacts(options: CallOptions = {}): Promise<Json> {
    return this.#about("artifacts", options);
  }

  /** The last lines that its processes wrote. */
  async logs(options: CallOptions & { readonly lines?: number } = {}): Promise<string> {
    const ask = { query: { lines: options.lines }, signal: options.signal };
    return textOf(await this.#transport.request("GET", this.#path("logs"), ask));
  }

  /** The lines that its processes write, as they come. */
  async *logsStream(options: CallOptions = {}): AsyncGenerator<string, void> {
    yield* linesOf(await this.#transport.events("GET", this.#path("logs", "stream"), { signal: options.signal }));
  }

  /** Start a command, or a shell when none is given, at a terminal, and talk to it. */
  async shell(command?: string, options: ShellOptions = {}): Promise<Terminal> {
    return openTerminal(this.#transport, this.id, command, options);
  }

  /** One look at the stream that says when it is ready. */
  async #toldReady(signal: AbortSignal | undefined): Promise<boolean> {
    for await (const frame of await this.#transport.events("GET", this.#path("readiness", "stream"), { signal })) {
      const said = objectOf(frame.data).type ?? frame.event;
      if (said === "ready") return true;
      if (said === "timeout") return false;
    }
    return false;
  }

  async #about(what: string, options: CallOptions): Promise<Json> {
    return one(await this.#transport.request("GET", this.#path(what), { signal: options.signal }));
  }

  async #take(method: string, action: string[], json: unknown, options: CallOptions): Promise<this> {
    const ask = { json, signal: options.signal };
    this.info = SandboxInfo.decode(one(await this.#transport.request(method, this.#path(...action), ask)));
    return this;
  }

  #path(...more: string[]): string {
    return path("sandboxes", this.id, ...more);
  }
}
