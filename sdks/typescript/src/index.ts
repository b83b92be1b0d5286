/**
 * OpenMIOSA's client: agents in sandboxes use real credentials that they never hold.
 *
 *     import { Miosa } from "openmiosa";
 *
 *     const client = new Miosa();
 *     await using sandbox = await client.sandboxes.create("support-agent");
 *     await sandbox.secrets.set({ name: "openai_key", value, exposeAsEnv: "OPENAI_API_KEY" });
 *     console.log((await sandbox.exec("python3 /workspace/agent.py")).check().stdout);
 */

export type { AdminFilters, AdminLog } from "./admin.js";
export type { Audit, EventFilters, ListEvents } from "./audit.js";
export { Miosa, type RequestOptions } from "./client.js";
export type { Connection, WaitOptions } from "./connection.js";
export type { Download, OnProgress, Progress } from "./download.js";
export type { Env } from "./env.js";
export type { Json } from "./envelope.js";
export * from "./errors.js";
export type { Command, Exec, ExecOptions, Processes, ProcessOptions } from "./exec.js";
export type { DownloadOptions, Files, UploadOptions } from "./files.js";
export type {
  ApiKeys,
  CreateKey,
  CreateScopedKey,
  CreateToken,
  Tokens,
  UpdateKey,
} from "./keys.js";
export * from "./models/index.js";
export type { CreatePolicy, Network, PolicyFilters, RuleOptions, UpdatePolicy } from "./network.js";
export type { Pages } from "./pages.js";
export type { Previews } from "./previews.js";
export type { ForkSandbox, Sandbox, UpdateSandbox } from "./sandbox.js";
export type { CreateSandbox, Sandboxes, SandboxFilters } from "./sandboxes.js";
export type {
  Bind,
  BindingFilters,
  Connect,
  MachineOAuth,
  Reauthorize,
  RotateSecret,
  SecretFilters,
  Secrets,
  SetSecret,
} from "./secrets.js";
export type { CreateSnapshot, Snapshots } from "./snapshots.js";
export type { Tail, TailOptions } from "./tail.js";
export type { ShellOptions, Terminal } from "./terminal.js";
export type { CallOptions, MiosaOptions, WebSocketConstructor, WebSocketLike } from "./transport.js";
export type { Content } from "./upload.js";
export { VERSION } from "./version.js";
