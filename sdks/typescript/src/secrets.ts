/** Secrets: values go in and never come out; sandboxes see placeholders. */

import { Connection } from "./connection.js";
import { many, object, one } from "./envelope.js";
import { Binding, ConnectionInfo, Provider, Secret } from "./models/index.js";
import { type Resource, resource } from "./resource.js";
import type { CallOptions, Transport } from "./transport.js";
import { given, path } from "./wire.js";

/** What newer servers may take, as the wire spells it. */
export interface Extra extends CallOptions {
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A secret to store. */
export interface SetSecret extends Extra {
  readonly name: string;
  readonly value: string;
  /** The variable under which sandboxes see the placeholder. */
  readonly exposeAsEnv?: string;
  /** Where the value may go; else to the hosts of the provider that it is recognised as belonging to. */
  readonly allowedHosts?: Iterable<string>;
  readonly type?: string;
  readonly scope?: string;
  readonly provider?: string;
  readonly workspaceId?: string;
  readonly ownerUserId?: string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
  readonly refreshToken?: string;
  readonly expiresAt?: Date | string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What changes with a rotation, besides the value. */
export interface RotateSecret extends Extra {
  readonly refreshToken?: string;
  readonly expiresAt?: Date | string;
  readonly allowedHosts?: Iterable<string>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Which secrets to list. */
export interface SecretFilters extends Extra {
  readonly name?: string;
  readonly scope?: string;
  readonly type?: string;
  readonly provider?: string;
  readonly workspaceId?: string;
  readonly ownerUserId?: string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
}

/** How an account is connected, and for whom. */
export interface Connect extends Extra {
  readonly exposeAsEnv?: string;
  /** `code`: in a browser (the default). `device`: by a code on another device. */
  readonly flow?: "code" | "device";
  readonly scopes?: Iterable<string>;
  readonly scope?: string;
  readonly redirectUri?: string;
  readonly workspaceId?: string;
  readonly ownerUserId?: string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
}

/** How consent is asked for again. */
export interface Reauthorize extends Extra {
  readonly flow?: "code" | "device";
}

/** A client with a secret of its own. */
export interface MachineOAuth extends Extra {
  readonly name: string;
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes?: Iterable<string>;
  readonly exposeAsEnv?: string;
  readonly allowedHosts?: Iterable<string>;
  readonly clientAuth?: string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
}

/** How a secret is exposed. */
export interface Bind extends CallOptions {
  readonly exposeAsEnv: string;
  /** Which sandbox; a sandbox's own `secrets` know theirs. */
  readonly resourceId?: string;
}

/** Which bindings to list. */
export interface BindingFilters extends Extra {
  readonly secretId?: string;
  readonly resourceId?: string;
}

/** The secrets of one sandbox, or without one those of the tenant. Every `secret` argument is an id or a name. */
export class Secrets {
  readonly #transport: Transport;
  readonly #resource: Resource;

  constructor(transport: Transport, sandboxId?: string) {
    this.#transport = transport;
    this.#resource = resource(sandboxId);
  }

