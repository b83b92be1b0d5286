/** Records of commands and processes. */

import { CommandFailedError } from "../errors.js";
import { flag, type Model, maybe, model, moment, needed, number, or, text } from "./record.js";

/** How a command ended, and what it wrote. */
export interface ExecResult extends Model {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  readonly signal?: number;
  readonly timedOut: boolean;
  readonly truncated: boolean;
  readonly durationMs?: number;
  /** Whether it exited with 0. */
  readonly ok: boolean;
  /** This result, or CommandFailedError when the command did not exit with 0. */
  check(): ExecResult;
}

/** A piece of a running command's output, or (last) its end. */
export type OutputEvent =
  | { readonly type: "stdout" | "stderr"; readonly data: string }
  | { readonly type: "exit"; readonly exitCode: number };

/** Bytes that a command wrote; a terminal has only stdout. */
export interface TerminalOutput {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** A process in the background of a sandbox. */
export interface Process extends Model {
  readonly pid: number;
  readonly id?: string;
  readonly name?: string;
  readonly command?: string;
  readonly status?: string;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly timedOut: boolean;
  readonly durationMs?: number;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
}

export const ExecResult = model<ExecResult, "ok" | "check">(
  "ExecResult",
  {
    stdout: or(text, ""),
    stderr: or(text, ""),
    exitCode: or(number, 0),
    signal: maybe(number),
    timedOut: or(flag, false),
    truncated: or(flag, false),
    durationMs: maybe(number),
  },
  {
    get ok() {
      return this.exitCode === 0;
    },
    check() {
      if (!this.ok) throw new CommandFailedError(this);
      return this;
    },
  },
);

export const Process = model<Process>("Process", {
  pid: needed(number),
  id: maybe(text),
  name: maybe(text),
  command: maybe(text),
  status: maybe(text),
  exitCode: maybe(number),
  signal: maybe(number),
  timedOut: or(flag, false),
  durationMs: maybe(number),
  startedAt: maybe(moment),
  endedAt: maybe(moment),
});
