/** The golden cases that every SDK reads: records, errors and streams of `contracts/vectors`. */

import { readFileSync } from "node:fs";
import { describe, expect } from "vitest";
import * as sdk from "../src/index.js";
import { type Frame, Frames } from "../src/sse.js";
import { sse, test } from "./server.js";

interface RecordCase {
  readonly name: string;
  readonly model: string;
  readonly json: Record<string, unknown>;
}

interface ErrorCase {
  readonly name: string;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly error: string;
  readonly code: string;
  readonly message: string;
  readonly retry: boolean;
  readonly retry_after: number | null;
  readonly request_id: string | null;
  readonly details: Record<string, unknown>;
}

interface StreamCase {
  readonly name: string;
  readonly kind: "sse" | "exec" | "tail" | "process" | "watch";
  readonly chunks: readonly string[];
  readonly events: readonly unknown[];
  readonly error: {
    readonly error: string;
    readonly code?: string;
    readonly message?: string;
    readonly retry?: boolean;
  } | null;
}

const exported: Readonly<Record<string, unknown>> = { ...sdk };
const records = cases<RecordCase>("records");
const errors = cases<ErrorCase>("errors");
const streams = cases<StreamCase>("streams");

describe("records", () => {
  test.for(records)("$name ($model) comes back as it went in", ({ model, json }) => {
    const codec = codecOf(model);
    expect(codec.encode(codec.decode(json))).toEqual(json);
  });

  test("every model has a case", () => {
    const parts = new Set([
      "RequestTransforms",
      "SecretTransforms",
      "SecretUse",
      "ResourceContract",
      "Calls",
      "Limits",
      "Made",
    ]);
    const models = Object.values(exported).flatMap((one) => (isCodec(one) && !parts.has(one.name) ? [one.name] : []));
    expect(new Set(models)).toEqual(new Set(records.map((one) => one.model)));
  });
});

describe("errors", () => {
  test.for(errors)("$name becomes $error", async (wanted, { server }) => {
    server.on("GET", "/whoami", { status: wanted.status, body: wanted.body, headers: wanted.headers });
    const client = new sdk.Miosa({ apiKey: "msk_x", baseUrl: server.url, maxRetries: 0 });
    const error: sdk.APIError = await client.whoami().then(
      () => expect.fail("nothing was thrown"),
      (thrown) => thrown,
    );
    expect(error.constructor).toBe(exported[wanted.error]);
    const { name, status, code, message, retry, details } = error;
    const said = { retry_after: error.retryAfter ?? null, request_id: error.requestId ?? null };
    expect({ error: name, status, code, message, retry, details, ...said }).toEqual(pick(wanted, ANSWER));
  });

  test("every error of an answer has a case", () => {
    const isKind = (one: unknown): one is new () => Error =>
      typeof one === "function" && (one === sdk.APIError || one.prototype instanceof sdk.APIError);
    const classes = Object.values(exported).filter(isKind);
    expect(new Set(classes.map((kind) => kind.name))).toEqual(new Set(errors.map((one) => one.error)));
  });
});

describe("streams", () => {
  test.for(streams)("$kind: $name", async (wanted, { server, client, sandbox }) => {
    const chunks = wanted.chunks.map((chunk) => Buffer.from(chunk, "latin1"));
    for (const [method, path] of Object.values(ROUTES)) server.on(method, path, sse(...chunks));
    const found: unknown[] = [];
    let thrown: unknown = null;
    try {
      for await (const event of READERS[wanted.kind](client, sandbox, chunks)) {
        found.push(event);
        // A tail has no end of its own.
        if (wanted.kind === "tail" && !wanted.error && found.length === wanted.events.length) break;
      }
    } catch (error) {
      thrown = error;
    }
    expect(found).toEqual(wanted.events);
    expect(thrown && wanted.error ? pick(said(thrown as sdk.APIError), Object.keys(wanted.error)) : thrown).toEqual(
      wanted.error,
    );
  });
});

const ANSWER = ["error", "status", "code", "message", "retry", "retry_after", "request_id", "details"];

const ROUTES: Record<string, [string, string]> = {
  exec: ["POST", "/sandboxes/sbx_1/exec/stream"],
  tail: ["GET", "/sandboxes/sbx_1/audit/stream"],
  process: ["GET", "/sandboxes/sbx_1/processes/5/stream"],
  watch: ["GET", "/sandboxes/sbx_1/files/watch"],
};

type Reader = (client: sdk.Miosa, sandbox: sdk.Sandbox, chunks: readonly Uint8Array[]) => AsyncIterable<unknown>;

const READERS: Record<StreamCase["kind"], Reader> = {
  async *sse(_client, _sandbox, chunks) {
    const frames = new Frames();
    for (const chunk of chunks)
      yield* [...frames.feed(chunk)].map((frame: Frame) => ({ ...frame, id: frame.id || null }));
  },
  async *exec(_, sandbox) {
    for await (const event of sandbox.exec.stream("x")) {
      yield event.type === "exit"
        ? { type: "exit", data: "", exit_code: event.exitCode }
        : { ...event, exit_code: null };
    }
  },
  async *tail(_, sandbox) {
    const tail = sandbox.audit.tail({ after: "evt_00", reconnectTimeout: 0 });
    for await (const event of tail) yield sdk.Event.encode(event);
  },
  process: (_, sandbox) => sandbox.processes.stream(5),
  async *watch(_, sandbox) {
    for await (const change of sandbox.files.watch()) yield sdk.FileChange.encode(change);
  },
};

function cases<T>(name: string): T[] {
  const file = new URL(`../../../contracts/vectors/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as Record<string, T[]>)[name] ?? [];
}

function codecOf(name: string): sdk.Codec<sdk.Model> {
  const found = exported[name];
  if (!isCodec(found)) throw new Error(`there is no model ${name}`);
  return found;
}

function isCodec(value: unknown): value is sdk.Codec<sdk.Model> {
  return typeof value === "object" && value !== null && "decode" in value && "encode" in value;
}

function said(error: sdk.APIError): Record<string, unknown> {
  return { error: error.name, code: error.code, message: error.message, retry: error.retry };
}

function pick(from: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, from[name as keyof typeof from]]));
}
