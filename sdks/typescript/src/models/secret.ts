/** Records of secrets, bindings and connected accounts. None of them ever holds a value. */

import type { Json } from "../envelope.js";
import { flag, hidden, list, type Model, map, maybe, model, moment, needed, number, or, text } from "./record.js";

/** A secret exposed to a resource under a variable; the placeholder is what the sandbox sees. */
export interface Binding extends Model {
  readonly id: string;
  readonly tenantId?: string;
  readonly secretId?: string;
  readonly secretName?: string;
  readonly resourceId?: string;
  readonly resourceType?: string;
  readonly exposeAsEnv?: string;
  readonly placeholder?: string;
  readonly inherited: boolean;
  readonly createdAt?: Date;
}

/** What may be known of a secret: everything but its value. */
export interface Secret extends Model {
  readonly id: string;
  readonly tenantId?: string;
  readonly name: string;
  readonly type: string;
  readonly scope?: string;
  readonly status?: string;
  readonly provider?: string;
  readonly preview?: string;
  readonly maskedValue?: string;
  readonly exposeAsEnv?: string;
  readonly allowedHosts: readonly string[];
  readonly boundHosts: readonly string[];
  readonly inert: boolean;
  readonly version?: number;
  readonly resourceId?: string;
  readonly resourceType?: string;
  readonly workspaceId?: string;
  readonly ownerUserId?: string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
  readonly metadata: Json;
  readonly expiresAt?: Date;
  readonly lastUsedAt?: Date;
  readonly createdAt?: Date;
  readonly updatedAt?: Date;
  readonly binding?: Binding;
}

/** An account provider that can be connected on this server. */
export interface Provider extends Model {
  readonly id?: string;
  readonly name: string;
  readonly displayName?: string;
  readonly scopes: readonly string[];
  readonly flows: readonly string[];
  readonly hosts: readonly string[];
  readonly exposeAsEnv?: string;
  readonly configured: boolean;
}

/** What a person needs to give consent: a URL, or with the device flow a code to enter at `verificationUri`. */
export interface ConnectionInfo extends Model {
  readonly state: string;
  readonly authorizeUrl?: string;
  readonly provider?: string;
  readonly secretId?: string;
  readonly flow: string;
  readonly redirectUri?: string;
  readonly verificationUri?: string;
  readonly verificationUriComplete?: string;
  readonly userCode?: string;
  /** Seconds between two looks, as the provider wants it. */
  readonly interval?: number;
  readonly expiresAt?: Date;
}

/** How far a consent is. */
export interface ConnectionStatus extends Model {
  readonly status: string;
  readonly state?: string;
  readonly provider?: string;
  readonly secretId?: string;
  readonly error?: string;
  readonly message?: string;
  /** The account is connected. */
  readonly done: boolean;
  /** It will not be connected by this consent. */
  readonly failed: boolean;
}

export const Binding = model<Binding>("Binding", {
  id: needed(text),
  tenantId: maybe(text),
  secretId: maybe(text),
  secretName: maybe(text),
  resourceId: maybe(text),
  resourceType: maybe(text),
  exposeAsEnv: maybe(text),
  placeholder: maybe(text),
  inherited: or(flag, false),
  createdAt: maybe(moment),
});

export const Secret = model<Secret>("Secret", {
  id: needed(text),
  tenantId: maybe(text),
  name: needed(text),
  type: or(text, "api_key"),
  scope: maybe(text),
  status: maybe(text),
  provider: maybe(text),
  preview: maybe(text),
  maskedValue: maybe(text),
  exposeAsEnv: maybe(text),
  allowedHosts: or(list(text), []),
  boundHosts: or(list(text), []),
  inert: or(flag, false),
  version: maybe(number),
  resourceId: maybe(text),
  resourceType: maybe(text),
  workspaceId: maybe(text),
  ownerUserId: maybe(text),
  externalUserId: maybe(text),
  externalWorkspaceId: maybe(text),
  metadata: or(map, {}),
  expiresAt: maybe(moment),
  lastUsedAt: maybe(moment),
  createdAt: maybe(moment),
  updatedAt: maybe(moment),
  binding: maybe(Binding),
});

export const Provider = model<Provider>("Provider", {
  id: maybe(text),
  name: needed(text),
  displayName: maybe(text),
  scopes: or(list(text), []),
  flows: or(list(text), []),
  hosts: or(list(text), []),
  exposeAsEnv: maybe(text),
  configured: or(flag, true),
});

export const ConnectionInfo = model<ConnectionInfo>("ConnectionInfo", {
  state: hidden(needed(text)),
  authorizeUrl: hidden(maybe(text)),
  provider: maybe(text),
  secretId: maybe(text),
  flow: or(text, "code"),
  redirectUri: maybe(text),
  verificationUri: maybe(text),
  verificationUriComplete: maybe(text),
  userCode: maybe(text),
  interval: maybe(number),
  expiresAt: maybe(moment),
});

export const ConnectionStatus = model<ConnectionStatus, "done" | "failed">(
  "ConnectionStatus",
  {
    status: or(text, "pending"),
    state: hidden(maybe(text)),
    provider: maybe(text),
    secretId: maybe(text),
    error: maybe(text),
    message: maybe(text),
  },
  {
    get done() {
      return ["completed", "ready", "succeeded", "connected", "active"].includes(this.status);
    },
    get failed() {
      return ["failed", "error", "denied", "expired"].includes(this.status);
    },
  },
);
