/** Bytes that are on their way here: read them whole, or as they come. */

import type { Reply } from "./transport.js";

/** How far a transfer is. */
export interface Progress {
  /** Bytes so far. */
  readonly loaded: number;
  /** All bytes, where that is known. */
  readonly total?: number;
}

/** What is called as bytes go by. */
export type OnProgress = (progress: Progress) => void;

/** The content of one answer, to be read once: by `bytes`, `text`, `pipeTo`, `stream`, or a `for await` loop. */
export class Download implements AsyncIterable<Uint8Array<ArrayBuffer>> {
  /** How many bytes it has, where the server says so. */
  declare readonly size?: number;
  readonly #reply: Reply;
  readonly #onProgress: OnProgress | undefined;

  constructor(reply: Reply, onProgress?: OnProgress) {
    this.#reply = reply;
    this.#onProgress = onProgress;
    const length = reply.response.headers.get("content-length");
    if (length !== null && !reply.response.headers.has("content-encoding")) this.size = Number(length);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const total = this.size === undefined ? {} : { total: this.size };
    let loaded = 0;
    for await (const chunk of this.#reply.bytes()) {
      loaded += chunk.byteLength;
      this.#onProgress?.({ loaded, ...total });
      yield chunk;
    }
  }

  /** All of it. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.#response().arrayBuffer());
  }

  /** All of it as text, which must be UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await this.bytes());
  }

  /** Write it where it belongs; the target is closed at the end, and aborted when the bytes break off. */
  async pipeTo(target: WritableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    await this.stream().pipeTo(target);
  }

  /** As a stream; it fails when the bytes break off. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return streamOf(this);
  }

  #response(): Response {
    return new Response(this.stream());
  }
}

/** Anything that yields bytes, as a stream that asks for the next piece only when it is wanted. */
export function streamOf(source: AsyncIterable<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const step = await iterator.next();
      if (step.done) controller.close();
      else controller.enqueue(step.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
