/**
 * The real server for your own tests: server, egressd and cell on a temporary state folder and a free port, gone at the end.
 *
 *     import { startServer, type TestServer } from "openmiosa/testing";
 *     import { test as base } from "vitest";
 *
 *     export const test = base.extend<{ server: TestServer }>({
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
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

import { Miosa } from "./client.js";
import { object } from "./envelope.js";
import { ConfigurationError } from "./errors.js";
import type { MiosaOptions } from "./transport.js";

/** How the server is started. */
export interface ServerOptions {
  /** Settings as in `openmiosa.toml`, such as `{ upstream: { static_hosts: { "api.example.com:443": "127.0.0.1:8443" } } }`. */
  readonly settings?: Readonly<Record<string, Settings>>;
  /** The command line before `up`; `OPENMIOSA_COMMAND` or `openmiosa` when not given. */
  readonly command?: readonly string[];
  /** Milliseconds until it must be ready; two minutes when not given. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A value of a setting. */
export type Settings = string | number | boolean | readonly Settings[] | { readonly [name: string]: Settings };

const KEPT = 64 * 1024;

/** Start `openmiosa up --ephemeral` and wait until it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const [program = "openmiosa", ...before] = options.command ?? commandOf(process.env.OPENMIOSA_COMMAND);
  const config = options.settings && (await written(options.settings));
  const words = [...before, "up", "--ephemeral", ...(config ? ["--config", config] : [])];
  const env = { ...process.env, ...options.env };
  // In a session of its own, so that a Ctrl-C at the terminal reaches it only by the end of this program.
  const child = spawn(program, words, { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-KEPT);
  });
  const timeout = options.timeout ?? 120_000;
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
    if (config) await rm(dirname(config), { recursive: true });
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

/** The settings as the file that the server reads at its start. */
async function written(settings: Readonly<Record<string, Settings>>): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "openmiosa-settings-")), "openmiosa.toml");
  const lines = Object.entries(settings).map(([name, value]) => `${JSON.stringify(name)} = ${toml(value)}\n`);
  await writeFile(file, lines.join(""));
  return file;
}

/** A value of TOML on one line; its strings and numbers are written as in JSON. */
function toml(value: Settings): string {
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([name, item]) => `${JSON.stringify(name)} = ${toml(item)}`)
    .join(", ")}}`;
}

function commandOf(text: string | undefined): readonly string[] {
  return text?.trim() ? text.trim().split(/\s+/) : ["openmiosa"];
}
