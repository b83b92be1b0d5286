/** The handle of one sandbox. */

import { Audit } from "./audit.js";
import { Env } from "./env.js";
import { one } from "./envelope.js";
import { NotFoundError, SandboxFailedError, TransportError, WaitTimeoutError } from "./errors.js";
import { type Command, type Exec, execOf, linesOf, Processes, textOf } from "./exec.js";
import { Files } from "./files.js";
import { Artifacts, Metrics, Readiness, Resources, SandboxInfo, Usage } from "./models/index.js";
import { Network } from "./network.js";
import { sleep } from "./patience.js";
import { Previews } from "./previews.js";
import { type Extra, Secrets } from "./secrets.js";
import { Snapshots } from "./snapshots.js";
import { openTerminal, type ShellOptions, type Terminal } from "./terminal.js";
import { type CallOptions, SILENCE, type Transport } from "./transport.js";
import { given, objectOf, path } from "./wire.js";

/** How long a sandbox may take to be ready, in milliseconds. */
export const WAIT = 60_000;

/** What changes of a sandbox. */
export interface UpdateSandbox extends Extra {
  readonly name?: string;
  readonly slug?: string;
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly alwaysOn?: boolean;
  readonly persistent?: boolean;
  readonly timeoutSec?: number;
  readonly idleTimeoutSec?: number;
}

/** What is different of a copy of a sandbox. */
export interface ForkSandbox extends Extra {
  readonly name?: string;
  /** The snapshot that it starts from; from the files as they are, when not given. */
  readonly snapshotId?: string;
  readonly template?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  readonly timeoutSec?: number;
  readonly idleTimeoutSec?: number;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
  readonly externalProjectId?: string;
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

  /** Let its processes go on; new ones have the variables of `env` beside those that it has. */
  async resume(options: CallOptions & { readonly env?: Readonly<Record<string, string>> } = {}): Promise<this> {
    return this.#take("POST", ["resume"], given(options), options);
  }

  /** End its processes and keep its files. */
  async stop(options: CallOptions = {}): Promise<this> {
    return this.#take("POST", ["stop"], {}, options);
  }

  /** Let it live so many seconds longer. */
  async extend(timeoutSec: number, options: CallOptions = {}): Promise<this> {
    return this.#take("POST", ["extend"], { timeout_sec: timeoutSec }, options);
  }

  /** Change what is said of it, or how long it lives; what is not given stays. */
  async update(change: UpdateSandbox): Promise<this> {
    return this.#take("PATCH", [], given(change), change);
  }

  /** Replace its tags. */
  async setTags(tags: readonly string[], options: CallOptions = {}): Promise<this> {
    return this.#take("PATCH", ["tags"], { tags }, options);
  }

  /** A new sandbox with this one's files, as they are or as a snapshot has them; processes, secrets and rules stay behind. */
  async fork(options: ForkSandbox = {}): Promise<Sandbox> {
    const { template, ...fields } = options;
    const ask = { json: given({ templateId: template, ...fields }), signal: options.signal };
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
        const why = this.info.stateReason ? `: ${this.info.stateReason}` : "";
        throw new SandboxFailedError(`sandbox ${called} is ${this.state}${why}; the server's log says more`);
      }
      const left = deadline - performance.now();
      if (left <= 0) {
        throw new WaitTimeoutError(`sandbox ${called} was still ${this.state} after ${timeout / 1000} s`);
      }
      if (!(await this.#toldReady(Math.min(left, SILENCE), options.signal))) await sleep(100, options.signal);
      await this.refresh(options);
    }
    return this;
  }

  /** How long it has lived, what it has used, and what it called within a window such as `24h`. */
  async usage(options: CallOptions & { readonly window?: string } = {}): Promise<Usage> {
    return Usage.decode(one(await this.#about("usage", options)));
  }

  /** What it uses at this moment, and what it called within a window such as `1h`. */
  async metrics(options: CallOptions & { readonly window?: string } = {}): Promise<Metrics> {
    return Metrics.decode(one(await this.#about("metrics", options)));
  }

  /** What it may use, and whether that can change while it runs. */
  async resources(options: CallOptions = {}): Promise<Resources> {
    return Resources.decode(one(await this.#about("resources", options)));
  }

  /** What it has made: the files in /workspace/artifacts, its snapshots, its previews. */
  async artifacts(options: CallOptions = {}): Promise<Artifacts> {
    return Artifacts.decode(one(await this.#about("artifacts", options)));
  }

  /** The last lines that its background processes wrote; 200 when `lines` is not given. */
  async logs(options: CallOptions & { readonly lines?: number } = {}): Promise<string> {
    const ask = { query: { lines: options.lines ?? 200 }, signal: options.signal };
    return textOf(await this.#transport.request("GET", this.#path("logs"), ask));
  }

  /** What its background processes write, line by line, for as long as it lives. */
  async *logsStream(options: CallOptions = {}): AsyncGenerator<string, void> {
    yield* linesOf(await this.#transport.events("GET", this.#path("logs", "stream"), { signal: options.signal }));
  }

  /** Start a command, or a shell when none is given, at a terminal, and talk to it. A string goes to a shell, a list is run as it is. */
  async shell(command?: Command, options: ShellOptions = {}): Promise<Terminal> {
    return openTerminal(this.#transport, this.id, command, options);
  }

  /** Whether the stream said that it is ready; servers without the stream are asked by `refresh`. */
  async #toldReady(timeout: number, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      const ask = { timeout, signal };
      for await (const frame of await this.#transport.events("GET", this.#path("readiness", "stream"), ask)) {
        return (objectOf(frame.data).type ?? frame.event) === "ready";
      }
    } catch (error) {
      if (!(error instanceof NotFoundError || error instanceof TransportError)) throw error;
    }
    return false;
  }

  async #about(what: string, options: CallOptions & { readonly window?: string }): Promise<unknown> {
    const ask = { query: { window: options.window }, signal: options.signal };
    return this.#transport.request("GET", this.#path(what), ask);
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
