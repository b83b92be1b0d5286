/** Bytes on their way to a sandbox, from whatever holds them. */

import { type OnProgress, streamOf } from "./download.js";
import { inNode } from "./settings.js";
import type { Body } from "./transport.js";

/**
 * What can be sent as the content of a file. Text is sent as UTF-8. A stream is read once, so it is not sent again after a failure;
 * a function that opens one is called for each attempt.
 */
export type Content =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | (() => AsyncIterable<Uint8Array>);

const SLICE = 64 * 1024;
const CONTENT_TYPE = "application/octet-stream";

/** The request body for a content, made anew for each attempt. */
export async function bodyOf(content: Content, onProgress?: OnProgress): Promise<Body> {
  const kept = await keptOf(content);
  const source = (): AsyncIterable<Uint8Array> => {
    if (kept) return slices(kept);
    return typeof content === "function" ? content() : (content as AsyncIterable<Uint8Array>);
  };
  // Over HTTP/1.1 a browser sends no streams, so there it goes in one piece.
  const whole = kept && !(inNode && onProgress);
  const open = (): BodyInit => (whole ? kept : streamOf(counted(source(), body, onProgress, kept?.size)));
  const once = !kept && typeof content !== "function";
  const body: Body = { once, contentType: CONTENT_TYPE, open, ...(kept ? { size: kept.size } : {}) };
  return body;
}

/** The content as something that can be read twice; undefined for a stream that can be passed on as it comes. */
async function keptOf(content: Content): Promise<Blob | undefined> {
  if (content instanceof Blob) return content;
  if (typeof content === "string" || content instanceof ArrayBuffer) return new Blob([content]);
  if (content instanceof Uint8Array) return new Blob([content as Uint8Array<ArrayBuffer>]);
  if (inNode) return undefined;
  const parts: BlobPart[] = [];
  for await (const chunk of typeof content === "function" ? content() : content)
    parts.push(chunk as Uint8Array<ArrayBuffer>);
  return new Blob(parts);
}

async function* slices(blob: Blob): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < blob.size; start += SLICE) {
    yield new Uint8Array(await blob.slice(start, start + SLICE).arrayBuffer());
  }
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  body: Body,
  onProgress?: OnProgress,
  total?: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let loaded = 0;
  try {
    for await (const chunk of source) {
      loaded += chunk.byteLength;
      onProgress?.(total === undefined ? { loaded } : { loaded, total });
      yield chunk as Uint8Array<ArrayBuffer>;
    }
  } catch (error) {
    body.broken = { error };
    throw error;
  }
}
