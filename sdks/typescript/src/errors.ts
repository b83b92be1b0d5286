/**
 * Everything that the client throws, drawn as one tree and catchable at two levels.
 *
 *     MiosaError
 *     ├─ ConfigurationError             yours: no key, a base URL that is none, no WebSocket in this runtime
 *     ├─ TransportError                 no answer that could be read
 *     │  ├─ UnreachableError            nothing listens there; the request was never sent
 *     │  ├─ RequestTimeoutError         the answer did not come in time
 *     │  ├─ ConnectionLostError         the connection ended before the answer did
 *     │  └─ UnexpectedReplyError        an answer came, and not one of this API
 *     ├─ SandboxFailedError             the sandbox failed before it was ready
 *     ├─ WaitTimeoutError               what was waited for has not happened yet
 *     ├─ ConnectionFailedError          a consent at a provider was refused, or failed
 *     ├─ CommandFailedError             `.check()` of a command that did not exit with 0
 *     └─ APIError                       the server answered with an error
 *        ├─ ValidationError             422; the request can be read and a value in it is not allowed
 *        │  └─ BadRequestError          400; the request cannot be read
 *        ├─ AuthenticationError         401; no key, or one that is unknown, revoked or expired
 *        ├─ PermissionDeniedError       403
 *        │  └─ InsufficientScopeError   the key lacks a scope; `required` names it
 *        ├─ NotFoundError               404; also for what belongs to someone else
 *        ├─ ConflictError               409
 *        │  ├─ NoRulesError             a bare lockdown without rules; `observed` lists the hosts seen
 *        │  ├─ NameTakenError           the name is in use
 *        │  └─ SandboxStateError        the sandbox is not in a state that allows this
 *        ├─ PayloadTooLargeError        413
 *        ├─ RateLimitError              429; wait `retryAfter` seconds
 *        └─ ServerError                 5xx; not your fault
 *           ├─ NotSupportedError        501; this installation cannot do that
 *           └─ UnavailableError         503; a part of the system does not answer just now
 *
 * A call that your own `AbortSignal` ended rejects with the signal's reason, as `fetch` does.
 */

import type { ExecResult } from "./models/execution.js";

/** The base of everything that this package throws. */
export class MiosaError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, "name", { value: new.target.name, configurable: true, writable: true });
  }
}

/** The client cannot be made, or cannot do this, with what it was given; the message says what is missing. */
export class ConfigurationError extends MiosaError {}

/** No answer that could be read; `sent` says whether the request may have reached the server. */
export class TransportError extends MiosaError {
  readonly sent: boolean = true;
}

/** Nothing answers at the base URL; the request was never sent. */
export class UnreachableError extends TransportError {
  override readonly sent = false;
}

/** The answer did not come within the timeout; the server may still act on the request. */
export class RequestTimeoutError extends TransportError {}

/** The connection ended before the answer did; the server may have acted on the request. */
export class ConnectionLostError extends TransportError {}

/** Something answered that does not speak this API: a proxy, another service, a wrong base URL. */
export class UnexpectedReplyError extends TransportError {}

/** The sandbox ended, or failed, before it was ready. */
export class SandboxFailedError extends MiosaError {}

/** What was waited for has not happened yet; it may still happen. */
export class WaitTimeoutError extends MiosaError {}

/** An account was not connected; `reason` is what the provider or the server said. */
export class ConnectionFailedError extends MiosaError {
  constructor(
    message: string,
    readonly provider?: string,
    readonly reason?: string,
  ) {
    super(message);
  }
}

/** A command inside the sandbox did not exit with 0; `result` holds its output. */
export class CommandFailedError extends MiosaError {
  constructor(readonly result: ExecResult) {
    const said = (result.stderr || result.stdout).trim();
    super(`the command exited with ${result.exitCode}${said ? `: ${said.slice(-2000)}` : ""}`);
  }
}

