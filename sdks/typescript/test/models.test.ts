/** Records: what they are besides their JSON. The vectors hold the JSON. */

import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import {
  ApiKey,
  CommandFailedError,
  ConnectionInfo,
  Event,
  ExecResult,
  NoRulesError,
  Process,
  Rule,
  SandboxInfo,
  UnexpectedReplyError,
} from "../src/index.js";
import { plain } from "../src/text.js";

const RULE = {
  id: "rul_1",
  host: "a.example",
  methods: ["GET"],
  path_glob: null,
  created_at: "2026-11-28T11:00:09.090303Z",
};

describe("records", () => {
  test("have camelCase names, dates, and what the server did not say left out or empty", () => {
    const rule = Rule.decode(RULE);
    expect(rule).toMatchObject({ effect: "allow", methods: ["GET"], createdAt: new Date("2026-11-28T11:00:09.090Z") });
    expect(rule).not.toHaveProperty("pathGlob");
  });

  test("are written back with microseconds, nulls, and numbers that travel as text", () => {
    const process = { pid: "12", exit_code: null, started_at: "2026-11-28T11:00:09.090303Z", mood: { of: "tomorrow" } };
    expect(Process.decode(process).pid).toBe(12);
    expect(JSON.parse(JSON.stringify(Process.decode(process)))).toEqual(process);
  });

  test("keep what this version does not know aside", () => {
    const info = SandboxInfo.decode({ id: "sbx_1", hibernated: true });
    expect(info.unknown).toEqual({ hibernated: true });
  });

  test("cannot be changed", () => {
    const rule = Rule.decode(RULE);
    expect(() => Object.assign(rule, { host: "evil.example" })).toThrow(TypeError);
    expect(() => (rule.methods as string[]).push("POST")).toThrow(TypeError);
  });

  test.for([
    [{ host: "a" }, "without 'id'"],
    [{ ...RULE, methods: "GET" }, "'methods' of a Rule"],
    [["x"], "a list"],
  ] as const)("%o is no rule, and the error says why", ([body, why]) => {
    expect(() => Rule.decode(body)).toThrow(UnexpectedReplyError);
    expect(() => Rule.decode(body)).toThrow(why);
  });

  test("show no token, and give it to whoever asks for it", () => {
    const key = ApiKey.decode({ id: "key_1", key: "msk_live_once" });
    expect(key.token).toBe("msk_live_once");
    expect(inspect(key) + JSON.stringify(key)).not.toContain("msk_live_once");
    expect(ApiKey.encode(key)).toMatchObject({ key: "msk_live_once" });
  });

  test("of a consent show neither its state nor its link", () => {
    const info = ConnectionInfo.decode({ state: "s3cr3t", authorize_url: "https://idp.example/?state=s3cr3t" });
    expect(inspect(info) + JSON.stringify(info)).not.toContain("s3cr3t");
  });
});

describe("events", () => {
  test("read as one line", () => {
    const said = { id: "evt_1", action: "allow", host: "api.openai.com", status_code: 200 };
    const event = Event.decode({ ...said, request_transforms: { secrets: { swapped: ["openai_key"] } } });
    expect(`${event}`).toBe("[audit] allow api.openai.com HTTP 200 secrets=openai_key");
    expect(`${Event.decode(said)}`).toBe("[audit] allow api.openai.com HTTP 200 secrets=none");
  });

  test("steer no terminal", () => {
    expect(`${Event.decode({ id: "evt_1", host: "\u001b[2Jx\u202e" })}`).toContain("\\x1b[2Jx\\u202e");
  });

  test.for([
    ["a b", "a b"],
    ["é\n\t", "é\\n\\t"],
    ["\u{e0041}", "\\u{e0041}"],
    ["\u00a0", "\\xa0"],
  ] as const)("the text %o is shown as %o", ([text, shown]) => {
    expect(plain(text)).toBe(shown);
  });
});

describe("results of commands", () => {
  test("are checked on request", () => {
    expect(ExecResult.decode({ exit_code: 0, stdout: "x" }).check().stdout).toBe("x");
    const failed = ExecResult.decode({ exit_code: 3, stderr: "no such file\n" });
    expect(failed.ok).toBe(false);
    expect(() => failed.check()).toThrow(new CommandFailedError(failed));
    expect(() => failed.check()).toThrow("the command exited with 3: no such file");
  });
});

describe("a lockdown without rules", () => {
  test("says which hosts were seen and how to keep them", () => {
    const details = { observed: [{ host: "api.github.com", count: 1 }, "b.example"] };
    const error = new NoRulesError("no rules yet", { code: "NO_RULES", status: 409, details });
    expect(error.observed).toEqual([
      { host: "api.github.com", count: 1 },
      { host: "b.example", count: 0 },
    ]);
    expect(String(error)).toContain('lockdown(["api.github.com", "b.example"])');
    expect(error.stack).toContain("api.github.com  1 call");
  });

  test("says so when no host was seen", () => {
    expect(String(new NoRulesError("no rules yet"))).toContain("lockdown([])");
  });
});
