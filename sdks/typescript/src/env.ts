/** Variables of a sandbox: what commands that start from now on see. Its agent can read them; a secret belongs into `secrets`. */

import { many } from "./envelope.js";
import { Variable } from "./models/index.js";
import type { CallOptions, Transport } from "./transport.js";
import { path } from "./wire.js";

/** The variables of one sandbox. */
export class Env {
  readonly #transport: Transport;
  readonly #sandboxId: string;

  constructor(transport: Transport, sandboxId: string) {
    this.#transport = transport;
    this.#sandboxId = sandboxId;
  }

  /** The variables there are; placeholders of secrets are listed by `secrets.bindings()`. */
  async list(options: CallOptions = {}): Promise<Variable[]> {
    return variables(await this.#transport.request("GET", this.#path(), { signal: options.signal }));
  }

  /** Replace them all; processes that run keep what they had. */
  async set(values: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<Variable[]> {
    const vars = Object.entries(values).map(([key, value]) => ({ key, value }));
    return variables(await this.#transport.request("PUT", this.#path(), { json: { vars }, signal: options.signal }));
  }

  /** Remove one. */
  async delete(name: string, options: CallOptions = {}): Promise<Variable[]> {
    return variables(await this.#transport.request("DELETE", this.#path(name), { signal: options.signal }));
  }

  #path(...more: string[]): string {
    return path("sandboxes", this.#sandboxId, "env", ...more);
  }
}

function variables(reply: unknown): Variable[] {
  return many(reply).map(Variable.decode);
}
