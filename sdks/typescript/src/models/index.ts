/** The typed records of the API, one file a noun. */

export { Event, RequestTransforms, SecretTransforms, SecretUse } from "./event.js";
export { ExecResult, type OutputEvent, Process, type TerminalOutput } from "./execution.js";
export { FileChange, FileInfo, FileTree } from "./files.js";
export { AdminEntry, ApiKey, Identity, KeyPreset, ScopedToken, Ticket } from "./key.js";
export { PendingHost, Policy, Rule, Suggestion } from "./policy.js";
export type { Codec, Model } from "./record.js";
export {
  Artifacts,
  Calls,
  Limits,
  Made,
  Metrics,
  Preview,
  Readiness,
  ResourceContract,
  Resources,
  SandboxInfo,
  SnapshotInfo,
  Template,
  Usage,
  Variable,
} from "./sandbox.js";
export { Binding, ConnectionInfo, ConnectionStatus, Provider, Secret } from "./secret.js";
