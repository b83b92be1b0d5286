/** Takes the payload out of the forms that servers of this API answer in. */

import { UnexpectedReplyError } from "./errors.js";

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

// The names under which lists arrive; the first that holds a list wins.
const LISTS = [
  ...[
    "data",
    "items",
    "sandboxes",
    "secrets",
    "bindings",
    "providers",
    "rules",
    "allowlist",
    "policies",
    "suggestions",
  ],
  ...["pending", "events", "audit", "keys", "api_keys", "presets", "snapshots", "previews", "processes", "entries"],
  ...["templates", "written", "artifacts", "vars"],
];

/** A single record: under `data`, under one of `names`, or flat. */
export function one(body: unknown, ...names: string[]): Json {
  const outer = object(body);
  if (!outer) throw new UnexpectedReplyError(`expected a JSON object, got ${kindOf(body)}`);
  for (const name of ["data", ...names]) {
    const inner = object(outer[name]);
    if (inner) return inner;
  }
  return outer;
}

/** A list: bare, or under whichever name. */
export function many(body: unknown): readonly unknown[] {
  if (Array.isArray(body)) return body;
  const outer = object(body) ?? {};
  for (const name of LISTS) {
    const found = outer[name];
    if (Array.isArray(found)) return found;
  }
  if (object(outer.data)) return many(outer.data);
  throw new UnexpectedReplyError("expected a list, got a JSON value without one");
}

/** Where the next page starts, when there is one. */
export function nextCursor(body: unknown): string | undefined {
  const outer = object(body);
  for (const holder of [outer, object(outer?.meta), object(outer?.page)]) {
    if (holder?.next_cursor) return String(holder.next_cursor);
  }
  return undefined;
}

/** The value as a JSON object, if it is one. */
export function object(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** What a JSON value is called. */
export function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
}