/** What the server says of an error, beside its message. */
export interface Said {
  readonly code: string;
  readonly status: number;
  readonly requestId?: string;
  readonly retry: boolean;
  /** In seconds, as in the header of that name. */
  readonly retryAfter?: number;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The server answered with an error: stable `code`, `message` for a person, and whether the same request may succeed later. */
export class APIError extends MiosaError {
  readonly code: string;
  readonly status: number;
  declare readonly requestId?: string;
  readonly retry: boolean;
  /** How many seconds the server asks to wait. */
  declare readonly retryAfter?: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(message: string, said: Partial<Said> = {}) {
    super(message);
    this.code = said.code ?? "";
    this.status = said.status ?? 0;
    this.retry = said.retry ?? false;
    this.details = said.details ?? {};
    if (said.requestId !== undefined) this.requestId = said.requestId;
    if (said.retryAfter !== undefined) this.retryAfter = said.retryAfter;
  }

  /** The message with status, code and request id, as a log wants it. */
  override toString(): string {
    const known = [`HTTP ${this.status}`, this.code, this.requestId && `request ${this.requestId}`].filter(Boolean);
    return `${this.name}: ${this.message} (${known.join(", ")})`;
  }
}

/** 422: the request can be read and a value in it is not allowed; `field` names it when the server does. */
export class ValidationError extends APIError {
  /** The field that is wrong, when the server says. */
  get field(): string | undefined {
    return text(this.details.field);
  }
}

/** 400: the request cannot be read: its syntax, a path, a parameter. */
export class BadRequestError extends ValidationError {}

/** 401: no key, or one that is unknown, revoked or expired. */
export class AuthenticationError extends APIError {}

/** 403: the caller is known and may not do this. */
export class PermissionDeniedError extends APIError {}

/** 403: the key lacks a scope. */
export class InsufficientScopeError extends PermissionDeniedError {
  /** The scope that the call needs. */
  get required(): string | undefined {
    return text(this.details.required);
  }
}

/** 404: no such thing for this key, whoever else may have one. */
export class NotFoundError extends APIError {}

/** 409: the thing is in a state, or has a name, that does not allow this. */
export class ConflictError extends APIError {}

/** A host that the sandbox has called, and how often. */
export interface ObservedHost {
  readonly host: string;
  readonly count: number;
}

/** 409: a lockdown without hosts, where no rule says which may stay open. */
export class NoRulesError extends ConflictError {
  constructor(message: string, said: Partial<Said> = {}) {
    // Whoever lets it pass uncaught sees its stack, which is why that one says what to do.
    super(`${message}\n${guide(observedIn(said.details))}`, said);
    void this.stack; // Some runtimes write it when it is first read.
    this.message = message;
  }

  /** The hosts that were called so far, as the server counted them. */
  get observed(): readonly ObservedHost[] {
    return observedIn(this.details);
  }

  /** With the hosts, and the call that keeps exactly these. */
  override toString(): string {
    return `${super.toString()}\n${guide(this.observed)}`;
  }
}

/** 409: the name is in use. */
export class NameTakenError extends ConflictError {}

/** 409: the sandbox is not in a state that allows this. */
export class SandboxStateError extends ConflictError {}

/** 413: the body, or a field of it, exceeds its limit. */
export class PayloadTooLargeError extends APIError {}

/** 429: too many at once; wait `retryAfter` seconds. */
export class RateLimitError extends APIError {}

/** 5xx: the fault is the server's; its log has the request id. */
export class ServerError extends APIError {}

/** 501: this installation cannot do that, whatever is sent. */
export class NotSupportedError extends ServerError {}

/** 503: a part of the system does not answer; the same request may succeed later. */
export class UnavailableError extends ServerError {}

function observedIn(details: Readonly<Record<string, unknown>> | undefined): readonly ObservedHost[] {
  const rows = details?.observed;
  if (!Array.isArray(rows)) return [];
  return rows.map((row: unknown) => {
    const found = record(row);
    return found ? { host: String(found.host), count: Number(found.count ?? 0) } : { host: String(row), count: 0 };
  });
}

function guide(seen: readonly ObservedHost[]): string {
  if (seen.length === 0) return "No host was observed yet. `lockdown([])` closes everything.";
  const listed = seen.map((one) => `  ${one.host}  ${one.count} ${one.count === 1 ? "call" : "calls"}`).join("\n");
  const hosts = seen.map((one) => JSON.stringify(one.host)).join(", ");
  return `Hosts observed:\n${listed}\nTo keep exactly these: lockdown([${hosts}])`;
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
