/** How requests are spelled: paths, queries, bodies, headers, and how failures of the connection are called here. */

import { type Json, object } from "./envelope.js";
import {
  ConnectionLostError,
  MiosaError,
  RequestTimeoutError,
  UnexpectedReplyError,
  UnreachableError,
} from "./errors.js";
import { apiError } from "./failures.js";
import { inNode } from "./settings.js";
import { VERSION } from "./version.js";

// Methods that change nothing. The others get an Idempotency-Key, DELETE too: what it names may be another thing by its second arrival.
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD"]);
// What Node's fetch gives as the cause when no connection was made.
const NEVER_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/;

/** A path of the API, each segment percent-encoded. */
export function path(...segments: string[]): string {
  for (const segment of segments) {
    if (["", ".", ".."].includes(segment)) throw new TypeError(`${JSON.stringify(segment)} is no id and no name`);
  }
  return segments.map(encodeURIComponent).join("/");
}

/**
 * Options as the wire has them: only what was given, snake_case names at the top, what lies deeper untouched.
 * `extra` goes in as it is; `signal` is for this side alone.
 */
export function given(options: object): Record<string, unknown> {
  const { signal: _, extra, ...fields } = options as { signal?: unknown; extra?: object };
  const body: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== null) body[snake(name)] = value instanceof Set ? [...value] : value;
  }
  return { ...body, ...extra };
}

/** A frame's JSON object; empty for whatever else a stream may carry. */
export function objectOf(text: string): Json {
  return object(parsed(text)) ?? {};
}

/** A query string with its question mark, or nothing: only what was given; lists comma-joined, or repeated under a name with `[]`. */
export function query(values: Readonly<Record<string, unknown>> = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null) continue;
    if (name.endsWith("[]") && Array.isArray(value)) for (const item of value) params.append(name, queryText(item));
    else params.set(name, queryText(value));
  }
  return params.size ? `?${params}` : "";
}

/**
 * The headers of one request; made once, so that every retry carries the same idempotency key.
 *
 * Content that is no JSON has none: the server would have to hold all of it to know a repeat, and the same bytes at the same path
 * are the same.
 */
export function headers(apiKey: string, method: string, accept: string, contentType?: string): Record<string, string> {
  const keyed = !SAFE.has(method) && (contentType === undefined || contentType === "application/json");
  return {
    Authorization: `Bearer ${apiKey}`,
    Accept: accept,
    ...(inNode ? { "User-Agent": `openmiosa-typescript/${VERSION}` } : {}),
    ...(contentType ? { "Content-Type": contentType } : {}),
    ...(keyed ? { "Idempotency-Key": idempotencyKey() } : {}),
  };
}

/** Turns what fetch throws into this package's errors. */
export function ownError(error: unknown, baseUrl: string): Error {
  if (error instanceof MiosaError) return error;
  const cause = causeOf(error);
  const said = cause.code ?? cause.message;
  if (cause.code && NEVER_SENT.test(cause.code)) {
    return new UnreachableError(
      `no server answers at ${baseUrl} (${said}). Is it running (\`openmiosa up\`), and is MIOSA_BASE_URL right?`,
      { cause: error },
    );
  }
  if (cause.code === "UND_ERR_HEADERS_TIMEOUT" || cause.code === "UND_ERR_BODY_TIMEOUT") {
    return new RequestTimeoutError(`${baseUrl} did not answer in time (${said})`, { cause: error });
  }
  const hint = inNode
    ? ""
    : ". In a browser: is the server up, and is this page's origin in its server.browser_origins?";
  return new ConnectionLostError(`the connection to ${baseUrl} ended before the answer did (${said})${hint}`, {
    cause: error,
  });
}

/** The error for an answer that is no success. */
export async function failure(response: Response): Promise<MiosaError> {
  if (response.status < 400) return notOurs(response);
  const text = await response.text().catch(() => "");
  return apiError(response.status, parsed(text), response.headers);
}

/** The JSON of an answer's text, undefined when it has none; throws when it is not of this API. */
export function decoded(response: Response, text: string): unknown {
  if (text === "") return undefined;
  const value = parsed(text);
  if (value === undefined) throw notOurs(response);
  return value;
}

/** The error that a stream ended with, or that an answer held after its status was sent. */
export function saidInStream(text: string): MiosaError {
  return apiError(500, parsed(text));
}

/** A JSON text's value; undefined when it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** `fooBar` as `foo_bar`. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function notOurs(response: Response): UnexpectedReplyError {
  const kind = response.headers.get("content-type") ?? "no content type";
  const where = response.url.split("?")[0] || "the server";
  const status = response.type === "opaqueredirect" ? "a redirect" : response.status;
  return new UnexpectedReplyError(
    `${where} answered ${status} with ${kind}, which is not this API: is the base URL right?`,
  );
}

function queryText(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Set || Array.isArray(value)) return [...value].map(queryText).join(",");
  return String(value);
}

function idempotencyKey(): string {
  // `crypto.randomUUID` is missing on pages without TLS.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function causeOf(error: unknown): { code?: string; message: string } {
  let found = error;
  while (found instanceof Error && found.cause instanceof Error) found = found.cause;
  const inner = found instanceof AggregateError && found.errors[0] instanceof Error ? found.errors[0] : found;
  const code = (inner as { code?: unknown } | undefined)?.code;
  const message = inner instanceof Error ? inner.message || inner.name : String(inner);
  return typeof code === "string" ? { code, message } : { message };
}
