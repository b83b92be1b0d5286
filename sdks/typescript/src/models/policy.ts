/** Records of the network: policies, their rules, and hosts that were seen. */

import { list, type Model, maybe, model, moment, needed, number, or, text } from "./record.js";

/** A host that may, or may not, be called. */
export interface Rule extends Model {
  readonly id: string;
  readonly host: string;
  readonly effect: string;
  readonly port?: number;
  readonly methods: readonly string[];
  readonly pathGlob?: string;
  readonly policyId?: string;
  readonly resourceId?: string;
  readonly resourceType?: string;
  readonly note?: string;
  readonly createdAt?: Date;
}

/** What a sandbox may call: `audit_only` records and lets pass, `enforce` lets only the rules pass. */
export interface Policy extends Model {
  readonly id: string;
  readonly name?: string;
  readonly mode: string;
  readonly defaultEffect: string;
  readonly resourceId?: string;
  readonly resourceType?: string;
  readonly description?: string;
  readonly rules: readonly Rule[];
  readonly allowRules: readonly Rule[];
  readonly denyRules: readonly Rule[];
  readonly lockedAt?: Date;
  readonly createdAt?: Date;
  readonly updatedAt?: Date;
}

/** A host that was called, with counts: what a lockdown would have to allow. */
export interface Suggestion extends Model {
  readonly host: string;
  readonly port?: number;
  readonly methods: readonly string[];
  readonly pathGlob?: string;
  readonly count: number;
  readonly deniedCount: number;
  readonly firstSeen?: Date;
  readonly lastSeen?: Date;
  readonly reason?: string;
  readonly secret?: string;
  readonly resourceId?: string;
  readonly resourceType?: string;
}

/** A host that was refused since the lockdown, or a secret that waits for a host, until someone decides. */
export interface PendingHost extends Suggestion {}

export const Rule = model<Rule>("Rule", {
  id: needed(text),
  host: needed(text),
  effect: or(text, "allow"),
  port: maybe(number),
  methods: or(list(text), []),
  pathGlob: maybe(text),
  policyId: maybe(text),
  resourceId: maybe(text),
  resourceType: maybe(text),
  note: maybe(text),
  createdAt: maybe(moment),
});

export const Policy = model<Policy>("Policy", {
  id: needed(text),
  name: maybe(text),
  mode: or(text, "audit_only"),
  defaultEffect: or(text, "deny"),
  resourceId: maybe(text),
  resourceType: maybe(text),
  description: maybe(text),
  rules: or(list(Rule), []),
  allowRules: or(list(Rule), []),
  denyRules: or(list(Rule), []),
  lockedAt: maybe(moment),
  createdAt: maybe(moment),
  updatedAt: maybe(moment),
});

const seen = {
  host: needed(text),
  port: maybe(number),
  methods: or(list(text), []),
  pathGlob: maybe(text),
  count: or(number, 0),
  deniedCount: or(number, 0),
  firstSeen: maybe(moment),
  lastSeen: maybe(moment),
  reason: maybe(text),
  secret: maybe(text),
  resourceId: maybe(text),
  resourceType: maybe(text),
};

export const Suggestion = model<Suggestion>("Suggestion", seen);

export const PendingHost = model<PendingHost>("PendingHost", seen);
