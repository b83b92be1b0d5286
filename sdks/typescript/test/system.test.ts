/** The client against the real system: server, egressd and cell, and an upstream with real TLS. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test as base, beforeAll, describe, expect } from "vitest";
import { WebSocket } from "ws";
import {
  AuthenticationError,
  InsufficientScopeError,
  type Miosa,
  NameTakenError,
  NoRulesError,
  NotFoundError,
  type Sandbox,
} from "../src/index.js";
import { download, upload } from "../src/node.js";
import type { TestServer } from "../src/testing.js";
import { HOST, startSystem, Upstream } from "./kit.js";

// What an agent does: an ordinary library, no word of this project. Prints status and body.
const CALL = `
import os, sys, urllib.error, urllib.request
headers = {"Authorization": "Bearer " + os.environ.get("UPSTREAM_KEY", "none")}
request = urllib.request.Request("https://" + sys.argv[1] + "/v1/things", headers=headers)
try:
    answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
`;
const KEY = {
  name: "up_key",
  value: "sk-first-real-value-upstream-a1b2",
  exposeAsEnv: "UPSTREAM_KEY",
  allowedHosts: [HOST],
};

let upstream: Upstream;
let server: TestServer;
let client: Miosa;

beforeAll(async () => {
  upstream = new Upstream();
  const address = await upstream.start();
  server = await startSystem({
    upstream: { static_hosts: { [`${HOST}:443`]: address }, extra_ca_files: [upstream.authority] },
  });
  client = server.client({ webSocket: WebSocket });
});

afterAll(async () => {
  await server?.stop();
  await upstream?.stop();
});

/** A sandbox that knows how to call the upstream. */
const test = base.extend<{ box: Sandbox }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads a fixture's needs from this pattern
  box: async ({}, use) => {
    await using made = await client.sandboxes.create();
    await made.files.write("/workspace/call.py", CALL);
    await use(made);
  },
});

const call = async (box: Sandbox, host = HOST) =>
  (await box.exec(`python3 /workspace/call.py ${host}`)).check().stdout.trim();

describe("commands", () => {
  test("run with their input, folder and variables", async ({ box }) => {
    const options = { stdin: "in\n", cwd: "/tmp", env: { A: "x y" } };
    const result = await box.exec("cat; pwd; echo $A; echo err >&2; exit 3", options);
    expect([result.stdout, result.stderr, result.exitCode]).toEqual(["in\n/tmp\nx y\n", "err\n", 3]);
  });

  test("given as a list meet no shell", async ({ box }) => {
    expect((await box.exec(["echo", "$HOME;", "a  b"])).stdout).toBe("$HOME; a  b\n");
  });

  test("are ended by their timeout", async ({ box }) => {
    expect((await box.exec("sleep 60", { timeout: 500 })).ok).toBe(false);
  });

  test("are streamed before they end, exactly", async ({ box }) => {
    (await box.exec("mkfifo /workspace/go")).check();
    const command = "printf 'one\\ntwo\\n'; read -r line < /workspace/go; printf '%s' \"$line\"; exit 4";
    const found: unknown[] = [];
    for await (const event of box.exec.stream(command)) {
      found.push(event.type === "exit" ? event.exitCode : event.data);
      if (found.length === 2) await box.exec("echo three > /workspace/go");
    }
    expect(found).toEqual(["one\n", "two\n", "three", 4]);
  });

  test("in the background are watched and stopped", async ({ box }) => {
    const { pid } = await box.processes.start("echo begun; exec sleep 600", { name: "sleeper" });
    expect((await box.processes.stream(pid).next()).value).toBe("begun");
    expect(await box.processes.logs(pid)).toBe("begun\n");
    expect((await box.processes.list()).map((one) => one.pid)).toContain(pid);
    await box.processes.stop(pid);
    expect((await box.processes.wait(pid, { timeout: 20_000 })).status).toBe("exited");
  });
});

