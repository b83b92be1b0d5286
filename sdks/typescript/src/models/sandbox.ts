/** Records of sandboxes, their snapshots, previews, variables and templates. */

import type { Json } from "../envelope.js";
import { FileInfo } from "./files.js";
import { flag, list, type Model, map, maybe, model, moment, needed, number, or, text } from "./record.js";

/** How large a sandbox is. */
export interface ResourceContract extends Model {
  readonly id?: string;
  readonly version?: string;
  readonly product?: string;
  readonly size?: string;
  readonly vcpus?: number;
  readonly memoryMb?: number;
  readonly diskSizeMb?: number;
}

/** What the server knows of a sandbox. */
export interface SandboxInfo extends Model {
  readonly id: string;
  readonly name?: string;
  readonly state: string;
  readonly stateReason?: string;
  readonly ready: boolean;
  readonly templateId?: string;
  readonly slug?: string;
  readonly size?: string;
  readonly cpuCount?: number;
  readonly memoryMb?: number;
  readonly diskSizeMb?: number;
  readonly timeoutSec?: number;
  readonly idleTimeoutSec?: number;
  readonly persistent?: boolean;
  readonly alwaysOn?: boolean;
  readonly resourceContract?: ResourceContract;
  readonly timeoutRemainingMs?: number;
  readonly tags: readonly string[];
  readonly envNames: readonly string[];
  readonly metadata: Json;
  readonly tenantId?: string;
  readonly workspaceId?: string;
  readonly ownerUserId?: string;
  readonly externalUserId?: string;
  readonly externalWorkspaceId?: string;
  readonly externalProjectId?: string;
  readonly bootMs?: number;
  readonly createdAt?: Date;
  readonly updatedAt?: Date;
  readonly startedAt?: Date;
  readonly readyAt?: Date;
  readonly destroyedAt?: Date;
}

