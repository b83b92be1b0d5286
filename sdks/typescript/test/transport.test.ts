/** Requests: what they carry, when they are sent again, and how failures are called. */

import { createServer } from "node:net";
import { inspect } from "node:util";
import { afterEach, describe, expect, vi } from "vitest";
import {
  AuthenticationError,
  ConfigurationError,
  ConnectionLostError,
  Miosa,
  NotFoundError,
  RequestTimeoutError,
  ServerError,
  UnexpectedReplyError,
  UnreachableError,
} from "../src/index.js";
import { gate, KEY, test } from "./server.js";

const SANDBOX = { data: { id: "sbx_1", name: "agent", state: "running" } };
const RULE = { data: { id: "rul_1", host: "api.openai.com" } };
const BUSY = { status: 503, body: { error: { code: "UNAVAILABLE", message: "later" } } };

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("settings", () => {
  test.for([
    ["http://h:1", "http://h:1/api/v1"],
    ["http://h:1/", "http://h:1/api/v1"],
    ["https://h/prefix", "https://h/prefix/api/v1"],
    ["http://h/api/v1", "http://h/api/v1"],
    ["http://h/api/v2/", "http://h/api/v2"],
  ] as const)("the base URL %s is used as %s", ([given, used]) => {
    expect(new Miosa({ apiKey: KEY, baseUrl: given }).baseUrl).toBe(used);
  });

  test.for(["", "h:7878", "ftp://h", "http://", "http://h?x=1"])("the base URL %o is none", (given) => {
    expect(() => new Miosa({ apiKey: KEY, baseUrl: given })).toThrow(/base URL/);
  });

  test("key and base URL come from the environment", async ({ server }) => {
    vi.stubEnv("MIOSA_API_KEY", "msk_env");
    vi.stubEnv("MIOSA_BASE_URL", server.url);
    server.answers("GET", "/whoami", { data: { tenant_id: "ten_1", scopes: ["audit:read"] } });
    expect((await new Miosa().whoami()).scopes).toEqual(["audit:read"]);
    expect(server.seen[0]?.headers.authorization).toBe("Bearer msk_env");
  });

  test("a missing key says where it comes from", () => {
    vi.stubEnv("MIOSA_API_KEY", "");
    expect(() => new Miosa()).toThrow(ConfigurationError);
    expect(() => new Miosa()).toThrow("MIOSA_API_KEY");
  });

  test("a key with blanks inside is refused without being repeated", () => {
    expect(() => new Miosa({ apiKey: "my password" })).toThrow(/^(?!.*my password).*pasted/);
  });

  test("nothing that can be printed of a client or sandbox holds the key", ({ client, sandbox }) => {
    const shown = [client, sandbox, sandbox.exec, sandbox.secrets].flatMap((one) => [
      inspect(one, { depth: 9, showHidden: true }),
      JSON.stringify(one) ?? "",
      String(one),
    ]);
    expect(shown.join("\n")).not.toContain(KEY);
    expect(String(client)).toContain(client.baseUrl);
  });
});

