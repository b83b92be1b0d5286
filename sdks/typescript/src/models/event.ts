/** The record of one outbound call. */

import type { Json } from "../envelope.js";
import { plain } from "../text.js";
import { list, type Model, map, maybe, model, moment, needed, number, or, text } from "./record.js";

/** Names of the secrets that were put in place of their placeholders. */
export interface SecretTransforms extends Model {
  readonly swapped: readonly string[];
}

/** What was changed in a request on its way. */
export interface RequestTransforms extends Model {
  readonly secrets?: SecretTransforms;
}

/** A secret that went out with a request: which version, and where in the request. */
export interface SecretUse extends Model {
  readonly name: string;
  readonly version?: number;
  readonly place?: string;
}

/** One outbound call; `statusCode` is what the sandbox received (403 for a refusal, 0 for nothing). */
export interface Event extends Model {
  readonly id: string;
  readonly number?: number;
  readonly timestamp?: Date;
  readonly action: string;
  readonly effect?: string;
  readonly host: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly method?: string;
  readonly path?: string;
  readonly statusCode: number;
  readonly reason?: string;
  readonly message?: string;
  readonly rejectedBy?: string;
  readonly requestTransforms?: RequestTransforms;
  readonly secrets: readonly SecretUse[];
  readonly durationMs?: number;
  readonly bytesIn?: number;
  readonly bytesOut?: number;
  readonly endedAs?: string;
  readonly policyId?: string;
  readonly ruleId?: string;
  readonly policyMode?: string;
  readonly revision?: number;
  readonly count: number;
  readonly resourceId?: string;
  readonly resourceType?: string;
  readonly tenantId?: string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
  readonly actorId?: string;
  readonly mcp?: Json;
  readonly metadata: Json;
  /** Names of the secrets that this call carried. */
  readonly swapped: readonly string[];
  /** `[audit] allow api.openai.com HTTP 200 secrets=openai_key` */
  toString(): string;
}

export const SecretTransforms = model<SecretTransforms>("SecretTransforms", { swapped: or(list(text), []) });

export const RequestTransforms = model<RequestTransforms>("RequestTransforms", { secrets: maybe(SecretTransforms) });

export const SecretUse = model<SecretUse>("SecretUse", {
  name: needed(text),
  version: maybe(number),
  place: maybe(text),
});

export const Event = model<Event, "swapped" | "toString">(
  "Event",
  {
    id: needed(text),
    number: maybe(number),
    timestamp: maybe(moment),
    action: or(text, ""),
    effect: maybe(text),
    host: or(text, ""),
    port: maybe(number),
    protocol: maybe(text),
    method: maybe(text),
    path: maybe(text),
    statusCode: or(number, 0),
    reason: maybe(text),
    message: maybe(text),
    rejectedBy: maybe(text),
    requestTransforms: maybe(RequestTransforms),
    secrets: or(list(SecretUse), []),
    durationMs: maybe(number),
    bytesIn: maybe(number),
    bytesOut: maybe(number),
    endedAs: maybe(text),
    policyId: maybe(text),
    ruleId: maybe(text),
    policyMode: maybe(text),
    revision: maybe(number),
    count: or(number, 1),
    resourceId: maybe(text),
    resourceType: maybe(text),
    tenantId: maybe(text),
    externalUserId: maybe(text),
    externalWorkspaceId: maybe(text),
    actorId: maybe(text),
    mcp: maybe(map),
    metadata: or(map, {}),
  },
  {
    get swapped() {
      return this.requestTransforms?.secrets?.swapped ?? [];
    },
    toString() {
      const secrets = plain(this.swapped.join(",")) || "none";
      return `[audit] ${plain(this.action)} ${plain(this.host)} HTTP ${this.statusCode} secrets=${secrets}`;
    },
  },
);
