/** Sandboxes and what hangs on their handle. */

import { describe, expect } from "vitest";
import { MiosaError, SandboxFailedError, WaitTimeoutError } from "../src/index.js";
import { sse, test } from "./server.js";

const BOX = "/sandboxes/sbx_1";
const record = (fields: object = {}) => ({ data: { id: "sbx_1", name: "agent", state: "running", ...fields } });
const MISSING = { status: 404, body: { error: { code: "NOT_FOUND", message: "none" } } };
const TAKEN = { status: 409, body: { error: { code: "NAME_TAKEN", message: "taken" } } };

describe("creation", () => {
  test("sends what was given in the wire's names, and nothing else", async ({ server, client }) => {
    server.answers("POST", "/sandboxes", record(), 201);
    const options = {
      template: "host",
      memoryMb: 512,
      env: { camelCase: "1" },
      externalUserId: "u1",
      extra: { region: "x" },
    };
    const sandbox = await client.sandboxes.create("agent", options);
    expect([sandbox.id, sandbox.name, sandbox.state]).toEqual(["sbx_1", "agent", "running"]);
    expect(server.seen[0]?.query).toEqual({ wait: "true" });
    const json = {
      name: "agent",
      template_id: "host",
      memory_mb: 512,
      env: { camelCase: "1" },
      external_user_id: "u1",
      region: "x",
    };
    expect(server.seen[0]?.json).toEqual(json);
  });

  test("waits until commands can run", async ({ server, client }) => {
    server.answers("POST", "/sandboxes", record({ state: "provisioning" }), 201);
    server.on(
      "GET",
      `${BOX}/readiness/stream`,
      sse('event: timeout\ndata: {"type":"timeout"}\n\n'),
      sse("event: ready\ndata: {}\n\n"),
    );
    server.on("GET", BOX, { body: record({ state: "provisioning" }) }, { body: record() });
    expect((await client.sandboxes.create("agent")).state).toBe("running");
  });

  test("of a sandbox that fails says so", async ({ server, client }) => {
    server.answers("POST", "/sandboxes", record({ state: "error" }), 201);
    await expect(client.sandboxes.create("agent")).rejects.toThrow(SandboxFailedError);
  });

  test("gives up after so long", async ({ server, client }) => {
    server.answers("POST", "/sandboxes", record({ state: "provisioning" }), 201);
    server.on("GET", `${BOX}/readiness/stream`, sse("event: ready\ndata: {}\n\n"));
    server.answers("GET", BOX, record({ state: "provisioning" }));
    await expect(client.sandboxes.create("agent", { waitTimeout: 20 })).rejects.toThrow(WaitTimeoutError);
  });
});

describe("getOrCreate", () => {
  test("gives the one that is there, resumed", async ({ server, client }) => {
    server.answers("GET", "/sandboxes/by-name/agent", record({ state: "paused" }));
    server.answers("POST", `${BOX}/resume`, record());
    expect((await client.sandboxes.getOrCreate("agent")).state).toBe("running");
  });

  test("makes one where there is none", async ({ server, client }) => {
    server.on("GET", "/sandboxes/by-name/agent", MISSING);
    server.answers("POST", "/sandboxes", record(), 201);
    await client.sandboxes.getOrCreate("agent", { size: "small" });
    expect(server.requests("POST", "/sandboxes")[0]?.json).toEqual({ name: "agent", size: "small" });
  });

  test("takes the one that somebody else made between its two calls", async ({ server, client }) => {
    server.on("GET", "/sandboxes/by-name/agent", MISSING, { body: record() });
    server.on("POST", "/sandboxes", TAKEN);
    expect((await client.sandboxes.getOrCreate("agent")).id).toBe("sbx_1");
  });
});

describe("lists", () => {
  test("fetch pages as they are needed", async ({ server, client }) => {
    const page = (id: string, next: string | null) => ({ body: { data: [{ id }], next_cursor: next } });
    server.on("GET", "/sandboxes", page("a", "2"), page("b", null));
    expect((await client.sandboxes.list({ tags: ["x", "y"] }).all()).map((one) => one.id)).toEqual(["a", "b"]);
    expect(server.seen.map((one) => one.query)).toEqual([{ tags: "x,y" }, { tags: "x,y", cursor: "2" }]);
  });

  test("of which only the first is wanted fetch one page", async ({ server, client }) => {
    server.answers("GET", "/sandboxes", { data: [{ id: "a" }], next_cursor: "2" });
    expect((await client.sandboxes.list().first())?.id).toBe("a");
    expect(server.seen).toHaveLength(1);
  });
});

