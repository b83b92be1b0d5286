/** Terminals over a WebSocket, against a real one. */

import type { AddressInfo } from "node:net";
import { test as base, describe, expect, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  ConfigurationError,
  ConnectionLostError,
  Miosa,
  NotFoundError,
  type Sandbox,
  SandboxInfo,
} from "../src/index.js";
import { Sandbox as Handle } from "../src/sandbox.js";
import { Transport } from "../src/transport.js";
import { KEY, test as scripted } from "./server.js";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A command that greets, repeats what it is sent, and exits with the number that it is told. */
class Shell {
  url = "";
  path = "";
  protocols: string[] = [];
  readonly said: unknown[] = [];
  readonly #server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    handleProtocols: (offered) => [...offered][0] ?? false,
  });

  async start(): Promise<this> {
    await new Promise((resolve) => this.#server.once("listening", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    this.#server.on("connection", (socket, request) => {
      this.path = request.url ?? "";
      this.protocols = String(request.headers["sec-websocket-protocol"]).split(/, */);
      const apart = this.path.includes("tty=false");
      socket.send(Buffer.from(apart ? "\x02hello" : "hello"));
      socket.on("message", (data: Buffer, isBinary) => {
        const typed = data.toString();
        if (!isBinary) this.said.push(JSON.parse(typed));
        else if (typed === "lose") socket.send(JSON.stringify({ type: "gap", from: 10, to: 25 }));
        else if (typed === "vanish") socket.close(1011, "out of memory");
        else if (typed.startsWith("exit "))
          socket.send(JSON.stringify({ type: "exit", exit_code: Number(typed.slice(5)) }));
        else socket.send(Buffer.from(apart ? `\x01${typed}` : typed));
      });
    });
    return this;
  }

  get connections(): number {
    return this.#server.clients.size;
  }

  stop(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }
}

const test = base.extend<{ far: Shell; box: Sandbox }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads a fixture's needs from this pattern
  far: async ({}, use) => {
    const made = await new Shell().start();
    await use(made);
    made.stop();
  },
  box: async ({ far }, use) => {
    const transport = new Transport({ apiKey: KEY, baseUrl: far.url, webSocket: WebSocket });
    await use(new Handle(transport, SandboxInfo.decode({ id: "sbx_1", state: "running" })));
  },
});

describe("a terminal", () => {
  test("carries bytes both ways, and the exit code last", async ({ box }) => {
    await using terminal = await box.shell();
    const output = terminal[Symbol.asyncIterator]();
    expect(text((await output.next()).value?.data ?? new Uint8Array())).toBe("hello");
    terminal.send("ls\n");
    expect(text((await output.next()).value?.data ?? new Uint8Array())).toBe("ls\n");
    terminal.send("exit 7");
    expect(await output.next()).toEqual({ done: true, value: undefined });
    expect(terminal.exitCode).toBe(7);
  });

  test("keeps the streams apart on request", async ({ box }) => {
    await using terminal = await box.shell("cat", { tty: false });
    const found: [string, string][] = [];
    terminal.send(new TextEncoder().encode("x"));
    for await (const output of terminal) {
      found.push([output.stream, text(output.data)]);
      if (found.length === 2) terminal.send("exit 0");
    }
    expect(found).toEqual([
      ["stderr", "hello"],
      ["stdout", "x"],
    ]);
  });

  test("takes sizes, signals and the end of input as messages", async ({ box, far }) => {
    await using terminal = await box.shell();
    terminal.resize(50, 132);
    terminal.sendSignal("SIGINT");
    terminal.closeStdin();
    terminal.send("exit 0");
    expect(await terminal.wait()).toBe(0);
    const [size, signal, end] = [
      { type: "resize", rows: 50, cols: 132 },
      { type: "signal", signal: "SIGINT" },
      { type: "stdin_close" },
    ];
    expect(far.said).toEqual([size, signal, end]);
  });

  test("counts what was lost", async ({ box }) => {
    await using terminal = await box.shell();
    terminal.send("lose");
    terminal.send("exit 0");
    await terminal.wait();
    expect(terminal.lost).toBe(15);
  });

  test("has a list as it is in its query", async ({ box, far }) => {
    await using _ = await box.shell(["printf", "%s\n", "a b"]);
    const query = new URL(far.path, far.url).searchParams;
    expect(query.getAll("argv")).toEqual(["printf", "%s\n", "a b"]);
    expect(query.has("command")).toBe(false);
  });

  test("has command and surroundings in its query, and the key nowhere near it", async ({ box, far }) => {
    await using _ = await box.shell("top -d 1", { cwd: "/tmp", env: { A: "1", B: "x y" }, rows: 30, cols: 100 });
    const url = new URL(far.path, far.url);
    expect(url.pathname).toBe("/api/v1/sandboxes/sbx_1/terminal/stream");
    expect(url.searchParams.getAll("env")).toEqual(["A=1", "B=x y"]);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      command: "top -d 1",
      cwd: "/tmp",
      rows: "30",
      cols: "100",
      tty: "true",
    });
    expect(far.path).not.toContain(KEY);
    expect(far.protocols).toEqual(["openmiosa-terminal-v1", `bearer.${KEY}`]);
  });

  test("that vanishes says so", async ({ box }) => {
    const terminal = await box.shell();
    terminal.send("vanish");
    await expect(terminal.wait()).rejects.toThrow(
      new ConnectionLostError("the terminal was closed before the command ended: out of memory"),
    );
    expect(() => terminal.send("x")).toThrow(ConnectionLostError);
  });

  test("is hung up at the end of the block", async ({ box, far }) => {
    {
      await using _ = await box.shell();
      expect(far.connections).toBe(1);
    }
    await vi.waitUntil(() => far.connections === 0);
  });

  test("is hung up by its signal, and rejects with the signal's reason", async ({ box, far }) => {
    const controller = new AbortController();
    const ended = (await box.shell(undefined, { signal: controller.signal })).wait();
    controller.abort(new RangeError("enough"));
    await expect(ended).rejects.toThrow(new RangeError("enough"));
    await vi.waitUntil(() => far.connections === 0);
  });
});

scripted("a terminal of no sandbox is not found", async ({ server }) => {
  server.answers("GET", "/sandboxes/sbx_1", { data: { id: "sbx_1", state: "running" } });
  const client = new Miosa({ apiKey: KEY, baseUrl: server.url, webSocket: WebSocket });
  const box = await client.sandboxes.get("sbx_1");
  server.answers("GET", "/sandboxes/sbx_1", { error: { code: "NOT_FOUND", message: "destroyed" } }, 404);
  await expect(box.shell()).rejects.toThrow(NotFoundError);
});

scripted("a runtime without WebSocket is told what to do", async ({ sandbox }) => {
  vi.stubGlobal("WebSocket", undefined);
  await expect(sandbox.shell()).rejects.toThrow(ConfigurationError);
  await expect(sandbox.shell()).rejects.toThrow(/npm install ws.*webSocket: WebSocket/);
  vi.unstubAllGlobals();
});
