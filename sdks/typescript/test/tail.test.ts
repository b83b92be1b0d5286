/** The tail: every event once, whatever happens to the connection. */

import { beforeEach, describe, expect, vi } from "vitest";
import { AuthenticationError, type Event, NotFoundError, type Tail, UnavailableError } from "../src/index.js";
import { pace } from "../src/tail.js";
import { gate, type ScriptedServer, sse, test } from "./server.js";

const EVENTS = "/sandboxes/sbx_1/audit/stream";
const AUDIT = "/egress/audit";
const OPEN = ": open\n\n";
const history = { body: { events: [{ id: "evt_1", action: "allow" }], next_cursor: null } };

async function take(tail: Tail, count: number): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count) {
    const step = await tail.next();
    if (step.done) break;
    found.push(step.value.id);
  }
  return found;
}

const seenAfter = (server: ScriptedServer) => server.requests("GET", EVENTS).map((one) => one.query.after);

/** The frame of an audit event. */
function frame(number: number): string {
  const body = { id: `evt_${number}`, number, action: "allow", host: "api.openai.com", status_code: 200 };
  return `event: audit\nid: evt_${number}\ndata: ${JSON.stringify(body)}\n\n`;
}

describe("a tail", () => {
  beforeEach<{ server: ScriptedServer }>(({ server }) => {
    pace.silence = 45_000;
    server.on("GET", AUDIT, history);
  });

  test("starts after the newest event", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, sse(OPEN, frame(2)));
    expect(await take(sandbox.audit.tail(), 1)).toEqual(["evt_2"]);
    expect(seenAfter(server)).toEqual(["evt_1"]);
  });

  test("that was opened keeps its place until the loop begins", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, sse(OPEN, frame(2)));
    await using tail = await sandbox.audit.tail().open();
    server.on("GET", AUDIT, { body: { events: [{ id: "evt_9", action: "allow" }] } });
    expect(await take(tail, 1)).toEqual(["evt_2"]);
    expect(seenAfter(server)).toEqual(["evt_1"]);
  });

  test("starts where it is told", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, sse(OPEN, frame(8)));
    expect(await take(sandbox.audit.tail({ after: "evt_7" }), 1)).toEqual(["evt_8"]);
    expect(seenAfter(server)).toEqual(["evt_7"]);
  });

  test("goes on where the connection broke", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, { ...sse(OPEN, frame(2), frame(3)), drop: true }, sse(OPEN, frame(4)));
    expect(await take(sandbox.audit.tail(), 3)).toEqual(["evt_2", "evt_3", "evt_4"]);
    expect(seenAfter(server)).toEqual(["evt_1", "evt_3"]);
  });

  test("gives once what comes twice", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, { ...sse(OPEN, frame(2)), drop: true }, sse(OPEN, frame(2), frame(2), frame(3)));
    expect(await take(sandbox.audit.tail(), 2)).toEqual(["evt_2", "evt_3"]);
  });

  test("opens a stream again that ended well", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, sse(OPEN, frame(2)), sse(OPEN, frame(3)));
    expect(await take(sandbox.audit.tail(), 2)).toEqual(["evt_2", "evt_3"]);
  });

  test("survives a server that is away", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, sse(OPEN, frame(2), gate().passed));
    const tail = sandbox.audit.tail();
    expect(await take(tail, 1)).toEqual(["evt_2"]);
    await server.stop();
    server.on("GET", EVENTS, sse(OPEN, frame(3)));
    const next = take(tail, 1);
    await server.start();
    expect(await next).toEqual(["evt_3"]);
    expect(seenAfter(server)).toEqual(["evt_1", "evt_2"]);
  });

  test("takes a silent connection for dead", async ({ server, sandbox }) => {
    pace.silence = 50;
    server.on("GET", EVENTS, sse(OPEN, frame(2), gate().passed), sse(OPEN, frame(3)));
    expect(await take(sandbox.audit.tail(), 2)).toEqual(["evt_2", "evt_3"]);
  });

  test("without history lets nothing fall between", async ({ server, sandbox }) => {
    const later = {
      events: [
        { id: "evt_1", action: "allow" },
        { id: "evt_2", action: "allow" },
      ],
    };
    server.on("GET", AUDIT, { body: { events: [] } }, { body: later });
    server.on("GET", EVENTS, sse(OPEN, frame(2), frame(3)));
    expect(await take(sandbox.audit.tail(), 3)).toEqual(["evt_1", "evt_2", "evt_3"]);
  });

  test("outlives a stream error that may pass", async ({ server, sandbox }) => {
    const passing =
      'event: error\ndata: {"type": "error", "code": "UNAVAILABLE", "message": "draining", "retry": true}\n\n';
    server.on("GET", EVENTS, sse(OPEN, passing), sse(OPEN, frame(2)));
    expect(await take(sandbox.audit.tail(), 1)).toEqual(["evt_2"]);
  });

  test("ends with its sandbox", async ({ server, sandbox }) => {
    const gone = { status: 404, body: { error: { code: "NOT_FOUND", message: "gone" } } };
    server.on("GET", EVENTS, sse(OPEN, frame(2)), gone);
    const found: Event[] = [];
    for await (const event of sandbox.audit.tail()) found.push(event);
    expect(found.map((event) => event.id)).toEqual(["evt_2"]);
  });

  test("of a sandbox that never was is not found", async ({ sandbox }) => {
    await expect(sandbox.audit.tail().next()).rejects.toThrow(NotFoundError);
  });

  test("ends with a revoked key, and says so", async ({ server, sandbox }) => {
    const refused = { status: 401, body: { error: { code: "UNAUTHENTICATED", message: "revoked" } } };
    server.on("GET", EVENTS, sse(OPEN, frame(2)), refused);
    const tail = sandbox.audit.tail();
    expect(await take(tail, 1)).toEqual(["evt_2"]);
    await expect(tail.next()).rejects.toThrow(AuthenticationError);
  });

  test("gives up after so long", async ({ server, sandbox }) => {
    const busy = { status: 503, body: { error: { code: "UNAVAILABLE", message: "no database", retry: true } } };
    server.on("GET", EVENTS, sse(OPEN, frame(2)), busy);
    const tail = sandbox.audit.tail({ reconnectTimeout: 50 });
    expect(await take(tail, 1)).toEqual(["evt_2"]);
    await expect(tail.next()).rejects.toThrow(UnavailableError);
  });

  test("of the tenant has its own stream", async ({ server, client }) => {
    server.on("GET", "/events/stream", sse(OPEN, frame(2)));
    expect(await take(client.audit.tail(), 1)).toEqual(["evt_2"]);
  });

  test("ends for whoever waits for its next event when it is closed", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, sse(OPEN, gate().passed));
    const tail = sandbox.audit.tail();
    const next = tail.next();
    await vi.waitUntil(() => seenAfter(server).length === 1);
    await tail.close();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test("rejects with the reason of its signal", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, sse(OPEN, gate().passed));
    const controller = new AbortController();
    const next = sandbox.audit.tail({ signal: controller.signal }).next();
    await vi.waitUntil(() => seenAfter(server).length === 1);
    controller.abort(new RangeError("enough"));
    await expect(next).rejects.toThrow(new RangeError("enough"));
  });

  test("that is left ends its connection", async ({ server, sandbox }) => {
    server.on("GET", EVENTS, sse(OPEN, frame(2), gate().passed));
    for await (const event of sandbox.audit.tail()) {
      expect(event.id).toBe("evt_2");
      break;
    }
    await vi.waitUntil(() => server.answering === 0);
  });
});
