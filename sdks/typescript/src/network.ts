/** What sandboxes may call: rules, the two modes, and what was seen. */

import { many, one } from "./envelope.js";
import { NotFoundError } from "./errors.js";
import { PendingHost, Policy, Rule, Suggestion } from "./models/index.js";
import { type Resource, resource } from "./resource.js";
import type { Extra } from "./secrets.js";
import type { CallOptions, Transport } from "./transport.js";
import { given, path } from "./wire.js";

/** What narrows a rule. */
export interface RuleOptions extends Extra {
  readonly methods?: readonly string[];
  readonly pathGlob?: string;
  readonly port?: number;
  readonly note?: string;
  readonly policyId?: string;
}

/** Which rules or policies to list. */
export interface PolicyFilters extends Extra {
  readonly policyId?: string;
  readonly resourceId?: string;
}

/** A policy of one's own. */
export interface CreatePolicy extends Extra {
  readonly name: string;
  readonly mode?: "enforce" | "audit_only";
  readonly defaultEffect?: "allow" | "deny";
  readonly description?: string;
  readonly resourceId?: string;
  readonly resourceType?: string;
}

/** What changes in a policy. */
export interface UpdatePolicy extends Extra {
  readonly mode?: "enforce" | "audit_only";
  readonly defaultEffect?: "allow" | "deny";
  readonly name?: string;
  readonly description?: string;
}

/** The network of one sandbox, or without one the tenant's default. */
export class Network {
  readonly #transport: Transport;
  readonly #resource: Resource;

  constructor(transport: Transport, sandboxId?: string) {
    this.#transport = transport;
    this.#resource = resource(sandboxId);
  }

  /** Let a host be called: exact, `*.suffix`, or a CIDR for literal addresses. */
  async allow(host: string, options: RuleOptions = {}): Promise<Rule> {
    return this.#rule(host, "allow", options);
  }

  /** Never let a host be called, in either mode; beats every allow. */
  async deny(host: string, options: RuleOptions = {}): Promise<Rule> {
    return this.#rule(host, "deny", options);
  }

  /** Take back a rule, by its id or its host. */
  async remove(ruleOrHost: string, options: CallOptions = {}): Promise<void> {
    const ask = { query: this.#resource, signal: options.signal };
    await this.#transport.request("DELETE", path("egress", "allowlist", ruleOrHost), ask);
  }

  /** The rules there are. */
  async rules(filters: PolicyFilters = {}): Promise<Rule[]> {
    const query = { ...this.#resource, ...given(filters) };
    const reply = await this.#transport.request("GET", "egress/allowlist", { query, signal: filters.signal });
    return many(reply).map(Rule.decode);
  }

  /**
   * From now on only the rules pass. `hosts` become allow rules in the same step; an empty list closes everything.
   *
   * Without hosts the rules there are stay; where there are none, NoRulesError lists the hosts observed.
   */
  async lockdown(hosts?: Iterable<string>, options: CallOptions = {}): Promise<Policy> {
    if (typeof hosts === "string") throw new TypeError("hosts is a list of hosts, not one string");
    const json = { ...this.#resource, ...(hosts ? { hosts: [...hosts] } : {}) };
    const reply = await this.#transport.request("POST", "egress/lockdown", { json, signal: options.signal });
    return Policy.decode(one(reply, "policy"));
  }

  /** Back to recording without blocking; secrets still go only where they are bound. */
  async observe(options: CallOptions = {}): Promise<Policy> {
    const ask = { json: this.#resource, signal: options.signal };
    return Policy.decode(one(await this.#transport.request("POST", "egress/observe", ask), "policy"));
  }

  /** The policy with its rules: `mode`, `allowRules`, `denyRules`. */
  async getPolicy(options: CallOptions = {}): Promise<Policy> {
    const found = await this.policies(options);
    const own = found.find((policy) => policy.resourceId === this.#resource.resource_id) ?? found[0];
    if (!own) throw new NotFoundError("there is no policy yet", { code: "NOT_FOUND", status: 404 });
    const ask = { signal: options.signal };
    return Policy.decode(one(await this.#transport.request("GET", path("egress", "policies", own.id), ask), "policy"));
  }

  /** The policies there are. */
  async policies(filters: PolicyFilters = {}): Promise<Policy[]> {
    const query = { ...this.#resource, ...given(filters) };
    const reply = await this.#transport.request("GET", "egress/policies", { query, signal: filters.signal });
    return many(reply).map(Policy.decode);
  }

  /** A policy of one's own, for a resource or for the tenant. */
  async createPolicy(policy: CreatePolicy): Promise<Policy> {
    const json = { ...this.#resource, mode: "enforce", default_effect: "deny", ...given(policy) };
    const reply = await this.#transport.request("POST", "egress/policies", { json, signal: policy.signal });
    return Policy.decode(one(reply, "policy"));
  }

  /** Change mode, default effect, name or description. */
  async updatePolicy(policyId: string, change: UpdatePolicy): Promise<Policy> {
    const ask = { json: given(change), signal: change.signal };
    return Policy.decode(
      one(await this.#transport.request("PATCH", path("egress", "policies", policyId), ask), "policy"),
    );
  }

  /** Hosts that were called in a window (`7d`, `24h`, or a time), with counts: what a lockdown would have to allow. */
  async suggestions(options: CallOptions & { readonly since?: Date | string } = {}): Promise<Suggestion[]> {
    const query = { ...this.#resource, since: options.since ?? "7d" };
    const reply = await this.#transport.request("GET", "egress/audit/suggestions", { query, signal: options.signal });
    return many(reply).map(Suggestion.decode);
  }

  /** Hosts refused since the lockdown, and secrets that wait for a host. */
  async pending(options: CallOptions = {}): Promise<PendingHost[]> {
    const ask = { query: this.#resource, signal: options.signal };
    return many(await this.#transport.request("GET", "egress/pending", ask)).map(PendingHost.decode);
  }

  async #rule(host: string, effect: string, options: RuleOptions): Promise<Rule> {
    const json = { ...this.#resource, host, effect, ...given(options) };
    const reply = await this.#transport.request("POST", "egress/allowlist", { json, signal: options.signal });
    return Rule.decode(one(reply, "rule"));
  }
}
