/**
 * The real server for your own tests: server, egressd and cell on a temporary state folder and a free port, gone at the end.
 *
 *     import { startServer, type TestServer } from "openmiosa/testing";
 *     import { test as base } from "vitest";
 *
 *     export const test = base.extend<object, { server: TestServer }>({
 *       server: [async ({}, use) => {
 *         await using server = await startServer();
 *         await use(server);
 *       }, { scope: "worker" }],
 *     });
 *
 *     test("the agent answers", async ({ server }) => {
 *       await using sandbox = await server.client().sandboxes.create();
 *       …
 *     });
 *
 * Needs `openmiosa-server` (`pip install openmiosa-server`) and a host that can run sandboxes (`openmiosa doctor`).
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { Miosa } from "./client.js";
import { object } from "./envelope.js";
import { ConfigurationError } from "./errors.js";
import type { MiosaOptions } from "./transport.js";

/** How the server is started. */
export interface ServerOptions {
  /** A configuration file whose settings are merged in, for static hosts or providers of stand-ins. */
  readonly config?: string;
  /** The command line before `up`; `OPENMIOSA_COMMAND` or `openmiosa` when not given. */
  readonly command?: readonly string[];
  /** Milliseconds until it must be ready; a minute when not given. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const ALL_READ = 64 * 1024;

/** Start `openmiosa up --ephemeral` and wait until it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const [program = "openmiosa", ...before] = options.command ?? commandOf(process.env.OPENMIOSA_COMMAND);
  const words = [...before, "up", "--ephemeral", ...(options.config ? ["--config", options.config] : [])];
  const env = { ...process.env, ...options.env };
  const child = spawn(program, words, { env, stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-ALL_READ);
  });
  const timeout = options.timeout ?? 60_000;
  const timer = setTimeout(() => child.kill("SIGTERM"), timeout);
  try {
    return new TestServer(child, await greeting(child));
  } catch (error) {
    child.kill("SIGTERM");
    throw new ConfigurationError(
      `\`${[program, ...words].join(" ")}\` was not ready within ${timeout / 1000} s. It comes with \`pip install openmiosa-server\`; ` +
        `OPENMIOSA_COMMAND names another command. The end of what it said:\n${said}`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** A running OpenMIOSA of a test's own. */
export class TestServer {
  readonly baseUrl: string;
  /** An admin key. */
  readonly apiKey: string;
  /** The temporary state folder. */
  readonly state: string;
  readonly #child: ChildProcess;

  /** @internal */
  constructor(child: ChildProcess, said: Greeting) {
    this.#child = child;
    this.baseUrl = said.base_url;
    this.apiKey = said.api_key;
    this.state = said.state;
  }

  /** A client of it with the admin key, or another. */
  client(options: MiosaOptions = {}): Miosa {
    return new Miosa({ apiKey: this.apiKey, baseUrl: this.baseUrl, ...options });
  }

  /** The variables that point a program at it. */
  get env(): Record<string, string> {
    return { MIOSA_API_KEY: this.apiKey, MIOSA_BASE_URL: this.baseUrl };
  }

  /** End it, and everything that runs in it. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    // It ends when its standard input does, so also when this process dies.
    this.#child.stdin?.end();
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

interface Greeting {
  readonly base_url: string;
  readonly api_key: string;
  readonly state: string;
}

/** The one line of JSON that it prints when it is ready. */
async function greeting(child: ChildProcess): Promise<Greeting> {
  if (!child.stdout) throw new Error("no standard output");
  const lines = createInterface({ input: child.stdout });
  const failed = once(child, "error").then(([error]) => Promise.reject(error));
  const first = once(lines, "line").then(([line]) => String(line));
  const closed = once(child, "exit").then(([status, signal]) =>
    Promise.reject(new Error(`ended with ${status ?? signal}`)),
  );
  const said = object(JSON.parse(await Promise.race([first, failed, closed])));
  closed.catch(() => undefined);
  failed.catch(() => undefined);
  if (typeof said?.base_url !== "string") throw new Error("its first line is not what was expected");
  return said as unknown as Greeting;
}

function commandOf(text: string | undefined): readonly string[] {
  return text?.trim() ? text.trim().split(/\s+/) : ["openmiosa"];
}