describe("retries", () => {
  test("a failed mutation is repeated under one idempotency key", async ({ server, client }) => {
    server.on("POST", "/egress/allowlist", BUSY, { drop: true }, { status: 201, body: RULE });
    expect((await client.network.allow("api.openai.com")).id).toBe("rul_1");
    const keys = server.seen.map((one) => one.headers["idempotency-key"]);
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), keys[0], keys[0]]);
  });

  test("two mutations have two idempotency keys", async ({ server, client }) => {
    server.answers("POST", "/egress/allowlist", RULE, 201);
    await client.network.allow("a.example");
    await client.network.allow("a.example");
    expect(new Set(server.seen.map((one) => one.headers["idempotency-key"])).size).toBe(2);
  });

  test("a deletion whose answer was lost is repeated under its idempotency key", async ({ server, client }) => {
    server.on("DELETE", "/egress/secrets/k", { drop: true }, { status: 204 });
    await client.secrets.delete("k");
    const keys = server.seen.map((one) => one.headers["idempotency-key"]);
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), keys[0]]);
  });

  test("content of a file carries no idempotency key", async ({ server, sandbox }) => {
    server.answers("PUT", "/sandboxes/sbx_1/fs/content", {});
    await sandbox.files.upload("x", "/a");
    expect(server.requests("PUT", "/sandboxes/sbx_1/fs/content")[0]?.headers).not.toHaveProperty("idempotency-key");
  });

  test("reads carry no idempotency key", async ({ server, client }) => {
    server.answers("GET", "/sandboxes/agent", SANDBOX);
    await client.sandboxes.get("agent");
    expect(server.seen[0]?.headers).not.toHaveProperty("idempotency-key");
  });

  test("they end", async ({ server, client }) => {
    server.on("GET", "/sandboxes/agent", BUSY);
    await expect(client.sandboxes.get("agent")).rejects.toThrow(ServerError);
    expect(server.seen).toHaveLength(4);
  });

  test("an error that says no is not repeated", async ({ server, client }) => {
    server.answers("GET", "/sandboxes/agent", { error: { code: "INTERNAL", message: "broken", retry: false } }, 500);
    await expect(client.sandboxes.get("agent")).rejects.toThrow("broken");
    expect(server.seen).toHaveLength(1);
  });

  test("an error that says later is repeated whatever its status", async ({ server, client }) => {
    const starting = { error: { code: "SANDBOX_STARTING", message: "soon", retry: true, retry_after: 0.01 } };
    server.on("GET", "/sandboxes/agent", { status: 409, body: starting }, { body: SANDBOX });
    expect((await client.sandboxes.get("agent")).state).toBe("running");
  });

  test("the server's word on how long to wait is kept", async ({ server, client }) => {
    const slow = { error: { code: "RATE_LIMITED", message: "slow down", retry: true } };
    server.on(
      "GET",
      "/sandboxes/agent",
      { status: 429, body: slow, headers: { "Retry-After": "0.2" } },
      { body: SANDBOX },
    );
    const began = performance.now();
    await client.sandboxes.get("agent");
    expect(performance.now() - began).toBeGreaterThan(190);
  });

  test("refusals are not repeated", async ({ server, client }) => {
    server.answers("GET", "/sandboxes/agent", { error: { code: "UNAUTHENTICATED", message: "no" } }, 401);
    await expect(client.sandboxes.get("agent")).rejects.toThrow(AuthenticationError);
    expect(server.seen).toHaveLength(1);
  });

  test("a command that may have started is never repeated", async ({ server, sandbox }) => {
    server.on("POST", "/sandboxes/sbx_1/exec", { drop: true }, { body: { data: { exit_code: 0 } } });
    await expect(sandbox.exec("make-payment")).rejects.toThrow(ConnectionLostError);
    expect(server.requests("POST", "/sandboxes/sbx_1/exec")).toHaveLength(1);
  });

  test("a streamed command that may have started is never repeated either", async ({ server, sandbox }) => {
    server.on("POST", "/sandboxes/sbx_1/exec/stream", { drop: true });
    await expect(sandbox.exec.stream("make-payment").next()).rejects.toThrow(ConnectionLostError);
    expect(server.requests("POST", "/sandboxes/sbx_1/exec/stream")).toHaveLength(1);
  });

  test("a process that may have started when the server failed is not started again", async ({ server, sandbox }) => {
    server.on("POST", "/sandboxes/sbx_1/processes", BUSY);
    await expect(sandbox.processes.start("serve")).rejects.toThrow("later");
    expect(server.requests("POST", "/sandboxes/sbx_1/processes")).toHaveLength(1);
  });

  test("a process whose start was answered and not heard is asked for under the same key", async ({
    server,
    sandbox,
  }) => {
    server.on("POST", "/sandboxes/sbx_1/processes", { drop: true }, { status: 201, body: { pid: "5" } });
    expect((await sandbox.processes.start("serve")).pid).toBe(5);
    const keys = server.requests("POST", "/sandboxes/sbx_1/processes").map((one) => one.headers["idempotency-key"]);
    expect(keys).toEqual([keys[0], keys[0]]);
  });

  test("a command refused before it started is repeated", async ({ server, sandbox }) => {
    const starting = { status: 409, body: { error: { code: "SANDBOX_STARTING", message: "soon", retry: true } } };
    server.on("POST", "/sandboxes/sbx_1/exec", starting, { body: { data: { exit_code: 0 } } });
    expect((await sandbox.exec("true")).ok).toBe(true);
  });

  test("a delete whose answer was lost is done", async ({ server, client }) => {
    const gone = { status: 404, body: { error: { code: "NOT_FOUND", message: "gone" } } };
    server.on("DELETE", "/egress/secrets/key", { drop: true }, gone);
    await client.secrets.delete("key");
    expect(server.seen).toHaveLength(2);
  });

  test("a delete of nothing is not found", async ({ client }) => {
    await expect(client.secrets.delete("key")).rejects.toThrow(NotFoundError);
  });
});

