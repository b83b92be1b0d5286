/** One request: sent, retried where that is safe, decoded; and the two kinds of streams. */

import { ConfigurationError, MiosaError, NotFoundError } from "./errors.js";
import { Patience, sleep } from "./patience.js";
import { waitBefore } from "./retry.js";
import * as settings from "./settings.js";
import { type Frame, Frames } from "./sse.js";
import * as wire from "./wire.js";

// The server says something at least every 20 s (blanks before an answer, comments in a stream); after this silence it is gone.
export const SILENCE = 60_000;

/** What every call takes besides its own options. */
export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a client is made with. */
export interface MiosaOptions {
  /** Defaults to `MIOSA_API_KEY`. */
  readonly apiKey?: string | undefined;
  /** Defaults to `MIOSA_BASE_URL`, and that to where `openmiosa up` listens. `/api/v1` is added where no version is given. */
  readonly baseUrl?: string | undefined;
  /** How long to wait, in milliseconds, while nothing arrives; null waits for ever. 60 seconds when not given. */
  readonly timeout?: number | null | undefined;
  /** How often what may pass is tried again; 3 when not given. Nothing is ever done twice. */
  readonly maxRetries?: number | undefined;
  /** Another `fetch` than the runtime's. */
  readonly fetch?: typeof fetch | undefined;
  /** The constructor of WebSockets for `sandbox.shell()`, where the runtime has none: Node.js 20 takes that of the package `ws`. */
  readonly webSocket?: WebSocketConstructor | undefined;
}

/** What this package needs of a WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

/** The runtime's `WebSocket`, or that of a package. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** A body, made anew for each attempt; `once` when it can only be read a single time. */
export interface Body {
  readonly once: boolean;
  readonly contentType: string;
  open(): BodyInit;
  /** How many bytes it has, where that is known. */
  readonly size?: number;
  /** What the source threw, if it did: not the connection's fault. */
  broken?: { readonly error: unknown };
}

/** What one request is made of. */
export interface Ask extends CallOptions {
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly json?: unknown;
  readonly body?: Body;
  readonly timeout?: number | null;
  readonly accept?: string;
  /** False for what is sent again only if nothing can have happened. */
  readonly repeatable?: boolean;
  /** False for what may have happened when the server fails at it; answers that were lost it remembers. */
  readonly afterFailure?: boolean;
}

/** An answer whose body is read as it comes. */
export interface Reply {
  readonly response: Response;
  /** The bytes, once; leaving the loop ends the request. */
  bytes(): AsyncGenerator<Uint8Array<ArrayBuffer>>;
}

/** Knows the server, the key and the patience of a client. */
export class Transport {
  readonly baseUrl: string;
  readonly timeout: number | null;
  readonly maxRetries: number;
  readonly #apiKey: string;
  readonly #fetch: typeof fetch;
  readonly #webSocket: WebSocketConstructor | undefined;

  constructor(options: MiosaOptions) {
    this.baseUrl = settings.baseUrl(options.baseUrl);
    this.timeout = options.timeout === undefined ? 60_000 : options.timeout;
    this.maxRetries = options.maxRetries ?? 3;
    this.#apiKey = settings.apiKey(options.apiKey);
    // Called as a method of this object a browser's fetch would refuse.
    const send = options.fetch ?? globalThis.fetch;
    this.#fetch = (input, init) => send(input, init);
    this.#webSocket = options.webSocket;
  }