  /** Store a value. It goes out only to `allowedHosts`, or to those of the provider that it is recognised as belonging to. */
  async set(secret: SetSecret): Promise<Secret> {
    const defaults = { type: "api_key", scope: "user" };
    const json = { ...this.#resource, ...defaults, ...listed(secret) };
    return secretOf(await this.#transport.request("POST", "egress/secrets", { json, signal: secret.signal }));
  }

  /** Metadata of the secrets. */
  async list(filters: SecretFilters = {}): Promise<Secret[]> {
    const query = { ...this.#resource, ...given(filters) };
    return many(await this.#transport.request("GET", "egress/secrets", { query, signal: filters.signal })).map(
      Secret.decode,
    );
  }

  /** One secret's metadata. */
  async get(secret: string, options: CallOptions = {}): Promise<Secret> {
    const ask = { query: this.#resource, signal: options.signal };
    return secretOf(await this.#transport.request("GET", path("egress", "secrets", secret), ask));
  }

  /** Replace the value. Placeholders stay; when this returns, no new request uses the old value. */
  async rotate(secret: string, newValue: string, options: RotateSecret = {}): Promise<Secret> {
    const json = { ...listed(options), value: newValue };
    const ask = { query: this.#resource, json, signal: options.signal };
    return secretOf(await this.#transport.request("PATCH", path("egress", "secrets", secret), ask));
  }

  /** Forget a secret and its bindings; when this returns, no request uses it. */
  async delete(secret: string, options: CallOptions = {}): Promise<void> {
    const ask = { query: this.#resource, signal: options.signal };
    await this.#transport.request("DELETE", path("egress", "secrets", secret), ask);
  }

  /** Begin to connect an account: show the URL (or, with `flow: "device"`, the code) to a person, then `waitForCompletion()`. */
  async connect(provider: string, options: Connect = {}): Promise<Connection> {
    const json = { ...this.#resource, provider, ...listed(options) };
    const reply = await this.#transport.request("POST", "egress/oauth/start", { json, signal: options.signal });
    return new Connection(this.#transport, ConnectionInfo.decode({ provider, ...one(reply) }));
  }

  /** Ask for consent again, for an account whose consent was withdrawn or whose scopes change; placeholders stay. */
  async reauthorize(secret: string, options: Reauthorize = {}): Promise<Connection> {
    const ask = { query: this.#resource, json: given(options), signal: options.signal };
    const reply = await this.#transport.request("POST", path("egress", "secrets", secret, "reauthorize"), ask);
    return new Connection(this.#transport, ConnectionInfo.decode(one(reply)));
  }

  /** Tokens by client credentials, fetched and renewed by the server; the client secret never has a placeholder. */
  async addMachineOauth(client: MachineOAuth): Promise<Secret> {
    const json = { ...this.#resource, ...listed(client) };
    return secretOf(await this.#transport.request("POST", "egress/oauth/machine", { json, signal: client.signal }));
  }

  /** The account providers that this server can connect. */
  async providers(options: CallOptions = {}): Promise<Provider[]> {
    const reply = await this.#transport.request("GET", "egress/oauth/providers", { signal: options.signal });
    return many(reply).map(Provider.decode);
  }

  /** Expose a secret that exists to this sandbox, or to `resourceId`, under a variable. */
  async bind(secret: string, options: Bind): Promise<Binding> {
    const target = this.#resource.resource_id ? this.#resource : resource(options.resourceId);
    const json = { secret_id: secret, expose_as_env: options.exposeAsEnv, ...target };
    const reply = await this.#transport.request("POST", "egress/bindings", { json, signal: options.signal });
    return Binding.decode(one(reply, "binding"));
  }

  /** Which secrets are exposed where, and under which placeholders. */
  async bindings(filters: BindingFilters = {}): Promise<Binding[]> {
    const query = { ...this.#resource, ...given(filters) };
    const reply = await this.#transport.request("GET", "egress/bindings", { query, signal: filters.signal });
    return many(reply).map(Binding.decode);
  }

  /** Take a binding back; the secret stays. */
  async unbind(bindingId: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.request("DELETE", path("egress", "bindings", bindingId), { signal: options.signal });
  }
}

/** A secret with the binding that came beside it. */
function secretOf(reply: unknown): Secret {
  const record = one(reply, "secret");
  const beside = object(object(reply)?.binding);
  return Secret.decode(beside ? { ...record, binding: beside } : record);
}

/** The options with whatever can be looped over as a list. */
function listed(options: { allowedHosts?: Iterable<string>; scopes?: Iterable<string> }): Record<string, unknown> {
  const { allowedHosts, scopes, ...others } = options;
  return given({
    ...others,
    allowedHosts: allowedHosts && several("allowedHosts", allowedHosts),
    scopes: scopes && several("scopes", scopes),
  });
}

/** A string can be looped over as well, letter by letter, which nobody means. */
function several(name: string, given: Iterable<string>): string[] {
  if (typeof given === "string") throw new TypeError(`${name} is a list, not one string`);
  return [...given];
}