/** Outbound calls, counted. */
export interface Calls extends Model {
  readonly total: number;
  readonly allowed: number;
  readonly refused: number;
  readonly failed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What a sandbox uses at one moment, and what it called within the window; `cpuUsec` counts from its start. */
export interface Metrics extends Model {
  readonly sandboxId?: string;
  readonly state?: string;
  readonly runningSec?: number;
  readonly cpuCount?: number;
  readonly cpuUsec?: number;
  readonly memoryBytes?: number;
  readonly memoryPeakBytes?: number;
  readonly memoryLimitBytes?: number;
  readonly diskBytes?: number;
  readonly tasks?: number;
  readonly window?: string;
  readonly calls?: Calls;
  readonly measuredAt?: Date;
}

/** How long a sandbox has lived, what it may use, what it has used, and what it called within the window. */
export interface Usage extends Model {
  readonly sandboxId?: string;
  readonly state?: string;
  readonly startedAt?: Date;
  readonly runningSec?: number;
  readonly size?: string;
  readonly vcpus?: number;
  readonly memoryMb?: number;
  readonly diskSizeMb?: number;
  readonly cpuUsec?: number;
  readonly window?: string;
  readonly calls?: Calls;
}

/** What a sandbox may use. */
export interface Limits extends Model {
  readonly cpu?: number;
  readonly memoryMb?: number;
  readonly diskSizeMb?: number;
}

/** What a sandbox may use, what of that can change while it runs, and what it uses. */
export interface Resources extends Model {
  readonly id?: string;
  readonly resources?: Limits;
  readonly capabilities: Json;
  readonly inUse?: Metrics;
}

/** A stored state of a sandbox's file system. */
export interface SnapshotInfo extends Model {
  readonly id: string;
  readonly sandboxId?: string;
  readonly state?: string;
  readonly comment?: string;
  readonly sizeBytes?: number;
  /** Whether it stays, whatever its sandbox says of its snapshots. */
  readonly keep: boolean;
  readonly expiresAt?: Date;
  readonly createdAt?: Date;
}

/** A port of the sandbox, reachable at `url` on the server's own machine. */
export interface Preview extends Model {
  readonly id: string;
  readonly sandboxId?: string;
  readonly url: string;
  readonly port: number;
  readonly state?: string;
  readonly createdAt?: Date;
}

/** Files that a sandbox offers as results, and its snapshots. */
export interface Made extends Model {
  readonly path?: string;
  readonly files: readonly FileInfo[];
  readonly snapshots: readonly SnapshotInfo[];
}

/** What a sandbox has made. */
export interface Artifacts extends Model {
  readonly sandboxId?: string;
  readonly artifacts?: Made;
  readonly previews: readonly Preview[];
}

/** A variable of the sandbox's environment; its agent can read it, so it is no place for a secret. */
export interface Variable extends Model {
  readonly key: string;
  readonly value: string;
  readonly encrypted: boolean;
}

/** Whether commands can run in a sandbox, and what each of its parts says. */
export interface Readiness extends Model {
  readonly id?: string;
  readonly state?: string;
  readonly ready: boolean;
  readonly status?: string;
  readonly reason?: string;
  readonly components: Json;
}

/** What a sandbox's file system starts from. */
export interface Template extends Model {
  readonly id: string;
  readonly layers: number;
  readonly packages: readonly string[];
  readonly python?: string;
  readonly createdAt?: Date;
}

export const ResourceContract = model<ResourceContract>("ResourceContract", {
  id: maybe(text),
  version: maybe(text),
  product: maybe(text),
  size: maybe(text),
  vcpus: maybe(number),
  memoryMb: maybe(number),
  diskSizeMb: maybe(number),
});

export const SandboxInfo = model<SandboxInfo>("SandboxInfo", {
  id: needed(text),
  name: maybe(text),
  state: or(text, "provisioning"),
  stateReason: maybe(text),
  ready: or(flag, false),
  templateId: maybe(text),
  slug: maybe(text),
  size: maybe(text),
  cpuCount: maybe(number),
  memoryMb: maybe(number),
  diskSizeMb: maybe(number),
  timeoutSec: maybe(number),
  idleTimeoutSec: maybe(number),
  persistent: maybe(flag),
  alwaysOn: maybe(flag),
  resourceContract: maybe(ResourceContract),
  timeoutRemainingMs: maybe(number),
  tags: or(list(text), []),
  envNames: or(list(text), []),
  metadata: or(map, {}),
  tenantId: maybe(text),
  workspaceId: maybe(text),
  ownerUserId: maybe(text),
  externalUserId: maybe(text),
  externalWorkspaceId: maybe(text),
  externalProjectId: maybe(text),
  bootMs: maybe(number),
  createdAt: maybe(moment),
  updatedAt: maybe(moment),
  startedAt: maybe(moment),
  readyAt: maybe(moment),
  destroyedAt: maybe(moment),
});

export const Calls = model<Calls>("Calls", {
  total: or(number, 0),
  allowed: or(number, 0),
  refused: or(number, 0),
  failed: or(number, 0),
  bytesIn: or(number, 0),
  bytesOut: or(number, 0),
});

export const Metrics = model<Metrics>("Metrics", {
  sandboxId: maybe(text),
  state: maybe(text),
  runningSec: maybe(number),
  cpuCount: maybe(number),
  cpuUsec: maybe(number),
  memoryBytes: maybe(number),
  memoryPeakBytes: maybe(number),
  memoryLimitBytes: maybe(number),
  diskBytes: maybe(number),
  tasks: maybe(number),
  window: maybe(text),
  calls: maybe(Calls),
  measuredAt: maybe(moment),
});

export const Usage = model<Usage>("Usage", {
  sandboxId: maybe(text),
  state: maybe(text),
  startedAt: maybe(moment),
  runningSec: maybe(number),
  size: maybe(text),
  vcpus: maybe(number),
  memoryMb: maybe(number),
  diskSizeMb: maybe(number),
  cpuUsec: maybe(number),
  window: maybe(text),
  calls: maybe(Calls),
});

export const Limits = model<Limits>("Limits", {
  cpu: maybe(number),
  memoryMb: maybe(number),
  diskSizeMb: maybe(number),
});

export const Resources = model<Resources>("Resources", {
  id: maybe(text),
  resources: maybe(Limits),
  capabilities: or(map, {}),
  inUse: maybe(Metrics),
});

export const SnapshotInfo = model<SnapshotInfo>("SnapshotInfo", {
  id: needed(text),
  sandboxId: maybe(text),
  state: maybe(text),
  comment: maybe(text),
  sizeBytes: maybe(number),
  keep: or(flag, false),
  expiresAt: maybe(moment),
  createdAt: maybe(moment),
});

export const Preview = model<Preview>("Preview", {
  id: needed(text),
  sandboxId: maybe(text),
  url: needed(text),
  port: needed(number),
  state: maybe(text),
  createdAt: maybe(moment),
});

export const Made = model<Made>("Made", {
  path: maybe(text),
  files: or(list(FileInfo), []),
  snapshots: or(list(SnapshotInfo), []),
});

export const Artifacts = model<Artifacts>("Artifacts", {
  sandboxId: maybe(text),
  artifacts: maybe(Made),
  previews: or(list(Preview), []),
});

export const Variable = model<Variable>("Variable", {
  key: needed(text),
  value: or(text, ""),
  encrypted: or(flag, false),
});

export const Readiness = model<Readiness>("Readiness", {
  id: maybe(text),
  state: maybe(text),
  ready: or(flag, false),
  status: maybe(text),
  reason: maybe(text),
  components: or(map, {}),
});

export const Template = model<Template>("Template", {
  id: needed(text),
  layers: or(number, 0),
  packages: or(list(text), []),
  python: maybe(text),
  createdAt: maybe(moment),
});