  /** The decoded JSON of an answer. */
  async request(method: string, path: string, ask: Ask = {}): Promise<unknown> {
    return this.#attempts(method, ask, async (prepared) => {
      const reply = await this.#send(method, path, ask, prepared);
      const text = new TextDecoder();
      let said = "";
      for await (const chunk of reply.bytes()) said += text.decode(chunk, { stream: true });
      return wire.decoded(reply.response, said + text.decode());
    });
  }

  /** An answer whose body is read as it comes. What is no GET is sent again only if it never reached the server. */
  async open(method: string, path: string, ask: Ask = {}): Promise<Reply> {
    const repeatable = method === "GET";
    return this.#attempts(method, { ...ask, repeatable }, (prepared) => this.#send(method, path, ask, prepared));
  }

  /** Server-sent events, once the stream stands; `timeout` is the longest silence. An event named `error` is thrown. */
  async events(method: string, path: string, ask: Ask = {}): Promise<AsyncGenerator<Frame>> {
    return framed(await this.open(method, path, { timeout: SILENCE, ...ask, accept: "text/event-stream" }));
  }

  /**
   * A WebSocket that is being opened. The key travels as a subprotocol, which browsers can send as well;
   * `protocol` is the one that the server names in its answer.
   */
  connect(path: string, query: URLSearchParams, protocol: string): WebSocketLike {
    const made = this.#webSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (!made) {
      throw new ConfigurationError(
        "this runtime has no WebSocket: with Node.js 20 run `npm install ws`, then " +
          '`import { WebSocket } from "ws"` and `new Miosa({ webSocket: WebSocket })`; Node.js 22 and browsers have one',
      );
    }
    const url = `${this.baseUrl.replace(/^http/, "ws")}/${path}?${query}`;
    try {
      return new made(url, [protocol, `bearer.${this.#apiKey}`]);
    } catch (error) {
      throw new ConfigurationError("the WebSocket cannot be opened with this key or base URL", { cause: error });
    }
  }

  /** Nothing that could be logged by accident. */
  toJSON(): object {
    return { baseUrl: this.baseUrl };
  }

  async #attempts<T>(method: string, ask: Ask, attempt: (headers: Record<string, string>) => Promise<T>): Promise<T> {
    const contentType = ask.body?.contentType ?? (ask.json === undefined ? undefined : "application/json");
    const headers = wire.headers(this.#apiKey, method, ask.accept ?? "application/json", contentType);
    const repeats = { repeatable: ask.repeatable ?? true, afterFailure: ask.afterFailure ?? true };
    const maxRetries = ask.body?.once ? 0 : this.maxRetries;
    for (let number = 1; ; number++) {
      try {
        return await attempt(headers);
      } catch (error) {
        if (!(error instanceof MiosaError)) throw error;
        // An earlier attempt has done it, and its answer was lost.
        if (method === "DELETE" && number > 1 && error instanceof NotFoundError) return undefined as T;
        const wait = waitBefore(number, maxRetries, error, repeats);
        if (wait === undefined) throw error;
        await sleep(wait, ask.signal);
      }
    }
  }

  async #send(method: string, path: string, ask: Ask, headers: Record<string, string>): Promise<Reply> {
    const patience = new Patience(ask.timeout === undefined ? this.timeout : ask.timeout, ask.signal);
    const content = ask.body ? ask.body.open() : ask.json === undefined ? null : JSON.stringify(ask.json);
    const streamed = content instanceof ReadableStream ? { duplex: "half" } : {};
    // As long as the body is on its way nobody has a reason to answer.
    const body = content instanceof ReadableStream ? content.pipeThrough(watched(patience)) : content;
    try {
      const url = `${this.baseUrl}/${path}${wire.query(ask.query)}`;
      const asked = { method, headers, body, redirect: "manual", signal: patience.signal, ...streamed } as RequestInit;
      const response = await this.#fetch(url, asked);
      patience.heard();
      if (!response.ok) throw await wire.failure(response);
      return { response, bytes: () => arriving(response, patience, this.baseUrl) };
    } catch (error) {
      patience.end();
      throw ask.body?.broken ? ask.body.broken.error : own(patience, error, this.baseUrl);
    }
  }
}

async function* framed(reply: Reply): AsyncGenerator<Frame> {
  const frames = new Frames();
  for await (const chunk of reply.bytes()) {
    for (const frame of frames.feed(chunk)) {
      if (frame.event === "error") throw wire.saidInStream(frame.data);
      yield frame;
    }
  }
}

function watched(patience: Patience): TransformStream {
  return new TransformStream({
    transform(chunk, controller) {
      patience.heard();
      controller.enqueue(chunk);
    },
  });
}

async function* arriving(
  response: Response,
  patience: Patience,
  baseUrl: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) return;
      patience.heard();
      yield part.value;
    }
  } catch (error) {
    throw own(patience, error, baseUrl);
  } finally {
    patience.end();
    // What the caller does not want any more need not be sent.
    await reader?.cancel().catch(() => undefined);
  }
}

function own(patience: Patience, error: unknown, baseUrl: string): unknown {
  const why = patience.why(error, baseUrl);
  return why === error ? wire.ownError(error, baseUrl) : why;
}
