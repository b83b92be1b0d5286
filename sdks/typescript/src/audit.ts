/** The record of outbound calls: listed, exported, or live. */

import { Download, type OnProgress } from "./download.js";
import { one } from "./envelope.js";
import { Event } from "./models/index.js";
import { Pages } from "./pages.js";
import { resource } from "./resource.js";
import type { Extra } from "./secrets.js";
import { Tail, type TailOptions } from "./tail.js";
import type { CallOptions, Transport } from "./transport.js";
import { given, path } from "./wire.js";

/** Which events. */
export interface EventFilters extends Extra {
  readonly host?: string;
  readonly method?: string;
  readonly action?: string;
  /** The name of a secret that the call carried. */
  readonly secret?: string;
  readonly since?: Date | string;
  readonly until?: Date | string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
}

/** Which events, and in which pages. */
export interface ListEvents extends EventFilters {
  /** The size of a page. */
  readonly limit?: number;
  /** An event's id; the list goes on after it. */
  readonly cursor?: string;
}

/** The events of one sandbox, or without one those of the tenant. */
export class Audit {
  readonly #transport: Transport;
  readonly #sandboxId: string | undefined;

  constructor(transport: Transport, sandboxId?: string) {
    this.#transport = transport;
    this.#sandboxId = sandboxId;
  }

  /** Events, oldest first; without `since` the newest page. */
  list(filters: ListEvents = {}): Pages<Event> {
    const query = { ...resource(this.#sandboxId), ...given(filters) };
    return new Pages(this.#transport, "egress/audit", query, Event.decode, filters);
  }

  /** One event. */
  async get(eventId: string, options: CallOptions = {}): Promise<Event> {
    const ask = { signal: options.signal };
    return Event.decode(one(await this.#transport.request("GET", path("egress", "audit", eventId), ask), "event"));
  }

  /** Events as they happen, for ever: from the first step of the loop on, or from after the event with id `after`. */
  tail(options: TailOptions = {}): Tail {
    return new Tail(this.#transport, this.#sandboxId, options);
  }

  /** All events that match, as `csv` or `jsonl`. */
  async export(
    format: "csv" | "jsonl" = "csv",
    filters: EventFilters & { readonly onProgress?: OnProgress } = {},
  ): Promise<Download> {
    const { onProgress, ...wanted } = filters;
    const query = { ...resource(this.#sandboxId), format, ...given(wanted) };
    const ask = { query, accept: "*/*", signal: filters.signal };
    return new Download(await this.#transport.open("GET", "egress/audit/export", ask), onProgress);
  }
}
