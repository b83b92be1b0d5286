/** The client: where everything starts. */

import { AdminLog } from "./admin.js";
import { Audit } from "./audit.js";
import { many, one } from "./envelope.js";
import { ApiKeys, Tokens } from "./keys.js";
import { Identity, Template, Ticket } from "./models/index.js";
import { Network } from "./network.js";
import { Sandboxes } from "./sandboxes.js";
import { Secrets } from "./secrets.js";
import { type CallOptions, type MiosaOptions, Transport } from "./transport.js";

/** Any call of the API. */
export interface RequestOptions extends CallOptions {
  readonly query?: Readonly<Record<string, unknown>>;
  readonly json?: unknown;
}

/**
 * A client of one server, with one key.
 *
 * Failures that may pass are tried again, never so that something is done twice. Everything that is thrown is a `MiosaError`,
 * but for the reason of your own `AbortSignal`.
 */
export class Miosa {
  readonly sandboxes: Sandboxes;
  readonly secrets: Secrets;
  readonly network: Network;
  readonly audit: Audit;
  readonly apiKeys: ApiKeys;
  readonly tokens: Tokens;
  readonly adminLog: AdminLog;
  readonly #transport: Transport;

  constructor(options: MiosaOptions = {}) {
    this.#transport = new Transport(options);
    this.sandboxes = new Sandboxes(this.#transport);
    this.secrets = new Secrets(this.#transport);
    this.network = new Network(this.#transport);
    this.audit = new Audit(this.#transport);
    this.apiKeys = new ApiKeys(this.#transport);
    this.tokens = new Tokens(this.#transport);
    this.adminLog = new AdminLog(this.#transport);
  }

  /** The API's base, as it is used. */
  get baseUrl(): string {
    return this.#transport.baseUrl;
  }

  /** Whom the server takes this client for, and what the key may do. */
  async whoami(options: CallOptions = {}): Promise<Identity> {
    return Identity.decode(one(await this.#transport.request("GET", "whoami", { signal: options.signal })));
  }

  /** The templates that sandboxes can be made from. */
  async templates(options: CallOptions = {}): Promise<Template[]> {
    return many(await this.#transport.request("GET", "templates", { signal: options.signal })).map(Template.decode);
  }

  /** Opens one event stream within a minute, as `?ticket=…`: for an `EventSource`, which can send no key. */
  async sseTicket(options: CallOptions = {}): Promise<Ticket> {
    return Ticket.decode(
      one(await this.#transport.request("POST", "sse/ticket", { json: {}, signal: options.signal })),
    );
  }

  /** Any call of the API that has no method here, with the same key, retries and errors. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<unknown> {
    return this.#transport.request(method, path.replace(/^\/+/, ""), options);
  }

  /** Where it goes, and not with which key. */
  toString(): string {
    return `Miosa(${this.baseUrl})`;
  }

  /** The same for `JSON.stringify`. */
  toJSON(): object {
    return { baseUrl: this.baseUrl };
  }
}
