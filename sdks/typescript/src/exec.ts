/** Commands in a sandbox: run to the end, streamed, or in the background. */

import { type Json, many, object, one } from "./envelope.js";
import { ConnectionLostError, WaitTimeoutError } from "./errors.js";
import { ExecResult, type OutputEvent, Process } from "./models/index.js";
import { sleep } from "./patience.js";
import type { Frame } from "./sse.js";
import { type CallOptions, SILENCE, type Transport } from "./transport.js";
import { given, objectOf, path, saidInStream } from "./wire.js";

/** A string goes to a shell, a list is run as it is. */
export type Command = string | readonly string[];

/** The surroundings of a command. */
export interface ExecOptions extends CallOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which the server ends the command. */
  readonly timeout?: number;
  /** What the command reads from its standard input. */
  readonly stdin?: string;
}

/** The surroundings of a process in the background. */
export interface ProcessOptions extends CallOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly name?: string;
}

/** Runs commands: call it, or use `run` and `stream`. */
export interface Exec {
  /** Run a command to its end. A non-zero exit is a result, not an error; `.check()` makes it one. */
  (command: Command, options?: ExecOptions): Promise<ExecResult>;
  /** The same as calling it. */
  run(command: Command, options?: ExecOptions): Promise<ExecResult>;
  /** Run a command and give its output as it comes; the last event is its exit. Leaving the loop ends the command. */
  stream(command: Command, options?: ExecOptions): AsyncGenerator<OutputEvent, void>;
}

/** The commands of one sandbox. */
export function execOf(transport: Transport, sandboxId: string): Exec {
  const run = async (command: Command, options: ExecOptions = {}): Promise<ExecResult> => {
    // Answers of commands are not remembered for a repeat, so it is not repeated once it may have started.
    const ask = { json: bodyOf(command, options), timeout: SILENCE, repeatable: false, signal: options.signal };
    const record = one(await transport.request("POST", path("sandboxes", sandboxId, "exec"), ask));
    // What went wrong after the status was sent stands beside a result that is none.
    if (object(record.error)) throw saidInStream(JSON.stringify(record));
    return ExecResult.decode(record);
  };
  async function* stream(command: Command, options: ExecOptions = {}): AsyncGenerator<OutputEvent, void> {
    const ask = { json: bodyOf(command, options), signal: options.signal };
    for await (const frame of await transport.events("POST", path("sandboxes", sandboxId, "exec", "stream"), ask)) {
      const event = outputOf(frame);
      if (event) yield event;
      if (event?.type === "exit") return;
    }
    throw new ConnectionLostError("the stream ended before the command did; it may still be running");
  }
  return Object.assign((command: Command, options?: ExecOptions) => run(command, options), { run, stream });
}

/** Processes in the background of a sandbox. */
export class Processes {
  readonly #transport: Transport;
  readonly #sandboxId: string;

  constructor(transport: Transport, sandboxId: string) {
    this.#transport = transport;
    this.#sandboxId = sandboxId;
  }

  /** Start a command and return at once. */
  async start(command: Command, options: ProcessOptions = {}): Promise<Process> {
    // A failure of the server may come after the start; a second start would be a second process.
    const ask = { json: bodyOf(command, options), afterFailure: false, signal: options.signal };
    return Process.decode(one(await this.#transport.request("POST", this.#path(), ask)));
  }

  /** All of them, ended ones too while they are remembered. */
  async list(options: CallOptions = {}): Promise<Process[]> {
    return many(await this.#transport.request("GET", this.#path(), { signal: options.signal })).map(Process.decode);
  }

  /** One of them. */
  async get(pid: number, options: CallOptions = {}): Promise<Process> {
    const ask = { signal: options.signal };
    return Process.decode(one(await this.#transport.request("GET", this.#path(String(pid)), ask)));
  }

  /** End one: TERM, and KILL when it does not go. */
  async stop(pid: number, options: CallOptions = {}): Promise<void> {
    await this.#transport.request("DELETE", this.#path(String(pid)), { signal: options.signal });
  }

  /** The last lines of its output; 200 when `tail` is not given. */
  async logs(pid: number, options: CallOptions & { readonly tail?: number } = {}): Promise<string> {
    const ask = { query: { tail: options.tail ?? 200 }, signal: options.signal };
    return textOf(await this.#transport.request("GET", this.#path(String(pid), "logs"), ask));
  }

  /** Its output line by line, until it ends. */
  async *stream(pid: number, options: CallOptions = {}): AsyncGenerator<string, void> {
    yield* linesOf(await this.#transport.events("GET", this.#path(String(pid), "stream"), { signal: options.signal }));
  }

  /** Its record once it has ended; `timeout` in milliseconds, five minutes when not given. */
  async wait(pid: number, options: CallOptions & { readonly timeout?: number } = {}): Promise<Process> {
    const timeout = options.timeout ?? 300_000;
    const deadline = performance.now() + timeout;
    for (;;) {
      const process = await this.get(pid, options);
      if (process.exitCode !== undefined) return process;
      if (performance.now() > deadline) {
        throw new WaitTimeoutError(`process ${pid} was still running after ${timeout / 1000} s`);
      }
      await sleep(100, options.signal);
    }
  }

  #path(...more: string[]): string {
    return path("sandboxes", this.#sandboxId, "processes", ...more);
  }
}

/** The lines that a stream of frames carries. */
export async function* linesOf(frames: AsyncIterable<Frame>): AsyncGenerator<string, void> {
  for await (const frame of frames) {
    const said = objectOf(frame.data);
    if ("line" in said && !("gap" in said)) yield String(said.line);
  }
}

/** Text that comes as such, or under `data` or `logs`. */
export function textOf(reply: unknown): string {
  const record = object(reply);
  const said = record ? (object(record.data)?.logs ?? record.data ?? record.logs) : reply;
  return Array.isArray(said) ? said.join("\n") : String(said ?? "");
}

function bodyOf(command: Command, options: ExecOptions & ProcessOptions): Json {
  const { timeout, ...others } = options;
  const what = typeof command === "string" ? { command } : { argv: command.map(String) };
  // The wire counts in seconds.
  return { ...what, ...given({ ...others, timeout: timeout === undefined ? undefined : timeout / 1000 }) };
}

/** A frame of the stream as an event; undefined for what is neither output nor the end. */
function outputOf(frame: Frame): OutputEvent | undefined {
  const said = objectOf(frame.data);
  const type = said.type ?? frame.event;
  if (type === "exit") return { type, exitCode: Number(said.exit_code ?? 0) };
  if (type !== "stdout" && type !== "stderr") return undefined;
  // A line has lost its line end, unless it is a part of one.
  return { type, data: String(said.line ?? "") + (said.partial || "gap" in said ? "" : "\n") };
}
