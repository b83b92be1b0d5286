/** The record of administrative acts. */

import { AdminEntry } from "./models/index.js";
import { Pages } from "./pages.js";
import type { Extra } from "./secrets.js";
import type { Transport } from "./transport.js";
import { given } from "./wire.js";

/** Which administrative acts. */
export interface AdminFilters extends Extra {
  readonly action?: string;
  /** An act, in which `*` stands for any part. */
  readonly type?: string;
  readonly actorId?: string;
  readonly resourceType?: string;
  readonly resourceId?: string;
  readonly since?: Date | string;
  readonly until?: Date | string;
  readonly limit?: number;
  readonly cursor?: string;
}

/** Who did what to which thing, allowed or refused; not the outbound calls, which are in `audit`. */
export class AdminLog {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The acts, newest first. */
  list(filters: AdminFilters = {}): Pages<AdminEntry> {
    return new Pages(this.#transport, "audit-log", given(filters), AdminEntry.decode, filters);
  }
}
