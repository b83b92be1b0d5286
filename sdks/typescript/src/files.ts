/** Files of a sandbox. */

import { Download, type OnProgress } from "./download.js";
import { many, object, one } from "./envelope.js";
import { MiosaError, NotFoundError } from "./errors.js";
import { FileChange, FileInfo, FileTree } from "./models/index.js";
import { inNode } from "./settings.js";
import type { CallOptions, Transport } from "./transport.js";
import { bodyOf, type Content } from "./upload.js";
import { objectOf, path as pathOf } from "./wire.js";

const WORKSPACE = "/workspace";

/** How a file is uploaded. */
export interface UploadOptions extends CallOptions {
  /** The file's mode in octal digits, such as `755`. */
  readonly mode?: string;
  readonly onProgress?: OnProgress;
}

/** How a file is downloaded. */
export interface DownloadOptions extends CallOptions {
  readonly onProgress?: OnProgress;
}

/** Reads and writes files; paths are those inside the sandbox. `openmiosa/node` has the same for files of this machine. */
export class Files {
  readonly #transport: Transport;
  readonly #sandboxId: string;

  constructor(transport: Transport, sandboxId: string) {
    this.#transport = transport;
    this.#sandboxId = sandboxId;
  }

  /** Write a file, replacing what is there; text is stored as UTF-8. */
  async write(path: string, data: string | Uint8Array, options: CallOptions = {}): Promise<void> {
    const ask = { json: { path, content_base64: base64(data) }, signal: options.signal };
    await this.#transport.request("POST", this.#path("fs", "write"), ask);
  }

  /** Write several files in one request; throws when one of them was not written. */
  async writeMany(files: Readonly<Record<string, string | Uint8Array>>, options: CallOptions = {}): Promise<void> {
    const listed = Object.entries(files).map(([path, data]) => ({ path, content_base64: base64(data) }));
    const ask = { json: { files: listed }, signal: options.signal };
    const failed = object(await this.#transport.request("POST", this.#path("fs", "write-many"), ask))?.failed;
    if (Array.isArray(failed) && failed.length > 0) {
      const said = failed.map(object).map((one) => `${one?.path}: ${one?.error}`);
      throw new MiosaError(`not written: ${said.join("; ")}`);
    }
  }

  /** Send a content of any size as one file. A stream is passed on as it comes; what is no stream is sent again after a failure. */
  async upload(content: Content, path: string, options: UploadOptions = {}): Promise<void> {
    const query = { path, mode: options.mode };
    const body = await bodyOf(content, options.onProgress);
    await this.#transport.request("PUT", this.#path("fs", "content"), { query, body, signal: options.signal });
    // In a browser nobody hears of a body on its way.
    if (!inNode && body.size !== undefined) options.onProgress?.({ loaded: body.size, total: body.size });
  }

  /** A file's bytes. */
  async read(path: string, options: DownloadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.download(path, options)).bytes();
  }

  /** A file's text, which must be UTF-8. */
  async readText(path: string, options: DownloadOptions = {}): Promise<string> {
    return (await this.download(path, options)).text();
  }

  /** A file's bytes, as they arrive. */
  async readStream(path: string, options: DownloadOptions = {}): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    return (await this.download(path, options)).stream();
  }

  /** A file on its way here: `.pipeTo(…)`, `.bytes()`, `.text()`, or loop over it. */
  async download(path: string, options: DownloadOptions = {}): Promise<Download> {
    const ask = { query: { path }, accept: "*/*", signal: options.signal };
    return new Download(await this.#transport.open("GET", this.#path("fs", "download"), ask), options.onProgress);
  }

  /** Files and folders as one `.tar.gz`. */
  async export(paths: string | readonly string[] = WORKSPACE, options: DownloadOptions = {}): Promise<Download> {
    // One file named by `path` would come as it is; a list is always an archive.
    const query = { "paths[]": typeof paths === "string" ? [paths] : paths };
    const ask = { query, accept: "*/*", signal: options.signal };
    return new Download(await this.#transport.open("GET", this.#path("exports", "download"), ask), options.onProgress);
  }

  /** What is in a folder. */
  async list(path = WORKSPACE, options: CallOptions & { readonly depth?: number } = {}): Promise<FileInfo[]> {
    const ask = { query: { path, depth: options.depth }, signal: options.signal };
    return many(await this.#transport.request("GET", this.#path("files"), ask)).map(FileInfo.decode);
  }

  /** What is known of a file or folder. */
  async stat(path: string, options: CallOptions = {}): Promise<FileInfo> {
    const ask = { json: { path }, signal: options.signal };
    return FileInfo.decode(one(await this.#transport.request("POST", this.#path("fs", "stat"), ask)));
  }

  /** Whether there is a file or folder. */
  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.stat(path, options);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  /** A folder with its folders, three levels when `depth` is not given. */
  async tree(path = WORKSPACE, options: CallOptions & { readonly depth?: number } = {}): Promise<FileTree> {
    const ask = { query: { path, depth: options.depth ?? 3 }, signal: options.signal };
    return FileTree.decode(one(await this.#transport.request("GET", this.#path("files", "tree"), ask)));
  }

  /** Make a folder and, unless `parents` is false, those above it. */
  async mkdir(path: string, options: CallOptions & { readonly parents?: boolean } = {}): Promise<void> {
    const ask = { json: { path, parents: options.parents ?? true }, signal: options.signal };
    await this.#transport.request("POST", this.#path("fs", "mkdir"), ask);
  }

  /** Remove a file, or with `recursive` a folder with all that is in it. */
  async delete(path: string, options: CallOptions & { readonly recursive?: boolean } = {}): Promise<void> {
    const ask = { query: { path, recursive: options.recursive || undefined }, signal: options.signal };
    await this.#transport.request("DELETE", this.#path("files"), ask);
  }

  /** What happens to the files of a folder, and unless `recursive` is false below it, as it happens; it never ends by itself. */
  async *watch(
    path = WORKSPACE,
    options: CallOptions & { readonly recursive?: boolean } = {},
  ): AsyncGenerator<FileChange, void> {
    const ask = { query: { path, recursive: options.recursive }, signal: options.signal };
    for await (const frame of await this.#transport.events("GET", this.#path("files", "watch"), ask)) {
      const said = objectOf(frame.data);
      if ("event" in said && "path" in said) yield FileChange.decode(said);
    }
  }

  #path(...more: string[]): string {
    return pathOf("sandboxes", this.#sandboxId, ...more);
  }
}

function base64(data: string | Uint8Array): string {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  let letters = "";
  // In pieces, because the arguments of one call are limited.
  for (let start = 0; start < bytes.length; start += 0x8000) {
    letters += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(letters);
}
