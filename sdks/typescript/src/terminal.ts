/** A command with its standard streams, or a whole terminal, over a WebSocket. */

import { ConnectionLostError } from "./errors.js";
import type { Command } from "./exec.js";
import type { TerminalOutput } from "./models/index.js";
import type { CallOptions, Transport, WebSocketLike } from "./transport.js";
import { objectOf, path } from "./wire.js";

const PROTOCOL = "openmiosa-terminal-v1";
const OPEN = 1;

/** What is started, and how large its window is. */
export interface ShellOptions extends CallOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly rows?: number;
  readonly cols?: number;
  /** False keeps stdout and stderr apart, without a terminal. */
  readonly tty?: boolean;
}

/** Start a command, or a shell when none is given, and talk to it. */
export async function openTerminal(
  transport: Transport,
  sandboxId: string,
  command: Command | undefined,
  options: ShellOptions,
): Promise<Terminal> {
  const { cwd, env = {}, rows = 24, cols = 80, tty = true } = options;
  const query = new URLSearchParams({ rows: String(rows), cols: String(cols), tty: String(tty) });
  if (typeof command === "string") query.set("command", command);
  else for (const part of command ?? []) query.append("argv", part);
  if (cwd !== undefined) query.set("cwd", cwd);
  for (const [name, value] of Object.entries(env)) query.append("env", `${name}=${value}`);
  options.signal?.throwIfAborted();
  const socket = transport.connect(path("sandboxes", sandboxId, "terminal", "stream"), query, PROTOCOL);
  const terminal = new Terminal(socket, tty, options.signal);
  if (!(await terminal.opened)) {
    options.signal?.throwIfAborted();
    // A refused upgrade tells nobody why; this call is refused for the same reason and says which.
    await transport.request("GET", path("sandboxes", sandboxId), { signal: options.signal });
    throw new ConnectionLostError(`the terminal could not be opened at ${transport.baseUrl}`);
  }
  return terminal;
}

/** A running command: send it bytes, loop over what it writes; `exitCode` is set once it has ended. It is hung up by `close()`. */
export class Terminal implements AsyncIterable<TerminalOutput> {
  /** Set once the command has ended. */
  exitCode: number | undefined;
  /** How many bytes of its output came faster than they were read, and could not be kept by the server. */
  lost = 0;
  /** Whether the connection came about. @internal */
  readonly opened: Promise<boolean>;
  readonly #socket: WebSocketLike;
  readonly #tty: boolean;
  readonly #arrived: TerminalOutput[] = [];
  readonly #signal: AbortSignal | undefined;
  #ended: string | undefined;
  #wake: () => void = () => undefined;

  /** @internal */
  constructor(socket: WebSocketLike, tty: boolean, signal?: AbortSignal) {
    this.#socket = socket;
    this.#tty = tty;
    this.#signal = signal;
    socket.binaryType = "arraybuffer";
    this.opened = new Promise((resolve) => {
      socket.addEventListener("open", () => resolve(true));
      socket.addEventListener("error", () => resolve(false));
      socket.addEventListener("close", (event) => {
        resolve(false);
        this.#end(event.reason || `code ${event.code}`);
      });
    });
    socket.addEventListener("message", (event) => this.#take(event.data));
    signal?.addEventListener("abort", this.#giveUp, { once: true });
  }

  /** Type into it. */
  send(data: string | Uint8Array): void {
    this.#send(typeof data === "string" ? new TextEncoder().encode(data) : (data as Uint8Array<ArrayBuffer>));
  }

  /** Tell it the size of the window. */
  resize(rows: number, cols: number): void {
    this.#send(JSON.stringify({ type: "resize", rows, cols }));
  }

  /** Send a signal by name, such as SIGINT. */
  sendSignal(signal: string): void {
    this.#send(JSON.stringify({ type: "signal", signal }));
  }

  /** Say that nothing more will be typed. */
  closeStdin(): void {
    this.#send(JSON.stringify({ type: "stdin_close" }));
  }

  /** What it writes, until it has ended; a loop that is left can be taken up again. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalOutput, void> {
    for (;;) {
      const output = this.#arrived.shift();
      if (output) yield output;
      else if (this.exitCode !== undefined) return;
      else if (this.#signal?.aborted) throw this.#signal.reason;
      else if (this.#ended !== undefined) {
        throw new ConnectionLostError(`the terminal was closed before the command ended: ${this.#ended}`);
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Let it run to its end, dropping what it writes; its exit code. */
  async wait(): Promise<number> {
    for await (const _ of this);
    return this.exitCode ?? 0;
  }

  /** Hang up; a command that still runs is ended. */
  close(): void {
    this.#signal?.removeEventListener("abort", this.#giveUp);
    this.#socket.close(1000);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState !== OPEN) {
      throw new ConnectionLostError(`the terminal is closed${this.#ended ? `: ${this.#ended}` : ""}`);
    }
    this.#socket.send(data);
  }

  #take(data: unknown): void {
    if (typeof data === "string") {
      const said = objectOf(data);
      if (said.type === "exit") this.exitCode = Number(said.exit_code ?? 0);
      else if (said.type === "gap") this.lost += Number(said.to ?? 0) - Number(said.from ?? 0);
    } else {
      const bytes = new Uint8Array(data as ArrayBuffer);
      const stream = !this.#tty && bytes[0] === 2 ? "stderr" : "stdout";
      this.#arrived.push({ stream, data: this.#tty ? bytes : bytes.subarray(1) });
    }
    this.#wake();
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#signal?.removeEventListener("abort", this.#giveUp);
    this.#wake();
  }

  readonly #giveUp = (): void => {
    this.#socket.close(1000);
    this.#wake();
  };
}
