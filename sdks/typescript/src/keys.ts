/** Keys of this API, and what is derived from them. */

import { many, one } from "./envelope.js";
import { AdminEntry, ApiKey, KeyPreset, ScopedToken } from "./models/index.js";
import { Pages } from "./pages.js";
import type { Extra } from "./secrets.js";
import type { CallOptions, Transport } from "./transport.js";
import { given, path } from "./wire.js";

/** What a new key may do, and until when. */
export interface CreateKey extends Extra {
  /** Those of the key that makes it, when not given. */
  readonly scopes?: readonly string[];
  /** A set of scopes that `savePreset` has kept, by its name. */
  readonly preset?: string;
  readonly expiresAt?: Date | string;
  readonly externalUserId?: string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Addresses and networks that it may be used from; any, when not given. */
  readonly ipAllowlist?: readonly string[];
}

/** What a key for one external user may do. */
export interface CreateScopedKey extends Extra {
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly expiresAt?: Date | string;
}

/** What changes of a key. */
export interface UpdateKey extends Extra {
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly expiresAt?: Date | string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** An empty list opens it to all addresses. */
  readonly ipAllowlist?: readonly string[];
}

/** A token to derive. */
export interface CreateToken extends Extra {
  readonly workspaceId?: string;
  readonly scopes?: readonly string[];
  readonly expiresInSeconds?: number;
}

/** The keys of this key's tenant. */
export class ApiKeys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Make a key. Its `token` is in this reply and never again. */
  async create(name: string, options: CreateKey = {}): Promise<ApiKey> {
    const ask = { json: { name, ...given(options) }, signal: options.signal };
    return ApiKey.decode(one(await this.#transport.request("POST", "api-keys", ask)));
  }

  /** Make a key that sees one external user's things and nothing else. */
  async createScoped(externalUserId: string, options: CreateScopedKey = {}): Promise<ApiKey> {
    const ask = { json: { external_user_id: externalUserId, ...given(options) }, signal: options.signal };
    return ApiKey.decode(one(await this.#transport.request("POST", "api-keys/scoped", ask)));
  }

  /** The keys, without their tokens. */
  list(filters: Extra & { readonly limit?: number } = {}): Pages<ApiKey> {
    return new Pages(this.#transport, "api-keys", given(filters), ApiKey.decode, filters);
  }

  /** One key. */
  async get(keyId: string, options: CallOptions = {}): Promise<ApiKey> {
    return this.#one("GET", keyId, options);
  }

  /** Change what is given, its scopes never to more than this key has. */
  async update(keyId: string, change: UpdateKey): Promise<ApiKey> {
    const ask = { json: given(change), signal: change.signal };
    return ApiKey.decode(one(await this.#transport.request("PATCH", path("api-keys", keyId), ask)));
  }

  /** Give it a new token, which is in this reply and never again; the old one ends now, or after the overlap. */
  async rotate(keyId: string, options: CallOptions & { readonly overlapSeconds?: number } = {}): Promise<ApiKey> {
    const ask = { json: given(options), signal: options.signal };
    return ApiKey.decode(one(await this.#transport.request("POST", path("api-keys", keyId, "rotate"), ask)));
  }

  /** End a key and those that were made with it, unless `keepChildren`; when this returns, they open nothing any more. */
  async delete(keyId: string, options: CallOptions & { readonly keepChildren?: boolean } = {}): Promise<void> {
    const ask = { query: { keep_children: options.keepChildren || undefined }, signal: options.signal };
    await this.#transport.request("DELETE", path("api-keys", keyId), ask);
  }

  /** What was done to a key and with it. */
  events(keyId: string, filters: Extra & { readonly limit?: number; readonly type?: string } = {}): Pages<AdminEntry> {
    return new Pages(this.#transport, path("api-keys", keyId, "events"), given(filters), AdminEntry.decode, filters);
  }

  /** Sets of scopes with a name, for `create(…, { preset })`. */
  async presets(options: CallOptions = {}): Promise<KeyPreset[]> {
    const reply = await this.#transport.request("GET", "api-keys/presets", { signal: options.signal });
    return many(reply).map(KeyPreset.decode);
  }

  /** Keep a set of scopes under a name, replacing what is there. */
  async savePreset(
    name: string,
    scopes: readonly string[],
    options: CallOptions & { readonly description?: string } = {},
  ): Promise<KeyPreset> {
    const ask = { json: { name, scopes, ...given(options) }, signal: options.signal };
    return KeyPreset.decode(one(await this.#transport.request("POST", "api-keys/presets", ask)));
  }

  /** Forget a named set of scopes; keys made with it stay. */
  async deletePreset(name: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.request("DELETE", path("api-keys", "presets", name), { signal: options.signal });
  }

  async #one(method: string, keyId: string, options: CallOptions): Promise<ApiKey> {
    const ask = { signal: options.signal };
    return ApiKey.decode(one(await this.#transport.request(method, path("api-keys", keyId), ask)));
  }
}

/** Tokens that are derived from this key for a short while. */
export class Tokens {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Derive one for a user of yours: what a browser may hold. */
  async createScoped(userId: string, options: CreateToken = {}): Promise<ScopedToken> {
    const ask = { json: { user_id: userId, ...given(options) }, signal: options.signal };
    return ScopedToken.decode(one(await this.#transport.request("POST", "tokens/scoped", ask)));
  }
}
