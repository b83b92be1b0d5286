/** A server that answers what a test has written down, over real sockets; and the client that talks to it. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test as base } from "vitest";
import { Miosa, type Sandbox } from "../src/index.js";
import { pace as retryPace } from "../src/retry.js";
import { pace as tailPace } from "../src/tail.js";

export const KEY = "msk_live_test";
const BASE = "/api/v1";

/** One scripted answer: JSON, text or bytes; a stream of chunks, a promise among them being waited for; or a connection that breaks. */
export interface Reply {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly chunks?: readonly (string | Uint8Array | Promise<unknown>)[];
  readonly drop?: boolean;
}

/** One request, as it arrived. */
export interface Seen {
  readonly method: string;
  /** Path and query, as they came. */
  readonly url: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly json: unknown;
}

/** Answers each route with its replies in turn; the last one stays. A route without any answers 404. */
export class ScriptedServer {
  readonly seen: Seen[] = [];
  readonly #scripts = new Map<string, Reply[]>();
  readonly #open = new Set<Socket>();
  #http: Server | undefined;
  port = 0;
  /** How many answers are not at their end. */
  answering = 0;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Script a route below the API's base. */
  on(method: string, path: string, ...replies: Reply[]): void {
    this.#scripts.set(`${method} ${path}`, replies);
  }

  /** Script a route that always answers the same JSON. */
  answers(method: string, path: string, body: unknown, status = 200): void {
    this.on(method, path, { status, body });
  }

  /** What came to one route. */
  requests(method: string, path: string): Seen[] {
    return this.seen.filter((one) => one.method === method && one.path === path);
  }

  /** Listen, on the same port as before if there was one. */
  async start(): Promise<this> {
    const http = createServer((request, response) => void this.#answer(request, response));
    http.on("connection", (socket) => {
      this.#open.add(socket);
      socket.on("close", () => this.#open.delete(socket));
    });
    await new Promise<void>((resolve) => http.listen(this.port, "127.0.0.1", resolve));
    this.port = (http.address() as AddressInfo).port;
    this.#http = http;
    return this;
  }

  /** End it, and every connection with it. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#http?.close(resolve));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.answering += 1;
    response.on("close", () => {
      this.answering -= 1;
    });
    const reply = this.#take(await arrived(request));
    if (reply.drop && !reply.chunks) {
      request.socket.destroy();
      return;
    }
    response.writeHead(reply.status ?? 200, { "Content-Type": "application/json", ...reply.headers });
    for (const chunk of reply.chunks ?? [contentOf(reply.body)]) {
      if (chunk instanceof Promise) await chunk;
      else await new Promise((resolve) => response.write(chunk, resolve));
    }
    if (reply.drop) request.socket.destroy();
    else response.end();
  }

  #take(seen: Seen): Reply {
    this.seen.push(seen);
    const script = this.#scripts.get(`${seen.method} ${seen.path}`);
    const [first] = script ?? [];
    if (script && script.length > 1) script.shift();
    const message = `nothing at ${seen.method} ${seen.path}`;
    return first ?? { status: 404, body: { error: { code: "NOT_FOUND", message } } };
  }
}

/** A stream of server-sent events. */
export function sse(...chunks: (string | Uint8Array | Promise<unknown>)[]): Reply {
  return { headers: { "Content-Type": "text/event-stream" }, chunks };
}

/** A promise that stays open until the test says so. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

/** Tests with a scripted server, a client of it, and a sandbox called `agent`; nothing waits for long. */
export const test = base.extend<{ server: ScriptedServer; client: Miosa; sandbox: Sandbox }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads a fixture's needs from this pattern
  server: async ({}, use) => {
    retryPace.first = 1;
    tailPace.first = 1;
    const made = await new ScriptedServer().start();
    await use(made);
    await made.stop();
  },
  client: async ({ server }, use) => {
    await use(new Miosa({ apiKey: KEY, baseUrl: server.url }));
  },
  sandbox: async ({ server, client }, use) => {
    server.answers("GET", "/sandboxes/sbx_1", { data: { id: "sbx_1", name: "agent", state: "running" } });
    await use(await client.sandboxes.get("sbx_1"));
  },
});

async function arrived(request: IncomingMessage): Promise<Seen> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const url = new URL(request.url ?? "/", "http://server");
  const body = Buffer.concat(parts);
  return {
    method: request.method ?? "",
    url: request.url ?? "",
    path: url.pathname.replace(BASE, ""),
    query: Object.fromEntries(url.searchParams),
    headers: request.headers as Record<string, string>,
    body,
    json: jsonOf(body),
  };
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function contentOf(body: unknown): string | Uint8Array {
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  return body === undefined ? "" : JSON.stringify(body);
}
