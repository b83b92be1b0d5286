/** Secrets, connected accounts, keys, and the network: what goes over the wire, and what comes back. */

import { describe, expect } from "vitest";
import { ConnectionFailedError, type NoRulesError, NotFoundError, WaitTimeoutError } from "../src/index.js";
import { test } from "./server.js";

const SECRET = { id: "sec_1", name: "openai_key" };
const OWN = { resource_id: "sbx_1", resource_type: "sandbox" };
const STATUS = "/egress/oauth/status";

describe("secrets", () => {
  test("of a sandbox are bound to it", async ({ server, sandbox }) => {
    const binding = { id: "bnd_1", placeholder: "miosa-tok-1" };
    server.answers("POST", "/egress/secrets", { data: SECRET, binding }, 201);
    const options = {
      name: "openai_key",
      value: "sk-1",
      exposeAsEnv: "OPENAI_API_KEY",
      allowedHosts: new Set(["a.example"]),
    };
    expect((await sandbox.secrets.set(options)).binding?.placeholder).toBe("miosa-tok-1");
    const names = { name: "openai_key", value: "sk-1", expose_as_env: "OPENAI_API_KEY", allowed_hosts: ["a.example"] };
    expect(server.seen.at(-1)?.json).toEqual({ ...OWN, ...names, type: "api_key", scope: "user" });
  });

  test("of the tenant name no sandbox", async ({ server, client }) => {
    server.answers("POST", "/egress/secrets", { data: SECRET }, 201);
    await client.secrets.set({
      name: "k",
      value: "v",
      scope: "external_user",
      externalUserId: "u",
      expiresAt: new Date(0),
    });
    const rest = { external_user_id: "u", expires_at: "1970-01-01T00:00:00.000Z" };
    expect(server.seen.at(-1)?.json).toEqual({
      name: "k",
      value: "v",
      type: "api_key",
      scope: "external_user",
      ...rest,
    });
  });

  test("are got, rotated and deleted by name, within the sandbox", async ({ server, sandbox }) => {
    for (const method of ["GET", "PATCH", "DELETE"])
      server.answers(method, "/egress/secrets/openai_key", { data: SECRET });
    await sandbox.secrets.get("openai_key");
    await sandbox.secrets.rotate("openai_key", "sk-2");
    await sandbox.secrets.delete("openai_key");
    const seen = server.seen.slice(1);
    expect(seen.map((one) => one.query)).toEqual([OWN, OWN, OWN]);
    expect(seen[1]?.json).toEqual({ value: "sk-2" });
  });

  test("are listed by filters of the API", async ({ server, client }) => {
    server.answers("GET", "/egress/secrets", { secrets: [SECRET] });
    expect(await client.secrets.list({ externalUserId: "u" })).toMatchObject([SECRET]);
    expect(server.seen.at(-1)?.query).toEqual({ external_user_id: "u" });
  });

  test("take lists of hosts and scopes, not one", async ({ sandbox }) => {
    const options = { name: "k", value: "v", allowedHosts: "api.openai.com" };
    await expect(sandbox.secrets.set(options)).rejects.toThrow("allowedHosts is a list");
    await expect(sandbox.secrets.connect("github", { scopes: "repo" })).rejects.toThrow("scopes is a list");
  });

  test("are bound and unbound", async ({ server, client }) => {
    server.answers("POST", "/egress/bindings", { data: { id: "bnd_1", secret_id: "sec_1" } }, 201);
    server.on("DELETE", "/egress/bindings/bnd_1", { status: 204 });
    expect((await client.secrets.bind("openai_key", { exposeAsEnv: "KEY", resourceId: "sbx_1" })).id).toBe("bnd_1");
    expect(server.seen.at(-1)?.json).toEqual({ secret_id: "openai_key", expose_as_env: "KEY", ...OWN });
    await client.secrets.unbind("bnd_1");
  });

  test("of a machine send the client's own secret once", async ({ server, sandbox }) => {
    server.answers("POST", "/egress/oauth/machine", { data: SECRET }, 201);
    const client = { name: "m", tokenUrl: "https://idp/token", clientId: "c", clientSecret: "s", scopes: ["a"] };
    await sandbox.secrets.addMachineOauth(client);
    const json = { name: "m", token_url: "https://idp/token", client_id: "c", client_secret: "s", scopes: ["a"] };
    expect(server.seen.at(-1)?.json).toEqual({ ...OWN, ...json });
  });
});

describe("a connection", () => {
  const START = { data: { state: "s", authorize_url: "https://idp.example/authorize" } };

  test("gives the link, and the secret once consent was given", async ({ server, sandbox }) => {
    server.answers("POST", "/egress/oauth/start", START);
    server.on(
      "GET",
      STATUS,
      { body: { status: "pending" } },
      { body: { data: { status: "completed", secret_id: "sec_1" } } },
    );
    server.answers("GET", "/egress/secrets/sec_1", { data: { id: "sec_1", name: "github_token" } });
    const flow = await sandbox.secrets.connect("github", { exposeAsEnv: "GITHUB_TOKEN", scopes: ["repo"] });
    expect([flow.authorizeUrl, flow.provider]).toEqual(["https://idp.example/authorize", "github"]);
    expect((await flow.waitForCompletion({ pollInterval: 1 })).name).toBe("github_token");
    const json = { ...OWN, provider: "github", expose_as_env: "GITHUB_TOKEN", scopes: ["repo"] };
    expect(server.requests("POST", "/egress/oauth/start")[0]?.json).toEqual(json);
  });

  test("that was refused says why", async ({ server, sandbox }) => {
    server.answers("POST", "/egress/secrets/github_token/reauthorize", START);
    server.answers("GET", STATUS, {
      data: { status: "denied", error: "access_denied", message: "the person said no" },
    });
    const flow = await sandbox.secrets.reauthorize("github_token");
    const error = await flow.waitForCompletion().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConnectionFailedError);
    expect(error).toMatchObject({ reason: "access_denied", message: expect.stringContaining("the person said no") });
  });

  test("is waited for so long", async ({ server, sandbox }) => {
    server.answers("POST", "/egress/oauth/start", START);
    server.answers("GET", STATUS, { data: { status: "pending" } });
    const flow = await sandbox.secrets.connect("github");
    await expect(flow.waitForCompletion({ timeout: 5, pollInterval: 10 })).rejects.toThrow(WaitTimeoutError);
  });
});