describe("a handle", () => {
  test("takes up what the server answers", async ({ server, sandbox }) => {
    server.answers("POST", `${BOX}/pause`, record({ state: "paused" }));
    server.answers("PATCH", BOX, record({ name: "other" }));
    expect((await sandbox.pause()).state).toBe("paused");
    expect((await sandbox.update({ name: "other", idleTimeoutSec: 5 })).name).toBe("other");
    expect(server.requests("PATCH", BOX)[0]?.json).toEqual({ name: "other", idle_timeout_sec: 5 });
  });

  test("destroys its sandbox at the end of the block, also when the block fails", async ({ server, sandbox }) => {
    server.on("DELETE", BOX, { status: 204 });
    const block = async () => {
      await using box = sandbox;
      throw new RangeError(box.id);
    };
    await expect(block()).rejects.toThrow(new RangeError("sbx_1"));
    expect(server.requests("DELETE", BOX)).toHaveLength(1);
  });

  test("of a sandbox that is gone is destroyed already", async ({ sandbox }) => {
    await expect(sandbox.destroy()).resolves.toBeUndefined();
  });

  test("gives a handle of the sandbox that a snapshot was restored to", async ({ server, sandbox }) => {
    server.answers("POST", `${BOX}/restore/snp_1`, { data: { id: "sbx_2", state: "running" } }, 201);
    expect((await sandbox.snapshots.restore("snp_1")).files).toBeDefined();
  });

  test("lists and replaces variables", async ({ server, sandbox }) => {
    const vars = [{ key: "A", value: "b", encrypted: false }];
    server.answers("PUT", `${BOX}/env`, { data: { vars }, vars });
    expect(await sandbox.env.set({ A: "b" })).toMatchObject([{ key: "A", value: "b" }]);
    expect(server.requests("PUT", `${BOX}/env`)[0]?.json).toEqual({ vars: [{ key: "A", value: "b" }] });
  });
});

describe("commands", () => {
  test("go to a shell as text and are run as they are as a list; seconds go over the wire", async ({
    server,
    sandbox,
  }) => {
    server.answers("POST", `${BOX}/exec`, { data: { stdout: "x\n", exit_code: 0, duration_ms: 1.5 } });
    await sandbox.exec("echo $A", { env: { A: "x" }, cwd: "/tmp", timeout: 1500 });
    await sandbox.exec.run(["echo", "$A"], { stdin: "in" });
    expect(server.requests("POST", `${BOX}/exec`).map((one) => one.json)).toEqual([
      { command: "echo $A", env: { A: "x" }, cwd: "/tmp", timeout: 1.5 },
      { argv: ["echo", "$A"], stdin: "in" },
    ]);
  });

  test("whose failure was found after the status was sent throw it", async ({ server, sandbox }) => {
    const error = { code: "RUNTIME_UNAVAILABLE", message: "the runtime does not answer", retry: true };
    server.answers("POST", `${BOX}/exec`, { data: { stdout: "", stderr: "", exit_code: 255, error } });
    await expect(sandbox.exec("x")).rejects.toMatchObject({ code: "RUNTIME_UNAVAILABLE" });
  });

  test("in the background are started, followed and waited for", async ({ server, sandbox }) => {
    server.answers("POST", `${BOX}/processes`, { pid: "7", status: "running" }, 201);
    server.on("GET", `${BOX}/processes/7`, { body: { pid: "7" } }, { body: { pid: "7", exit_code: 3 } });
    server.answers("GET", `${BOX}/processes/7/logs`, JSON.stringify("one\ntwo\n"));
    const started = await sandbox.processes.start("serve", { name: "web" });
    expect(started.pid).toBe(7);
    expect(await sandbox.processes.logs(7, { tail: 5 })).toBe("one\ntwo\n");
    expect((await sandbox.processes.wait(7)).exitCode).toBe(3);
  });

  test("that do not end are waited for so long", async ({ server, sandbox }) => {
    server.answers("GET", `${BOX}/processes/7`, { pid: "7" });
    await expect(sandbox.processes.wait(7, { timeout: 10 })).rejects.toThrow(WaitTimeoutError);
  });
});

describe("several files at once", () => {
  test("that were not all written are an error", async ({ server, sandbox }) => {
    server.answers("POST", `${BOX}/fs/write-many`, { written: [], failed: [{ path: "/x", error: "read-only" }] });
    await expect(sandbox.files.writeMany({ "/x": "1" })).rejects.toThrow(new MiosaError("not written: /x: read-only"));
  });
});
