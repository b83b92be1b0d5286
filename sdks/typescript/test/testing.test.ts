/** The real server for users' own tests, as the README shows it. */

import { existsSync } from "node:fs";
import { test as base, describe, expect } from "vitest";
import { ConfigurationError, NotFoundError } from "../src/index.js";
import { startServer, type TestServer } from "../src/testing.js";
import { startSystem } from "./kit.js";

const test = base.extend<{ server: TestServer }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads a fixture's needs from this pattern
    async ({}, use) => {
      await using server = await startSystem();
      await use(server);
    },
    { scope: "worker" },
  ],
});

describe("a server of a test's own", () => {
  test("runs sandboxes whose agents see placeholders", async ({ server }) => {
    await using sandbox = await server.client().sandboxes.create();
    await sandbox.secrets.set({ name: "key", value: "sk-real", exposeAsEnv: "KEY" });
    expect((await sandbox.exec("printenv KEY")).stdout).toMatch(/^miosa-tok-/);
  });

  test("leaves nothing behind", async () => {
    const server = await startSystem();
    expect(existsSync(server.state)).toBe(true);
    await server.stop();
    expect(existsSync(server.state)).toBe(false);
    await expect(server.client({ maxRetries: 0 }).whoami()).rejects.toThrow("no server answers");
  });

  test("takes settings", async () => {
    await using server = await startSystem({ sandboxes: { default_template: "nobody-built-this" } });
    await expect(server.client().sandboxes.create()).rejects.toThrow(NotFoundError);
  });
});

describe("a server that does not start", () => {
  test("says what it said, and where it comes from", async () => {
    const starting = startServer({ command: ["sh", "-c", "echo no kernel for this >&2; exit 3"] });
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(/pip install openmiosa-server.*OPENMIOSA_COMMAND[\s\S]*no kernel for this/);
  });

  test("is not there at all", async () => {
    await expect(startServer({ command: ["openmiosa-that-nobody-has"] })).rejects.toThrow(
      /pip install openmiosa-server/,
    );
  });

  test("is ended after so long", async () => {
    await expect(startServer({ command: ["sh", "-c", "exec sleep 60"], timeout: 100 })).rejects.toThrow("within 0.1 s");
  });
});
