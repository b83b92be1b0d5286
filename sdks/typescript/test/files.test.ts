/** Files as streams, with progress, and files of this machine. */

import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { ConnectionLostError, type Progress } from "../src/index.js";
import { download, exportEvents, exportFiles, upload } from "../src/node.js";
import { type ScriptedServer, test } from "./server.js";

const CONTENT = "/sandboxes/sbx_1/fs/content";
const DOWNLOAD = "/sandboxes/sbx_1/fs/download";
const large = Buffer.alloc(300_000, "0123456789");
const BUSY = { status: 503, body: { error: { code: "UNAVAILABLE", message: "later" } } };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "openmiosa-files-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const sent = (server: ScriptedServer) => server.requests("PUT", CONTENT);

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode("one ");
  yield new TextEncoder().encode("two");
}

describe("an upload", () => {
  const kinds = {
    text: () => "one two",
    bytes: () => new TextEncoder().encode("one two"),
    blob: () => new Blob(["one ", "two"]),
    generator: () => pieces(),
    stream: () => new Blob(["one two"]).stream(),
  };

  test.for(Object.entries(kinds))("takes a %s", async ([, make], { server, sandbox }) => {
    server.answers("PUT", CONTENT, { data: {} });
    await sandbox.files.upload(make(), "/workspace/a b", { mode: "755" });
    expect(sent(server)[0]).toMatchObject({ query: { path: "/workspace/a b", mode: "755" } });
    expect(sent(server)[0]?.headers["content-type"]).toBe("application/octet-stream");
    expect(sent(server)[0]?.body.toString()).toBe("one two");
  });

  test("tells its progress", async ({ server, sandbox }) => {
    server.answers("PUT", CONTENT, { data: {} });
    const told: Progress[] = [];
    await sandbox.files.upload(large, "/x", { onProgress: (now) => told.push(now) });
    expect(told.length).toBeGreaterThan(3);
    expect(told.at(-1)).toEqual({ loaded: 300_000, total: 300_000 });
    expect(sent(server)[0]?.body.equals(large)).toBe(true);
  });

  test("of bytes is sent again after a failure, from the beginning", async ({ server, sandbox }) => {
    server.on("PUT", CONTENT, BUSY, { body: { data: {} } });
    await sandbox.files.upload(large, "/x", { onProgress: () => undefined });
    expect(sent(server).map((one) => one.body.length)).toEqual([300_000, 300_000]);
  });

  test("of a function that opens a stream is sent again as well", async ({ server, sandbox }) => {
    server.on("PUT", CONTENT, BUSY, { body: { data: {} } });
    await sandbox.files.upload(() => pieces(), "/x");
    expect(sent(server).map((one) => one.body.toString())).toEqual(["one two", "one two"]);
  });

  test("of a stream, which can be read once, is not", async ({ server, sandbox }) => {
    server.on("PUT", CONTENT, BUSY);
    await expect(sandbox.files.upload(pieces(), "/x")).rejects.toThrow("later");
    expect(sent(server)).toHaveLength(1);
  });

  test("whose source fails fails with the source's own error", async ({ server, sandbox }) => {
    server.answers("PUT", CONTENT, { data: {} });
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      throw new RangeError("the disk is gone");
    }
    await expect(sandbox.files.upload(broken(), "/x")).rejects.toThrow(new RangeError("the disk is gone"));
  });

  test("of a folder keeps names, modes and empty folders", async ({ server, sandbox }) => {
    server.answers("PUT", CONTENT, { data: {} });
    server.answers("POST", "/sandboxes/sbx_1/fs/mkdir", { data: {} }, 201);
    await mkdir(join(folder, "empty"));
    await mkdir(join(folder, "deep"));
    await writeFile(join(folder, "deep", "run.sh"), "#!/bin/sh\n");
    await chmod(join(folder, "deep", "run.sh"), 0o755);
    await writeFile(join(folder, "a.txt"), "a");
    await chmod(join(folder, "a.txt"), 0o640);
    const told: Progress[] = [];
    await upload(sandbox, folder, "/workspace/in", { onProgress: (now) => told.push(now) });
    expect(sent(server).map((one) => one.query)).toEqual([
      { path: "/workspace/in/a.txt", mode: "640" },
      { path: "/workspace/in/deep/run.sh", mode: "755" },
    ]);
    expect(told.at(-1)).toEqual({ loaded: 11, total: 11 });
    const made = server.requests("POST", "/sandboxes/sbx_1/fs/mkdir").map((one) => one.json);
    expect(made).toContainEqual({ path: "/workspace/in/empty", parents: true });
  });

  test("of a folder takes nothing along to which a link leads out of it", async ({ server, sandbox }) => {
    server.answers("PUT", CONTENT, { data: {} });
    server.answers("POST", "/sandboxes/sbx_1/fs/mkdir", { data: {} }, 201);
    await writeFile(join(folder, "credentials"), "held back");
    await mkdir(join(folder, "work"));
    await writeFile(join(folder, "work", "own"), "x");
    await symlink("own", join(folder, "work", "inner"));
    await symlink(join(folder, "credentials"), join(folder, "work", "notes"));
    await symlink(join(folder, "nowhere"), join(folder, "work", "broken"));
    await upload(sandbox, join(folder, "work"), "/workspace/in");
    const paths = ["/workspace/in/inner", "/workspace/in/own"];
    expect(sent(server)).toMatchObject(paths.map((path) => ({ query: { path } })));
  });
});

