/** Files of this machine, for Node.js: what uploads read and downloads write. */

import { createReadStream, createWriteStream } from "node:fs";
import { open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, posix, sep } from "node:path";
import { Writable } from "node:stream";

import type { Audit, EventFilters } from "./audit.js";
import type { Download, OnProgress, Progress } from "./download.js";
import type { DownloadOptions, UploadOptions } from "./files.js";
import type { Sandbox } from "./sandbox.js";

/** Send a file, or a folder with what is in it, to a path in the sandbox; modes are kept. Progress is told over all files. */
export async function upload(
  sandbox: Pick<Sandbox, "files">,
  local: string,
  remote: string,
  options: UploadOptions = {},
): Promise<void> {
  const { folders, files } = await inside(local);
  for (const folder of folders) await sandbox.files.mkdir(posix.join(remote, folder), { signal: options.signal });
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let before = 0;
  for (const file of files) {
    const target = file.relative ? posix.join(remote, file.relative) : remote;
    const mode = options.mode ?? (file.mode & 0o777).toString(8).padStart(3, "0");
    const onProgress = (now: Progress): void => options.onProgress?.({ loaded: before + now.loaded, total });
    // Opened anew for each attempt, so that a failure that passes is outlived.
    const open = () => createReadStream(file.path);
    await sandbox.files.upload(open, target, { mode, onProgress, signal: options.signal });
    before += file.size;
  }
}

/** Fetch a file; it appears here once all of it has arrived, or not at all. */
export async function download(
  sandbox: Pick<Sandbox, "files">,
  remote: string,
  local: string,
  options: DownloadOptions = {},
): Promise<void> {
  await save(await sandbox.files.download(remote, options), local);
}

/** Fetch files and folders as one `.tar.gz`. */
export async function exportFiles(
  sandbox: Pick<Sandbox, "files">,
  remote: string | readonly string[],
  local: string,
  options: DownloadOptions = {},
): Promise<void> {
  await save(await sandbox.files.export(remote, options), local);
}

/** Write all events that match to a file, as `csv` or `jsonl`. */
export async function exportEvents(
  audit: Audit,
  format: "csv" | "jsonl",
  local: string,
  filters: EventFilters & { readonly onProgress?: OnProgress } = {},
): Promise<void> {
  await save(await audit.export(format, filters), local);
}

/** Write a download to a file, which appears under its name once all of it is there. */
export async function save(content: Download, local: string): Promise<void> {
  const draft = join(dirname(local), `.${basename(local)}.${process.pid}.${Date.now().toString(36)}`);
  try {
    await content.pipeTo(Writable.toWeb(createWriteStream(draft, { flags: "wx" })) as WritableStream<Uint8Array>);
    await synced(draft);
    await rename(draft, local);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

interface LocalFile {
  readonly path: string;
  /** Below the folder that was asked for, with slashes; empty for a file that was asked for by itself. */
  readonly relative: string;
  readonly size: number;
  readonly mode: number;
}

/**
 * What is to be sent of a path: itself, or the folders and regular files beneath it.
 *
 * A link that leads out of the folder is left out: a folder of somebody else could have one to this machine's credentials.
 */
async function inside(
  local: string,
): Promise<{ readonly folders: readonly string[]; readonly files: readonly LocalFile[] }> {
  const about = await stat(local);
  if (!about.isDirectory())
    return { folders: [], files: [{ path: local, relative: "", size: about.size, mode: about.mode }] };
  const top = await realpath(local);
  const folders = ["."];
  const files: LocalFile[] = [];
  for (const name of (await readdir(local, { recursive: true })).sort()) {
    const path = join(local, name);
    const real = await realpath(path).catch(() => "");
    if (!real.startsWith(top.endsWith(sep) ? top : top + sep)) continue;
    const one = await stat(path);
    const below = name.split(sep).join("/");
    if (one.isDirectory()) folders.push(below);
    else if (one.isFile()) files.push({ path, relative: below, size: one.size, mode: one.mode });
  }
  return { folders, files };
}

async function synced(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
