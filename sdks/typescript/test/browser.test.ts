/** The client in a real browser, against the real system: the built package, served by another origin than the API. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as sdk from "../src/index.js";
import type { Sandbox } from "../src/index.js";
import type { TestServer } from "../src/testing.js";
import { startSystem } from "./kit.js";

const DIST = new URL("../dist/", import.meta.url);
const TYPES: Record<string, string> = { ".js": "text/javascript", ".html": "text/html" };
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

let pages: Server;
let origin: string;
let server: TestServer;
let sandbox: Sandbox;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  pages = createServer(async (request, response) => {
    const name = request.url?.replace(/^\/dist\//, "") ?? "";
    response.setHeader("Content-Type", TYPES[extname(name)] ?? "text/html");
    response.end(
      request.url?.startsWith("/dist/") ? await readFile(new URL(name, DIST)) : "<!doctype html><title>app</title>",
    );
  });
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  server = await startSystem({ server: { browser_origins: [origin] } });
  sandbox = await server.client().sandboxes.create("agent");
  const executablePath = process.env.CHROMIUM ?? PLACES.find(existsSync) ?? "chromium";
  browser = await chromium.launch({ executablePath, args: FLAGS });
  page = await browser.newPage();
  await page.goto(origin);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  pages?.close();
});

interface Work {
  readonly id: string;
  readonly options: { readonly baseUrl: string; readonly apiKey: string };
}

/** Run a function in the page with the SDK and what it needs to find the sandbox. */
function inPage<T>(work: (sdk: typeof import("../src/index.js"), told: Work) => Promise<T>): Promise<T> {
  const told = { id: sandbox.id, options: { baseUrl: server.baseUrl, apiKey: server.apiKey } };
  const load = `import("/dist/index.js").then((sdk) => (${work})(sdk, ${JSON.stringify(told)}))`;
  return page.evaluate(load) as Promise<T>;
}

describe("in a browser", () => {
  test("the tail follows the audit log from another origin", async () => {
    const seen = inPage(async ({ Miosa }, { id, options }) => {
      const sandbox = await new Miosa(options).sandboxes.get(id);
      const tail = await sandbox.audit.tail().open();
      document.title = "following";
      for await (const event of tail) return `${event}`;
      return "";
    });
    await page.waitForFunction(() => document.title === "following");
    await sandbox.exec("curl -s http://nowhere.example.com/");
    expect(await seen).toMatch(/^\[audit\] \w+ nowhere\.example\.com HTTP \d+ secrets=none$/);
  });

  test("the tail goes on when the network comes back, without gap or duplicate", async () => {
    const seen = inPage(async ({ Miosa }, { id, options }) => {
      const urls: string[] = [];
      const watched: typeof fetch = (input, init) => {
        urls.push(String(input));
        // The first stream is cut after its first event, as a network that changes cuts it.
        const streams = urls.filter((url) => url.includes("/audit/stream"));
        const first = String(input).includes("/audit/stream") && streams.length === 1;
        return fetch(input, init).then((response) => (first ? new Response(cutShort(response), response) : response));
      };
      const sandbox = await new Miosa({ ...options, fetch: watched }).sandboxes.get(id);
      const tail = await sandbox.audit.tail().open();
      document.title = "following again";
      const paths: (string | undefined)[] = [];
      for await (const event of tail) if (paths.push(event.path) === 3) break;
      return { paths, streams: urls.filter((url) => url.includes("/audit/stream")).length };

      function cutShort(response: Response): ReadableStream<Uint8Array> {
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        return new ReadableStream({
          async pull(controller) {
            const { value = new Uint8Array() } = await reader.read();
            controller.enqueue(value);
            if (!new TextDecoder().decode(value).includes("event: audit")) return;
            await reader.cancel();
            controller.error(new TypeError("network error"));
          },
        });
      }
    });
    await page.waitForFunction(() => document.title === "following again");
    for (const path of ["/1", "/2", "/3"]) await sandbox.exec(`curl -s http://nowhere.example.com${path}`);
    expect(await seen).toEqual({ paths: ["/1", "/2", "/3"], streams: 2 });
  });

  test("a terminal opens with the key as a subprotocol", async () => {
    const shown = await inPage(async ({ Miosa }, { id, options }) => {
      const terminal = await (await new Miosa(options).sandboxes.get(id)).shell("read -r word; echo got $word; exit 3");
      terminal.send("this\n");
      let text = "";
      for await (const { data } of terminal) text += new TextDecoder().decode(data);
      return { text, exitCode: terminal.exitCode };
    });
    expect(shown.text).toContain("got this");
    expect(shown.exitCode).toBe(3);
  });

  test("files go in and come out, with progress", async () => {
    const moved = await inPage(async ({ Miosa }, { id, options }) => {
      const { files } = await new Miosa(options).sandboxes.get(id);
      const told: sdk.Progress[] = [];
      await files.upload(new Blob(["x".repeat(200_000)]), "/workspace/blob", { onProgress: (now) => told.push(now) });
      return { last: told.at(-1), length: (await files.read("/workspace/blob")).length };
    });
    expect(moved).toEqual({ last: { loaded: 200_000, total: 200_000 }, length: 200_000 });
  });

  test("an error is the server's own, with its code and request id", async () => {
    const error = await inPage(async ({ Miosa }, { options }) => {
      const thrown = await new Miosa(options).sandboxes.get("nobody").catch((error: sdk.APIError) => error);
      return { name: (thrown as sdk.APIError).name, requestId: (thrown as sdk.APIError).requestId };
    });
    expect(error).toEqual({ name: "NotFoundError", requestId: expect.stringMatching(/^req_/) });
  });
});