describe("a download", () => {
  test("is read whole, as text, as a stream, or in a loop", async ({ server, sandbox }) => {
    server.on("GET", DOWNLOAD, { body: Buffer.from("bücher") });
    expect(Buffer.from(await sandbox.files.read("/x")).toString()).toBe("bücher");
    expect(await sandbox.files.readText("/x")).toBe("bücher");
    expect(await new Response(await sandbox.files.readStream("/x")).text()).toBe("bücher");
    let length = 0;
    for await (const chunk of await sandbox.files.download("/x")) length += chunk.length;
    expect(length).toBe(7);
  });

  test("tells its progress and, where the server says it, its size", async ({ server, sandbox }) => {
    server.on("GET", DOWNLOAD, { body: large, headers: { "Content-Length": String(large.length) } });
    const told: Progress[] = [];
    const coming = await sandbox.files.download("/x", { onProgress: (now) => told.push(now) });
    expect(coming.size).toBe(300_000);
    await coming.bytes();
    expect(told.at(-1)).toEqual({ loaded: 300_000, total: 300_000 });
  });

  test("that breaks off is an error, never a short file", async ({ server, sandbox }) => {
    server.on("GET", DOWNLOAD, { chunks: [large], drop: true });
    await expect(sandbox.files.read("/x")).rejects.toThrow(ConnectionLostError);
    await expect(download(sandbox, "/x", join(folder, "x"))).rejects.toThrow(ConnectionLostError);
    expect(await readdir(folder)).toEqual([]);
  });

  test("appears here under its name", async ({ server, sandbox }) => {
    server.on("GET", DOWNLOAD, { body: large });
    await download(sandbox, "/workspace/x", join(folder, "x"));
    expect((await readFile(join(folder, "x"))).equals(large)).toBe(true);
  });

  test("of several paths is one archive", async ({ server, sandbox }) => {
    server.on("GET", "/sandboxes/sbx_1/exports/download", { body: "tar" });
    await exportFiles(sandbox, ["/a", "/b"], join(folder, "x.tar.gz"));
    expect(await readFile(join(folder, "x.tar.gz"), "utf8")).toBe("tar");
    expect(server.seen.at(-1)?.url).toContain("paths%5B%5D=%2Fa&paths%5B%5D=%2Fb");
  });

  test("of the audit log is a file", async ({ server, sandbox }) => {
    server.on("GET", "/egress/audit/export", { body: "id,host\n" });
    await exportEvents(sandbox.audit, "csv", join(folder, "audit.csv"), { host: "a.example" });
    expect(await readFile(join(folder, "audit.csv"), "utf8")).toBe("id,host\n");
    const query = { resource_id: "sbx_1", resource_type: "sandbox", format: "csv", host: "a.example" };
    expect(server.seen.at(-1)?.query).toEqual(query);
  });
});