describe("failures", () => {
  test("a server that is not there is unreachable", async () => {
    const client = new Miosa({ apiKey: KEY, baseUrl: `http://127.0.0.1:${await freePort()}`, maxRetries: 0 });
    const error = await client.whoami().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({ sent: false, message: expect.stringContaining("openmiosa up") });
  });

  test("an answer that does not come is a timeout", async ({ server }) => {
    const never = gate();
    server.on("GET", "/whoami", { chunks: [never.passed] });
    const client = new Miosa({ apiKey: KEY, baseUrl: server.url, timeout: 50, maxRetries: 0 });
    await expect(client.whoami()).rejects.toThrow(RequestTimeoutError);
  });

  test("a timeout is about silence, not about how long an answer takes", async ({ server }) => {
    const blanks = Array.from({ length: 8 }, () => [" ", sleeping(30)]).flat();
    server.on("GET", "/whoami", { chunks: [...blanks, '{"data": {"name": "slow"}}'] });
    const client = new Miosa({ apiKey: KEY, baseUrl: server.url, timeout: 150, maxRetries: 0 });
    expect((await client.whoami()).name).toBe("slow");
  });

  test("an answer that breaks off is a lost connection", async ({ server }) => {
    server.on("GET", "/whoami", { chunks: ['{"data": '], drop: true });
    const client = new Miosa({ apiKey: KEY, baseUrl: server.url, maxRetries: 0 });
    await expect(client.whoami()).rejects.toThrow(ConnectionLostError);
  });

  test.for([
    [200, "<html>hello</html>"],
    [302, ""],
  ] as const)("another service that answers %i at the base URL is said", async ([status, body], { server, client }) => {
    server.on("GET", "/whoami", { status, body, headers: { "Content-Type": "text/html", Location: "/login" } });
    const error = await client.whoami().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnexpectedReplyError);
    expect(String(error)).toContain("is the base URL right?");
    expect(server.seen).toHaveLength(1);
  });

  test("names are percent-encoded", async ({ server, client }) => {
    server.answers("GET", "/sandboxes/by-name/n%C3%A9%20w%2Fx", SANDBOX);
    expect((await client.sandboxes.getByName("né w/x")).id).toBe("sbx_1");
  });

  test.for(["", ".", ".."])("the name %o would change the path and is refused", async (name, { client }) => {
    await expect(client.sandboxes.get(name)).rejects.toThrow(/no id and no name/);
  });

  test("any call of the API can be made", async ({ server, client }) => {
    server.answers("POST", "/new/things", { data: { id: "x" } });
    expect(await client.request("POST", "/new/things", { query: { a: 1 }, json: { b: 2 } })).toEqual({
      data: { id: "x" },
    });
    expect(server.seen[0]).toMatchObject({ query: { a: "1" }, json: { b: 2 } });
  });
});

describe("a caller that gives up", () => {
  test("gets its own reason from a call that waits for its answer", async ({ server, client }) => {
    server.on("GET", "/whoami", { chunks: [gate().passed] });
    const controller = new AbortController();
    const call = client.whoami({ signal: controller.signal });
    await vi.waitUntil(() => server.seen.length === 1);
    controller.abort(new RangeError("enough"));
    await expect(call).rejects.toThrow(new RangeError("enough"));
  });

  test("gets it from a call that waits for its next attempt", async ({ server, client }) => {
    server.on("GET", "/whoami", { ...BUSY, headers: { "Retry-After": "20" } });
    const controller = new AbortController();
    const call = client.whoami({ signal: controller.signal });
    await vi.waitUntil(() => server.seen.length === 1);
    controller.abort();
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
    expect(server.seen).toHaveLength(1);
  });

  test("sends nothing when it had given up before", async ({ server, client }) => {
    await expect(client.whoami({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    expect(server.seen).toEqual([]);
  });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

/** A pause that a stand-in makes while it answers; what is tested is that the client bears it. */
function sleeping(milliseconds: number): { then(resolve: () => void): void } & Promise<void> {
  return Object.assign(Promise.resolve(), {
    // biome-ignore lint/suspicious/noThenProperty: the clock starts when the server gets to it, not when the script is written
    then: (resolve: () => void) => void setTimeout(resolve, milliseconds),
  });
}