describe("the network", () => {
  test("takes rules, and gives them back by host", async ({ server, sandbox }) => {
    server.answers("POST", "/egress/allowlist", { data: { id: "rul_1", host: "a.example", effect: "deny" } }, 201);
    server.on("DELETE", "/egress/allowlist/*.a.example", { status: 204 });
    await sandbox.network.deny("a.example", { methods: ["GET"], pathGlob: "/v1/*" });
    await sandbox.network.remove("*.a.example");
    const json = { ...OWN, host: "a.example", effect: "deny", methods: ["GET"], path_glob: "/v1/*" };
    expect(server.requests("POST", "/egress/allowlist")[0]?.json).toEqual(json);
  });

  test("is locked down to hosts, to the rules there are, or to nothing", async ({ server, sandbox }) => {
    server.answers("POST", "/egress/lockdown", { data: { id: "pol_1", mode: "enforce", allow_rules: [] } });
    await sandbox.network.lockdown(["a.example"]);
    await sandbox.network.lockdown();
    expect((await sandbox.network.lockdown([])).mode).toBe("enforce");
    const seen = server.requests("POST", "/egress/lockdown").map((one) => one.json);
    expect(seen).toEqual([{ ...OWN, hosts: ["a.example"] }, OWN, { ...OWN, hosts: [] }]);
  });

  test("without rules says which hosts were seen", async ({ server, sandbox }) => {
    const details = { observed: [{ host: "a.example", count: 2 }] };
    server.answers("POST", "/egress/lockdown", { error: { code: "NO_RULES", message: "no rules", details } }, 409);
    const error = await sandbox.network.lockdown().catch((thrown: unknown) => thrown);
    expect((error as NoRulesError).observed).toEqual([{ host: "a.example", count: 2 }]);
  });

  test("takes a list of hosts, not one", async ({ sandbox }) => {
    await expect(sandbox.network.lockdown("a.example")).rejects.toThrow("a list of hosts");
  });

  test("has the sandbox's own policy", async ({ server, sandbox }) => {
    const policies = [
      { id: "pol_0", resource_id: null },
      { id: "pol_1", resource_id: "sbx_1" },
    ];
    server.answers("GET", "/egress/policies", { policies });
    server.answers("GET", "/egress/policies/pol_1", { data: { id: "pol_1", allow_rules: [{ id: "r", host: "a" }] } });
    expect((await sandbox.network.getPolicy()).allowRules.map((rule) => rule.host)).toEqual(["a"]);
  });

  test("without a policy says so", async ({ server, client }) => {
    server.answers("GET", "/egress/policies", { policies: [] });
    await expect(client.network.getPolicy()).rejects.toThrow(NotFoundError);
  });

  test("tells what was called, and what waits", async ({ server, sandbox }) => {
    server.answers("GET", "/egress/audit/suggestions", { suggestions: [{ host: "a.example", count: 3 }] });
    server.answers("GET", "/egress/pending", { pending: [{ host: "b.example", secret: "k" }] });
    expect(await sandbox.network.suggestions({ since: "1h" })).toMatchObject([{ host: "a.example", count: 3 }]);
    expect(await sandbox.network.pending()).toMatchObject([{ host: "b.example", secret: "k" }]);
    expect(server.seen.at(-2)?.query).toEqual({ ...OWN, since: "1h" });
  });
});

describe("keys", () => {
  test("are made, listed and ended", async ({ server, client }) => {
    server.answers("POST", "/api-keys", { data: { id: "key_1", token: "msk_live_1" } }, 201);
    server.answers("GET", "/api-keys", { data: [{ id: "key_1", prefix: "msk_live" }] });
    server.on("DELETE", "/api-keys/key_1", { status: 204 });
    expect((await client.apiKeys.create("ci", { scopes: ["audit:read"] })).token).toBe("msk_live_1");
    expect(await client.apiKeys.list().all()).toMatchObject([{ id: "key_1" }]);
    await client.apiKeys.delete("key_1");
    expect(server.seen[0]?.json).toEqual({ name: "ci", scopes: ["audit:read"] });
  });

  test("and tokens and tickets for a user's browser", async ({ server, client }) => {
    server.answers("POST", "/tokens/scoped", {
      token: "msk_t",
      scopes: ["audit:read"],
      expires_at: "2026-11-28T12:00:10Z",
    });
    server.answers("POST", "/sse/ticket", { ticket: "tkt_1", expires_in: 60 });
    expect((await client.tokens.createScoped("u", { expiresInSeconds: 60 })).token).toBe("msk_t");
    expect((await client.sseTicket()).ticket).toBe("tkt_1");
    expect(server.seen[0]?.json).toEqual({ user_id: "u", expires_in_seconds: 60 });
  });

  test("leave a log", async ({ server, client }) => {
    server.answers("GET", "/audit-log", { data: [{ id: "adm_1", action: "identity:key:create" }], next_cursor: null });
    expect((await client.adminLog.list({ actorId: "key_1" }).first())?.action).toBe("identity:key:create");
  });
});
