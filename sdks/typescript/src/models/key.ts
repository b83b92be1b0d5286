/** Records of API keys, of who is asking, and of what was done with keys. */

import { type Json, object } from "../envelope.js";
import {
  type Codec,
  flag,
  hidden,
  list,
  type Model,
  map,
  maybe,
  model,
  moment,
  needed,
  number,
  or,
  text,
} from "./record.js";

/** A key of this API; `token` is there once, in the reply to its creation, and neither logged nor stringified. */
export interface ApiKey extends Model {
  readonly id: string;
  readonly name?: string;
  readonly kind?: string;
  readonly status?: string;
  readonly prefix?: string;
  readonly scopes: readonly string[];
  readonly parentId?: string;
  readonly externalUserId?: string;
  readonly tenantId?: string;
  readonly description?: string;
  readonly metadata: Json;
  /** Addresses and networks that it may be used from; any, when there is none. */
  readonly ipAllowlist?: readonly string[];
  readonly rotatedAt?: Date;
  readonly expiresAt?: Date;
  readonly lastUsedAt?: Date;
  readonly createdAt?: Date;
  readonly token?: string;
  /** The token under the name that older servers give it. */
  readonly key?: string;
}

/** Whom the server takes this client for. */
export interface Identity extends Model {
  readonly tenantId?: string;
  readonly keyId?: string;
  readonly name?: string;
  readonly scopes: readonly string[];
  readonly externalUserId?: string;
}

/** A token that was derived from a key for a short while; neither logged nor stringified. */
export interface ScopedToken extends Model {
  readonly token: string;
  readonly id?: string;
  readonly scopes: readonly string[];
  readonly userId?: string;
  readonly workspaceId?: string;
  readonly expiresAt?: Date;
}

/** Scopes with a name. */
export interface KeyPreset extends Model {
  readonly name: string;
  /** Whether it comes with the server. */
  readonly builtin: boolean;
  readonly scopes: readonly string[];
  readonly description?: string;
  readonly createdAt?: Date;
}

/** Opens one event stream, once and soon: for a browser's EventSource, which can send no key. */
export interface Ticket extends Model {
  readonly ticket: string;
  readonly expiresIn?: number;
}

/** One administrative act, allowed or refused: who did what to which thing, from where. */
export interface AdminEntry extends Model {
  readonly id: string;
  readonly tenantId?: string;
  readonly actorId?: string;
  readonly actorType?: string;
  readonly action: string;
  readonly outcome?: string;
  readonly resourceType?: string;
  readonly resourceId?: string;
  readonly metadata: Json;
  readonly ipAddress?: string;
  readonly requestId?: string;
  readonly createdAt?: Date;
}

const key = model<ApiKey>("ApiKey", {
  id: needed(text),
  name: maybe(text),
  kind: maybe(text),
  status: maybe(text),
  prefix: maybe(text),
  scopes: or(list(text), []),
  parentId: maybe(text),
  externalUserId: maybe(text),
  tenantId: maybe(text),
  description: maybe(text),
  metadata: or(map, {}),
  ipAllowlist: maybe(list(text)),
  rotatedAt: maybe(moment),
  expiresAt: maybe(moment),
  lastUsedAt: maybe(moment),
  createdAt: maybe(moment),
  token: hidden(maybe(text)),
  key: hidden(maybe(text)),
});

/** Servers call the plaintext `token` or `key`. */
function withToken(body: unknown): ApiKey {
  const json = object(body);
  return key.decode(json?.key && !json.token ? { ...json, token: json.key } : body);
}

export const ApiKey: Codec<ApiKey> = { ...key, decode: withToken, read: withToken };

export const Identity = model<Identity>("Identity", {
  tenantId: maybe(text),
  keyId: maybe(text),
  name: maybe(text),
  scopes: or(list(text), []),
  externalUserId: maybe(text),
});

export const ScopedToken = model<ScopedToken>("ScopedToken", {
  token: hidden(needed(text)),
  id: maybe(text),
  scopes: or(list(text), []),
  userId: maybe(text),
  workspaceId: maybe(text),
  expiresAt: maybe(moment),
});

export const KeyPreset = model<KeyPreset>("KeyPreset", {
  name: needed(text),
  builtin: or(flag, false),
  scopes: or(list(text), []),
  description: maybe(text),
  createdAt: maybe(moment),
});

export const Ticket = model<Ticket>("Ticket", { ticket: hidden(needed(text)), expiresIn: maybe(number) });

export const AdminEntry = model<AdminEntry>("AdminEntry", {
  id: needed(text),
  tenantId: maybe(text),
  actorId: maybe(text),
  actorType: maybe(text),
  action: or(text, ""),
  outcome: maybe(text),
  resourceType: maybe(text),
  resourceId: maybe(text),
  metadata: or(map, {}),
  ipAddress: maybe(text),
  requestId: maybe(text),
  createdAt: maybe(moment),
});
