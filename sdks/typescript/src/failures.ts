/** Which error an answer becomes, whichever of the known body forms it has. */

import { type Json, object } from "./envelope.js";
import {
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InsufficientScopeError,
  NameTakenError,
  NoRulesError,
  NotFoundError,
  NotSupportedError,
  PayloadTooLargeError,
  PermissionDeniedError,
  RateLimitError,
  type Said,
  SandboxStateError,
  ServerError,
  UnavailableError,
  ValidationError,
} from "./errors.js";

type Kind = new (message: string, said?: Partial<Said>) => APIError;

const BY_CODE: Readonly<Record<string, Kind>> = {
  INSUFFICIENT_SCOPE: InsufficientScopeError,
  NO_RULES: NoRulesError,
  NAME_TAKEN: NameTakenError,
  RESOURCE_STATE: SandboxStateError,
  SANDBOX_STATE: SandboxStateError,
  SANDBOX_STARTING: SandboxStateError,
  SANDBOX_NOT_COMMAND_READY: SandboxStateError,
};
const BY_STATUS: Readonly<Record<number, Kind>> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  413: PayloadTooLargeError,
  422: ValidationError,
  429: RateLimitError,
  501: NotSupportedError,
  503: UnavailableError,
};
// Worth another try when the server does not say; 500 stands here because every request of this client can be repeated safely.
const RETRIED_STATUSES: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);

/** The error for an error answer, whichever of the known body forms it has. */
export function apiError(status: number, body: unknown, headers?: Headers): APIError {
  const outer = object(body) ?? {};
  const nested = outer.error;
  const inner = object(nested) ?? outer;
  const said = (name: string): unknown => inner[name] ?? outer[name];

  const upper = typeof nested === "string" && nested !== "" && nested === nested.toUpperCase() ? nested : "";
  const code = text(said("code")) || upper;
  const retry = said("retry") ?? said("retryable");
  const requestId = text(said("request_id")) ?? headers?.get("x-request-id") ?? undefined;
  const retryAfter = secondsToWait(said, headers);
  const kind = BY_CODE[code] ?? BY_STATUS[status] ?? (status >= 500 ? ServerError : APIError);
  return new kind(messageOf(status, inner, outer), {
    code,
    status,
    retry: retry == null ? RETRIED_STATUSES.has(status) : Boolean(retry),
    details: object(said("details")) ?? {},
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

function messageOf(status: number, ...bodies: Json[]): string {
  for (const body of bodies) {
    for (const name of ["message", "detail", "reason", "error", "errors"]) {
      const found = body[name];
      const first = Array.isArray(found) ? found[0] : found;
      if (typeof first === "string" && first) return first;
    }
  }
  return `the server answered ${status} and did not say why`;
}

function secondsToWait(said: (name: string) => unknown, headers?: Headers): number | undefined {
  const stated: [unknown, number][] = [
    [said("retry_after"), 1],
    [said("retry_after_ms"), 0.001],
    [headers?.get("retry-after"), 1],
  ];
  for (const [value, unit] of stated) {
    const seconds = typeof value === "string" && value.trim() === "" ? Number.NaN : Number(value ?? Number.NaN);
    if (Number.isFinite(seconds)) return Math.max(0, seconds * unit);
  }
  return undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