describe("a terminal", () => {
  test("is one, and has a size", async ({ box }) => {
    await using terminal = await box.shell("stty size; read -r word; stty size; exit $word", { rows: 30, cols: 100 });
    let shown = "";
    for await (const { data } of terminal) {
      shown += new TextDecoder().decode(data);
      if (shown.includes("30 100") && !shown.includes("sent")) {
        terminal.resize(50, 132);
        terminal.send("5\n");
        shown += "sent";
      }
    }
    expect(shown).toContain("50 132");
    expect(terminal.exitCode).toBe(5);
  });

  test("that is none keeps streams apart, and its input ends", async ({ box }) => {
    await using terminal = await box.shell("cat; echo err >&2", { tty: false });
    terminal.send("typed");
    terminal.closeStdin();
    const written = { stdout: "", stderr: "" };
    for await (const { stream, data } of terminal) written[stream] += new TextDecoder().decode(data);
    expect(written).toEqual({ stdout: "typed", stderr: "err\n" });
  });

  test("of a sandbox that is gone is not found", async ({ box }) => {
    await box.destroy();
    await expect(box.shell()).rejects.toThrow(NotFoundError);
  });
});

describe("files", () => {
  test("go in and come out as they were", async ({ box }) => {
    const folder = await mkdtemp(join(tmpdir(), "openmiosa-system-"));
    const content = Buffer.alloc(1_048_576, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
    await mkdir(join(folder, "deep"));
    await writeFile(join(folder, "deep", "data.bin"), content);
    await writeFile(join(folder, "run.sh"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
    await upload(box, folder, "/workspace/in");
    await download(box, "/workspace/in/deep/data.bin", join(folder, "out.bin"));
    expect((await readFile(join(folder, "out.bin"))).equals(content)).toBe(true);
    expect((await box.exec("/workspace/in/run.sh")).stdout).toBe("ran\n");
    await rm(folder, { recursive: true });
  });

  test("are made, listed and removed", async ({ box }) => {
    await box.files.mkdir("/workspace/a/b/c");
    await box.files.writeMany({ "/workspace/a/b/é.txt": "x" });
    const listed = await box.files.list("/workspace/a/b");
    expect(new Map(listed.map((one) => [one.name, one.isDir]))).toEqual(
      new Map([
        ["c", true],
        ["é.txt", false],
      ]),
    );
    expect((await box.files.stat("/workspace/a/b/é.txt")).size).toBe(1);
    expect((await box.files.tree("/workspace/a")).children.map((one) => one.name)).toEqual(["b"]);
    await box.files.delete("/workspace/a", { recursive: true });
    expect(await box.files.exists("/workspace/a")).toBe(false);
    await expect(box.files.read("/workspace/a/b/é.txt")).rejects.toThrow(NotFoundError);
  });

  test("are watched", async ({ box }) => {
    // Written again and again until the watch, which nobody can see begin, has seen it.
    const { pid } = await box.processes.start("while sleep 0.1; do date > /workspace/new; done");
    for await (const change of box.files.watch("/workspace")) {
      expect(change).toMatchObject({ path: "/workspace/new", isDir: false });
      break;
    }
    await box.processes.stop(pid);
  });

  test("leave as one archive", async ({ box }) => {
    await box.files.write("/workspace/a.txt", "hello");
    const archive = await (await box.files.export("/workspace")).bytes();
    expect([...archive.subarray(0, 2)]).toEqual([0x1f, 0x8b]);
  });
});

describe("a sandbox", () => {
  test("is found, paused, resumed and made once", async () => {
    await using first = await client.sandboxes.getOrCreate("twice");
    expect((await client.sandboxes.getOrCreate("twice")).id).toBe(first.id);
    expect((await client.sandboxes.list().all()).map((one) => one.id)).toContain(first.id);
    await expect(client.sandboxes.create("twice")).rejects.toThrow(NameTakenError);
    expect((await first.pause()).state).toBe("paused");
    expect((await (await client.sandboxes.getOrCreate("twice")).exec("echo awake")).stdout).toBe("awake\n");
  });

  test("has variables, and forgets them one by one", async ({ box }) => {
    await box.env.set({ A: "1", B: "2" });
    expect((await box.exec("echo $A$B")).stdout).toBe("12\n");
    await box.env.delete("A");
    expect((await box.env.list()).map((one) => one.key)).toEqual(["B"]);
  });

  test("goes on elsewhere from a snapshot", async ({ box }) => {
    await box.files.write("/workspace/kept", "then");
    const { id } = await box.snapshots.create("before");
    await box.files.write("/workspace/kept", "now");
    await using again = await box.snapshots.restore(id);
    await again.waitUntilReady();
    expect(await again.files.readText("/workspace/kept")).toBe("then");
    await box.snapshots.delete(id);
  });

  test("shows a port of its own", async ({ box }) => {
    await box.files.write("/workspace/index.html", "hello");
    await box.processes.start("python3 -m http.server 8000 --directory /workspace");
    const preview = await box.previews.open(8000);
    await expect.poll(() => fetch(preview.url).then((page) => page.text(), String), { timeout: 20_000 }).toBe("hello");
    await box.previews.close(preview.id);
    expect(await box.previews.list()).toEqual([]);
  });

  test("says how it is, what it uses and what it has made", async ({ box }) => {
    expect((await box.readiness()).ready).toBe(true);
    expect((await box.usage()).sandboxId).toBe(box.id);
    expect((await box.metrics()).tasks).toBeGreaterThan(0);
    expect((await box.resources()).resources?.memoryMb).toBe(box.info.memoryMb);
    await box.files.write("/workspace/artifacts/report.txt", "done");
    expect((await box.artifacts()).artifacts?.files.map((one) => one.name)).toEqual(["report.txt"]);
  });

  test("tells what its background processes write", async ({ box }) => {
    await box.processes.start("echo begun; exec sleep 600");
    expect((await box.logsStream().next()).value).toBe("begun");
    expect(await box.logs({ lines: 5 })).toContain("begun");
  });

  test("is copied with its files", async ({ box }) => {
    await box.files.write("/workspace/kept", "x");
    await using copy = await box.fork({ name: "copy" });
    await copy.waitUntilReady();
    expect([copy.name, await copy.files.readText("/workspace/kept")]).toEqual(["copy", "x"]);
  });
});

describe("a secret", () => {
  test("is a placeholder inside and itself only upstream", async ({ box }) => {
    const kept = await box.secrets.set(KEY);
    const inside = (await box.exec("printenv UPSTREAM_KEY")).stdout.trim();
    expect(inside).toBe(kept.binding?.placeholder);
    expect(inside).toMatch(/^miosa-tok-/);
    expect(await call(box)).toBe("200 fine");
    expect(upstream.credentials.at(-1)).toBe(`Bearer ${KEY.value}`);
    expect(await box.secrets.list()).toMatchObject([{ name: "up_key", preview: "a1b2" }]);
  });

  test("that is rotated counts at once and keeps its placeholder", async ({ box }) => {
    await box.secrets.set(KEY);
    const before = (await box.exec("printenv UPSTREAM_KEY")).stdout;
    await call(box);
    expect((await box.secrets.rotate("up_key", "sk-second-real-value")).version).toBe(2);
    await call(box);
    expect(upstream.credentials.slice(-2)).toEqual([`Bearer ${KEY.value}`, "Bearer sk-second-real-value"]);
    expect((await box.exec("printenv UPSTREAM_KEY")).stdout).toBe(before);
  });

  test("that is deleted is gone", async ({ box }) => {
    await box.secrets.set(KEY);
    await box.secrets.delete("up_key");
    expect((await box.exec("printenv UPSTREAM_KEY")).stdout).toBe("");
    await expect(box.secrets.get("up_key")).rejects.toThrow(NotFoundError);
  });
});

describe("the network", () => {
  test("is locked down by what was seen", async ({ box }) => {
    await call(box);
    const error = await box.network.lockdown().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NoRulesError);
    const hosts = (error as NoRulesError).observed.map((one) => one.host);
    expect(hosts).toEqual([HOST]);
    expect((await box.network.lockdown(hosts)).mode).toBe("enforce");
    expect(await call(box)).toBe("200 fine");
    expect(await call(box, "other.example.com")).toMatch(/^403 blocked: 403 MIOSA-Egress-Deny/);
    expect((await box.network.pending()).map((one) => one.host)).toEqual(["other.example.com"]);
    expect((await box.network.observe()).mode).toBe("audit_only");
    expect((await box.network.getPolicy()).mode).toBe("audit_only");
  });

  test("has rules that come and go by host", async ({ box }) => {
    const rule = await box.network.allow(HOST, { methods: ["GET"], pathGlob: "/v1/*" });
    await box.network.deny("bad.example.com");
    expect(new Set((await box.network.rules()).map((one) => one.host))).toEqual(new Set([HOST, "bad.example.com"]));
    await box.network.remove("bad.example.com");
    await box.network.remove(rule.id);
    expect(await box.network.rules()).toEqual([]);
  });
});

describe("the audit log", () => {
  test("has every call, live, listed and exported", async ({ box }) => {
    await box.secrets.set(KEY);
    await using tail = await box.audit.tail().open();
    await call(box);
    const { value: event } = await tail.next();
    expect(`${event}`).toBe(`[audit] allow ${HOST} HTTP 200 secrets=up_key`);
    expect((await box.audit.get(event?.id ?? "")).path).toBe("/v1/things");
    expect((await box.audit.list({ host: HOST }).all()).map((one) => one.id)).toEqual([event?.id]);
    const exported = await (await box.audit.export("jsonl", { host: HOST })).text();
    expect(
      exported
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual([event?.id]);
  });

  test("of the tenant has them as well", async ({ box }) => {
    await using tail = await client.audit.tail().open();
    await call(box);
    expect((await tail.next()).value?.resourceId).toBe(box.id);
  });
});

describe("a key", () => {
  test("is changed, given a new token, and made from a preset", async () => {
    await client.apiKeys.savePreset("looker", ["audit:read"], { description: "looks" });
    expect((await client.apiKeys.presets()).map((one) => one.name)).toContain("looker");
    const made = await client.apiKeys.create("one", { preset: "looker" });
    expect((await client.apiKeys.update(made.id, { name: "two" })).name).toBe("two");
    const rotated = await client.apiKeys.rotate(made.id);
    await expect(server.client({ apiKey: made.token }).whoami()).rejects.toThrow(AuthenticationError);
    expect((await server.client({ apiKey: rotated.token }).whoami()).scopes).toEqual(["audit:read"]);
    expect((await client.apiKeys.events(made.id).all()).length).toBeGreaterThan(1);
    await client.apiKeys.deletePreset("looker");
  });

  test("is derived for a short while", async () => {
    const token = await client.tokens.createScoped("user-42", { scopes: ["audit:read"], expiresInSeconds: 60 });
    expect((await server.client({ apiKey: token.token }).whoami()).scopes).toEqual(["audit:read"]);
    expect((await client.sseTicket()).expiresIn).toBeGreaterThan(0);
  });

  test("does what its scopes say until it is deleted", async () => {
    const made = await client.apiKeys.create("reader", { scopes: ["sandboxes:read"] });
    const reader = server.client({ apiKey: made.token });
    await reader.sandboxes.list().all();
    const refused = await reader.sandboxes.create("never").catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(InsufficientScopeError);
    expect((refused as InsufficientScopeError).required).toBe("sandboxes:write");
    await client.apiKeys.delete(made.id);
    await expect(reader.sandboxes.list().all()).rejects.toThrow(AuthenticationError);
    expect((await client.adminLog.list({ action: "identity:key:create" }).first())?.metadata).toMatchObject({
      name: "reader",
    });
  });

  test("of nobody is refused", async () => {
    await expect(server.client({ apiKey: "msk_live_nobody" }).whoami()).rejects.toThrow(AuthenticationError);
  });
});
